"""The page of a search, its table files and what the command prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import calib
from calib.records import InputError
from calib.report.kinds import Sources, write_again
from calib.report.prompts import headline
from tests.prompts.cued import Cued, questions
from tests.twins import check_twins


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "cued"
    seeds = ["The answer might be", "The answer must be <b>*now*</b>"]
    other = calib.tasks.Task("other", tuple(questions(200).items[160:]), "letters")
    calib.optimize_prompts(
        Cued(), calib.tasks.Task("cued", questions(200).items[:160], "letters"),
        rounds=3, search=80, held_out=80, judged="kept", elsewhere=[other], seeds=seeds, out=folder,
    )  # fmt: skip
    write_again(Sources(folder))
    return folder


def test_page_and_twins(searched: Path):
    results = json.loads((searched / "results.json").read_text())
    check_twins(searched)
    words = results["winner"].partition(" <b>")[0]
    assert f"“{words}" in (searched / "report.md").read_text()
    assert "<b>*now*" not in (searched / "report.html").read_text()
    told = headline(results)
    assert "questions that chose nothing" in told
    for name in ("kept", "rounds", "held-out-1", "elsewhere", "facts"):
        assert (searched / "tables" / f"{name}.csv").is_file(), name


def test_what_is_not_shown_is_not_said(searched: Path):
    results = json.loads((searched / "results.json").read_text())
    for pair in results["held_out"]["pairs"]:
        for test in pair["differences"].values():
            test["holm"] = None if test["p"] is None else 1.0
    assert "is not shown to differ from the seed" in headline(results)
    for pair in results["held_out"]["pairs"]:
        for name, test in pair["differences"].items():
            if name == "brier" and test["p"] is not None:
                test["holm"], test["value"] = 0.01, -0.1
    assert "lowers Brier (p = 0.010)" in headline(results)


def test_a_search_that_is_not_finished_has_no_page(searched: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text((searched / "config.json").read_text())
    with pytest.raises(InputError, match="this search has not come to its end"):
        write_again(Sources(tmp_path))
