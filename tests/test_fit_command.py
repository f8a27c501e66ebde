"""``calib fit`` on what decides nothing, or something else than it seems to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from calib import cli
from tests.calibrated import sure

runner = CliRunner()


def fit(*arguments: str | Path):
    return runner.invoke(cli.app, ["fit", *map(str, arguments)], env={"COLUMNS": "200"})


def imported(table: Path, folder: Path) -> Path:
    done = runner.invoke(cli.app, ["import", str(table), "--output_path", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def stated(tmp_path: Path) -> Path:
    table = tmp_path / "stated.csv"
    rows = "".join(f"{0.5 + k % 5 / 11},{int(k % 3 > 0)}\n" for k in range(120))
    table.write_text(f"confidence,correct\n{rows}")
    return imported(table, tmp_path / "stated")


def logits(folder: Path, name: str, n: int = 200, lost: int = 0, right: bool = False) -> Path:
    z, y = sure(n)
    if right:
        y = z.argmax(axis=1)
    z[np.arange(lost), y[:lost]] = -np.inf
    np.savez(folder / f"{name}.npz", logits=z, labels=y)
    return imported(folder / f"{name}.npz", folder / name)


@pytest.mark.filterwarnings("default:.*give their right option the probability 0")
def test_questions_that_cannot_be_fitted_to_are_counted(tmp_path: Path):
    run = logits(tmp_path, "lost", lost=30)
    done = fit(run)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    n_fit = json.loads((run / "temperature.json").read_text())["n_fit"]
    assert f"{100 - n_fit} of the 100 questions to fit to give their right option" in said
    said = " ".join(fit(run, "--calibrator", "all").output.split())
    assert "30 questions give their right option the probability 0" in said
    whole = fit(logits(tmp_path, "whole"))
    assert "probability 0" not in whole.output


def test_the_report_says_so_too(tmp_path: Path):
    run = logits(tmp_path, "lost", lost=40)
    done = runner.invoke(cli.app, ["report", str(run)])
    assert done.exit_code == 0, done.output
    text = " ".join((run / "report.md").read_text().split())
    assert "whose right option has the probability 0" in text


def test_a_run_that_is_all_right_ranks_nothing(tmp_path: Path):
    run = logits(tmp_path, "right", right=True)
    done = fit(run, "--calibrator", "all")
    assert done.exit_code == 1
    assert "all 200 answers are right, which decides no calibrator" in " ".join(done.output.split())
    assert not (run / "temperature.json").exists()


def test_stated_confidences_are_not_exported(stated: Path):
    done = fit(stated, "--export", "vllm")
    assert done.exit_code == 2 and "SamplingParams" not in done.output
    assert "holds confidences alone" in " ".join(done.output.split())
    assert not (stated / "temperature.json").exists()


def test_scores_of_options_are_not_judged_on_stated_confidences(stated: Path, tmp_path: Path):
    run = logits(tmp_path, "scores")
    for pair in ((run, stated), (stated, run)):
        done = fit(pair[0], "--evaluate", pair[1])
        assert done.exit_code == 2
        assert "a temperature of the one is none of the other" in " ".join(done.output.split())


def test_the_winner_goes_by_the_name_that_was_asked_for(tmp_path: Path):
    run = logits(tmp_path, "scores", n=600)
    other = tmp_path / "temperature.json"
    other.write_text("kept")
    done = fit(run, "--calibrator", "all", "--output_path", tmp_path / "mine.json")
    assert done.exit_code == 0, done.output
    best = json.loads((tmp_path / "mine.json").read_text())["better"][0]
    assert (tmp_path / f"mine-{best}.json").is_file() and other.read_text() == "kept"


def test_few_clusters_are_told_as_such(tmp_path: Path):
    table = tmp_path / "few.csv"
    rows = "".join(f"0.{5 + k % 5},{k % 2},c{k % 2}\n" for k in range(120))
    table.write_text(f"confidence,correct,cluster\n{rows}")
    said = " ".join(fit(imported(table, tmp_path / "few"), "--calibrator", "all").output.split())
    assert "got 120 questions of 2 clusters" in said
