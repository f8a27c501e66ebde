"""The page of a ranking of calibrators, beside the calibrators.json that it is made of."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from calib import cli
from calib.calibrators import judged, padded
from calib.calibrators.temperature import TemperatureScaling
from calib.records import InputError
from calib.report.ranking_page import folder_beside, headline, ranking_page
from calib.runs import open_run
from calib.runs.config import kind_of
from calib.runs.kinds import RANKING
from calib.summary.ranking import folds, rank_runs
from calib.summary.rows import collect
from tests.browser import axe, measured
from tests.twins import check_twins

HOSTILE = "<img src=x onerror=alert(1)>|`[b]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> Path:
    run = make_run(tmp_path_factory.mktemp("ranked") / "run", n=300, model=HOSTILE)
    ran = CliRunner().invoke(cli.app, ["fit", str(run), "--calibrator", "all"])
    assert ran.exit_code == 0, ran.output
    assert str(run / "calibrators" / "report.html") in ran.output.replace("\n", "")
    return run


@pytest.fixture(scope="module")
def ranking(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "calibrators.json").read_text())
    return found


def test_the_page_holds_the_ranking(run, ranking):
    folder = run / "calibrators"
    assert kind_of(folder) == RANKING
    assert json.loads((folder / "results.json").read_text()) == ranking
    check_twins(folder)
    with (folder / "tables" / "calibrators.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["calibrator"] for row in rows] == [row["calibrator"] for row in ranking["rows"]]
    for row, of in zip(rows, ranking["rows"], strict=True):
        assert float(row["NLL"]) == of["measure"] and float(row["ECE"]) == of["ece"]
        if of["tests"]:
            assert float(row["− none"]) == of["tests"]["measure"]["value"]
    text = (folder / "report.html").read_text()
    assert "<img" not in text and text.count("<script") == 1
    before = (folder / "report.md").read_text()
    again = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert again.exit_code == 0, again.output
    assert (folder / "report.md").read_text() == before


def test_the_diagrams_are_of_what_is_judged(run):
    """The bars of none, and of a temperature fitted to the other folds, counted by hand."""
    ranking, _, _ = rank_runs(run, None, ["temperature"], seed=0)
    table = open_run(run).scores()
    scores, answers = padded(table["logprob"]), table["answer"].to_numpy(int)
    scored, _, _ = collect(open_run(run).rows(), vocabulary=False)
    sure = np.empty(len(answers))
    for fit, rows in folds(scored.cluster, 0):
        scaling = TemperatureScaling().fit(scores[fit], answers[fit])
        sure[rows] = judged(scaling, scores[rows]).confidence
    right = scores.argmax(axis=1) == answers
    for name, confidence in (("none", judged(None, scores).confidence), ("temperature", sure)):
        bars = ranking["diagrams"][name]
        assert len(bars) == 15 and sum(bar["n"] for bar in bars) == 300
        for bar in bars:
            here = (confidence > bar["low"]) & (confidence <= bar["high"])
            assert bar["n"] == here.sum()
            if bar["n"]:
                assert bar["accuracy"] == pytest.approx(right[here].mean())
                assert bar["confidence"] == pytest.approx(confidence[here].mean())


def test_none_and_the_first_two_are_drawn(ranking):
    first = [row["calibrator"] for row in ranking["rows"] if row["calibrator"] != "none"][:2]
    assert list(ranking["diagrams"]) == ["none", *first]
    titles = [figure.title for figure in ranking_page(ranking).sections[1].blocks[0].figures]
    assert titles == ["As it is", *first]


def test_the_headline_says_what_is_shown(ranking):
    shown = len(ranking["better"])
    assert shown and headline(ranking) == f"{shown} of 7 calibrators shown to be better than none"
    assert headline({**ranking, "better": []}) == "No calibrator is shown to be better than none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(run, open_page, width, scheme):
    opened = open_page(run / "calibrators" / "report.html", width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and seen["figures"] == 3
    assert min(seen["small"]) >= 9 and not seen["torn"]
    assert not axe(opened.page)
    assert HOSTILE in opened.page.locator("#facts").inner_text()


def test_the_page_is_beside_the_file_and_replaces_nothing(run, tmp_path, make_run):
    assert folder_beside(tmp_path / "ranked.json") == tmp_path / "ranked"
    assert folder_beside(tmp_path / "ranked") == tmp_path / "ranked-report"
    other = make_run(tmp_path / "other", n=60)
    with pytest.raises(InputError, match=r"it holds scored questions .*choose another file"):
        folder_beside(tmp_path / "other.json")
    arguments = ["fit", str(run), "--calibrator", "all", "--output_path"]
    ran = CliRunner().invoke(cli.app, [*arguments, f"{other}.json"], env={"COLUMNS": "400"})
    assert ran.exit_code == 2 and "it holds scored questions" in ran.output
    assert not (tmp_path / "other.json").exists()


def test_one_calibrator_writes_no_page(run, tmp_path):
    path = tmp_path / "platt.json"
    arguments = ["fit", str(run), "--calibrator", "platt", "--output_path", str(path)]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert list(tmp_path.iterdir()) == [path]
