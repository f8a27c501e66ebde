"""Measures of a sampled run in one table: which answer is judged, what is refused, the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.records import InputError
from calib.runs import open_run
from calib.uncertainty.measures import of_samples
from calib.uncertainty.side_by_side import cases, side_by_side, table_of
from tests.sampled import SAID, make


@pytest.fixture
def run(tmp_path: Path) -> Path:
    texts = {f"{kind}{i}": said for i in range(20) for kind, said in SAID.items()}
    return make(tmp_path / "run", texts)


def test_the_judged_answer_is_not_measured(run: Path) -> None:
    found = side_by_side(open_run(run))
    assert found["samples"] == 2 and found["accuracy"] == 0.5
    rows = {row["measure"]: row for row in found["measures"]}
    assert rows["disagreement"]["auroc"] == 1.0
    assert of_samples(SAID["guessed"][1:])["disagreement"] == 0.5
    names = found["labels"]
    assert len(found["correlations"]) == len(names) == len(rows)
    assert rows["disagreement"]["n"] == 40


def test_another_runs_answers_are_judged(run: Path, tmp_path: Path) -> None:
    ids = [item.id for item in open_run(run).items()]
    other = make(tmp_path / "greedy", {name: ["Rome"] for name in ids}, greedy=True)
    found = side_by_side(open_run(run), answers=open_run(other))
    assert found["accuracy"] == 1.0 and found["samples"] == 3
    assert all(row["auroc"] is None for row in found["measures"])
    assert "greedy" in found["judged"]
    few = make(tmp_path / "few", {"known0": ["Rome"]})
    with pytest.raises(InputError, match="lacks answers"):
        side_by_side(open_run(run), answers=open_run(few))
    with pytest.raises(InputError, match="it holds one answer to each question"):
        side_by_side(open_run(few))


def test_the_report_of_a_sampled_run(run: Path, tmp_path: Path, make_run: Any) -> None:
    runner = CliRunner()
    shown = runner.invoke(cli.app, ["report", str(run)])
    assert shown.exit_code == 0, shown.output
    page, twin = (run / "report.html").read_text(), (run / "report.md").read_text()
    assert "<svg" in page and "sample disagreement" in page and "sample disagreement" in twin
    assert json.loads((run / "results.json").read_text())["format"] == "calib.measures/1"
    scored = make_run(tmp_path / "scored", n=8)
    refused = runner.invoke(cli.app, ["report", str(run), "--scores", str(scored)])
    assert refused.exit_code == 2
    assert runner.invoke(cli.app, ["report", str(scored), "--answers", str(run)]).exit_code == 2


def test_scores_join_by_question(run: Path, tmp_path: Path, make_run: Any) -> None:
    scored = make_run(tmp_path / "scored", n=40)
    ids = [item.id for item in open_run(run).items()]
    rows = [json.loads(line) for line in (scored / "records.jsonl").read_text().splitlines()]
    (scored / "records.jsonl").write_text(
        "".join(json.dumps({**row, "id": name}) + "\n" for row, name in zip(rows, ids, strict=True))
    )
    found = side_by_side(open_run(run), scores=open_run(scored))
    assert {"confidence", "entropy", "mass"} <= {row["measure"] for row in found["measures"]}


def test_stated_confidences_are_measured_and_not_compared(tmp_path: Path) -> None:
    """The judged answer's own counts, else the mean of the samples'; clusters are of answers."""
    texts = {
        "a": ["Rome\nConfidence: 90%", "Rome\nConfidence: 40%", "Rome\nConfidence: 80%"],
        "b": ["Oslo", "Bern\nConfidence: 20%", "bern.\nConfidence: 40%"],
        "c": ["Oslo", "Rome", "Rome"],
    }
    run = open_run(make(tmp_path / "run", texts, prompt="verbalized"))
    table = table_of(list(cases(run, run.items(), None, least=1)), None, "exact").set_index("id")
    assert table["verbalized"][["a", "b"]].tolist() == pytest.approx([0.9, 0.3])
    assert math.isnan(table["verbalized"]["c"])
    assert table["correct"].tolist() == [True, False, False]
    assert table["disagreement"].tolist() == [0, 0, 0]


def test_a_run_of_one_sample_names_the_commands_that_tell_of_it(
    tmp_path: Path, make_run: Any
) -> None:
    """It has a page of its answers; where measures are asked for it is refused."""
    one = make(tmp_path / "one", {name: said[:1] for name, said in SAID.items()})
    assert CliRunner().invoke(cli.app, ["report", str(one)]).exit_code == 0
    scored = str(make_run(tmp_path / "scored", n=8))
    ran = CliRunner().invoke(cli.app, ["report", str(one), "--scores", scored])
    assert ran.exit_code == 2
    for command in (
        f"calib report SAMPLES --answers {one}",
        f"calib p_true {one}",
        "calib sample continues it with more --samples",
    ):
        assert command in ran.output
    make(tmp_path / "more", SAID)
    told = CliRunner().invoke(cli.app, ["report", str(tmp_path / "more"), "--answers", str(one)])
    assert told.exit_code == 0, told.output
