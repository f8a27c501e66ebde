"""All studies in one book; one that fails stops no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import CalibError
from calib.studies import book
from tests.studies.declared import SMALL, declared, load_fakes, questions

SHORT = SMALL.replace(
    SMALL.partition("  pairs:")[1] + SMALL.partition("  pairs:")[2].partition("quick:")[0], ""
).replace("  all: questions.jsonl\n", "")
"""The small study with its first step alone, on one task."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three studies: one that runs, one that requires what is not there, one that fails."""
    load_fakes(monkeypatch)
    questions(tmp_path)
    texts = {
        "small": SHORT,
        "later": f"{SHORT.replace('small', 'later')}requires: {{nowhere: make it}}\n",
        "broken": SHORT.replace("small", "broken").replace("questions.jsonl", "gone.jsonl"),
        "last": SHORT.replace("small", "last"),
    }
    paths = {}
    for name, text in texts.items():
        paths[name] = tmp_path / f"{name}.yaml"
        paths[name].write_text(text)
    monkeypatch.setattr(book, "shipped", lambda: paths)
    return paths


def test_all_that_can_run_is_in_the_book(tmp_path: Path, files: dict[str, Path]):
    told: list[str] = []
    root = tmp_path / "book"
    with pytest.raises(CalibError, match=r"studies that failed: broken: "):
        book.run_all(root, seeds=[0], announce=told.append)
    assert "later is left out: nowhere is not there; it is made by make it" in told
    results: dict[str, Any] = json.loads((root / "results.json").read_text())
    assert [Path(each).name for each in results["studies"]] == ["small", "last"]
    assert list(results["left_out"]) == ["later", "broken"]
    assert "The study later is not in this book: nowhere is not there" in (
        (root / "index.html").read_text()
    )
    assert (root / "index.html").read_bytes() == (root / "report.html").read_bytes()
    del files["broken"]
    assert book.run_all(root, seeds=[0]) == root / "index.html"


def test_a_dry_run_of_all_says_whose_jobs_they_are_and_what_is_left_out(
    tmp_path: Path, files: dict[str, Path], monkeypatch: Any, capsys: Any
):
    from calib.cli.study import all_

    files["broken"].write_text(SMALL.replace("small", "broken"))
    monkeypatch.setattr("calib.studies.read.shipped", lambda: files)
    all_(dry_run=True, seeds="0", output_path=tmp_path / "book")
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    assert lines[0] == ["study", "job", "seed", "prompts", "answers", "time"]
    assert ["small", "scored/one/mine", "0", "30", "?"] in lines
    assert ["broken", "pairs/mine", "0"] in lines and " 0 s " not in said
    said = " ".join(said.split())
    assert "the time of 3 jobs that ask no model is not counted" in said
    assert "later is left out: nowhere is not there; it is made by make it" in said


def test_studies_of_a_book_share_their_jobs(tmp_path: Path, files: dict[str, Path]):
    del files["broken"], files["later"]
    told: list[str] = []
    book.run_all(tmp_path / "book", seeds=[0], announce=told.append)
    assert {line.partition(":")[0] for line in told} == {"small"}  # last asks the same
    assert declared(tmp_path).name == "small"
