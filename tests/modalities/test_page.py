"""The page of a study: its twins, what it says and does not say, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.records import InputError
from calib.report.kinds import Sources, write_again
from calib.report.modality_words import headline
from calib.tasks import Task
from tests.browser import axe, measured
from tests.modalities.seer import Seer, questions
from tests.twins import check_twins

HOSTILE = "<script>alert(1)</script> *a* | b [c](d)"
LEVELS = ("none", 500, 900)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose questions and descriptions are hostile."""
    root = tmp_path_factory.mktemp("study")
    items = [
        replace(
            item,
            question=f"{item.question} {HOSTILE}",
            meta={**item.meta, "description": [HOSTILE, *item.meta["description"]]},
        )
        for item in questions(root).items
    ]
    task = Task(f"squares {HOSTILE}", tuple(items), "letters")
    calib.modality(Seer(), task, noise=LEVELS, sentences=2, samples=2, out=root / "out")
    write_again(Sources(root / "out"))
    return root / "out"


def results_of(page: Path) -> dict[str, Any]:
    return dict(json.loads((page / "results.json").read_text()))


def test_the_page_and_its_twins(page: Path):
    check_twins(page)
    for name in ("arms", "tests", "cells", "shown", "facts"):
        assert (page / "tables" / f"{name}.csv").is_file(), name
    html = (page / "report.html").read_text()
    assert "<script>alert(1)" not in html
    assert html.count('role="img"') == 4 + 3  # maps and curves
    assert "paper" not in html.partition("<table")[0].lower()


def test_the_page_is_written_again_as_it_was(page: Path):
    before = {p.name: p.read_bytes() for p in (page / "report.html", page / "report.md")}
    (page / "report.html").unlink()
    write_again(Sources(page))
    assert {name: (page / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_page_in_a_browser(page: Path, open_page: Any, width: int, scheme: str):
    opened = open_page(page / "report.html", width=width, scheme=scheme)
    assert axe(opened.page) == []
    found = measured(opened.page)
    assert found["scroll"] <= width and found["wide"] == [] and found["broken"] == 0
    assert min(found["small"]) >= 9
    shown = opened.page.evaluate(
        "[...document.querySelectorAll('#shown img')].map(i => i.naturalWidth)"
    )
    assert len(shown) == 6 and all(shown)


def moved(page: Path, **tests: tuple[float, float]) -> str:
    """The headline where the contrasts have these values and corrected p, in both measures."""
    results = results_of(page)
    for test in results["tests"]:
        value, p = tests.get(test["name"].replace("-", "_"), (0.0, 1.0))
        sign = 1 if test["measure"] == "confidence" else -1
        test |= {"value": sign * value, "p": p, "holm": p}
    return headline(results)


def test_the_headline_says_what_is_shown_whichever_way_it_falls(page: Path):
    told = moved(page, image_text=(-0.1, 0.01), both_image=(0.2, 0.02), both_text=(0.1, 0.03))
    assert told == (
        "The model is surer of the description alone than of the picture alone, by its confidence "
        "(p = 0.010) and entropy (p = 0.010). It is surer of both than of the picture alone "
        "(confidence, p = 0.020 and entropy, p = 0.020). It is surer of both than of the "
        "description alone (confidence, p = 0.030 and entropy, p = 0.030)."
    )
    told = moved(page, image_text=(0.1, 0.01), both_image=(-0.2, 0.02), both_text=(0.1, 0.3))
    assert told == (
        "The model is surer of the picture alone than of the description alone, by its confidence "
        "(p = 0.010) and entropy (p = 0.010). It is less sure of both than of the picture alone "
        "(confidence, p = 0.020 and entropy, p = 0.020). It is not shown to be surer or less sure "
        "of both than of the description alone."
    )


def test_what_is_not_shown_is_not_said(page: Path):
    told = moved(page, image_text=(-0.3, 0.06), both_image=(0.2, 0.06), both_text=(0.2, 0.5))
    assert told.count("not shown to be surer") == 2 and "is surer of" not in told


def test_measures_that_disagree_are_said_to(page: Path):
    results = results_of(page)
    for test in results["tests"]:
        test |= {"value": 0.1, "p": 0.001, "holm": 0.001}  # of entropy: less sure
    assert "Confidence and entropy disagree" in headline(results)
    assert "Confidence and entropy disagree on both against the picture alone" in headline(results)


def test_a_study_that_is_not_finished_has_no_page(page: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text((page / "config.json").read_text())
    with pytest.raises(InputError, match="cannot be read as the results of calib modality"):
        write_again(Sources(tmp_path))


def commanded(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["modality", *arguments], env={"COLUMNS": "80"})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib.models.load.load_model", lambda name, **_: Seer())


def test_the_command(tmp_path: Path, seen: None):
    rows = [
        {
            "id": item.id,
            "images": [item.images[0].name],
            "question": item.question,
            "options": item.options,
            "answer": item.options[item.answer or 0],
        }
        for item in questions(tmp_path).items
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = {row["id"]: "A square. It is large." for row in rows}
    (tmp_path / "d.json").write_text(json.dumps(said))
    out = tmp_path / "out"
    done = commanded(
        *("--model", "seer", "--tasks", str(tmp_path / "q.jsonl"), "--levels", "none, 700"),
        *("--descriptions", str(tmp_path / "d.json"), "--output_path", str(out)),
        *("--arms", "text,image,both,neither"),
    )
    assert done.exit_code == 0, done.output
    told = done.stdout.replace(str(out), "")
    assert max(map(len, told.splitlines())) <= 80
    assert "both − image − text + neither" in told and "text only" in told
    results = results_of(out)
    assert results["levels"] == ["none", 700] and results["sentences"] == 2
    assert results["descriptions"] == "d.json"
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arms", "picture"], "arms: expected one of neither"),
        (["--levels", "1000"], "noise: expected none or a step from 0 to 999, got 1000"),
        (["--levels", "few"], "noise: expected none or a step from 0 to 999, got 'few'"),
        (["--sentences", "9"], "sentences: expected at most 2"),
        (["--tasks", "a,b"], "--tasks: expected one task, got 'a,b'"),
        (["--descriptions", "gone.json"], "gone.json: it cannot be read"),
    ],
)
def test_the_command_refuses(seen: None, tmp_path: Path, arguments: list[str], said: str):
    usual = ["--model", "seer", "--tasks", "easy-vqa-letters", "--output_path", str(tmp_path / "o")]
    refused = commanded(*usual, *arguments)
    assert refused.exit_code == 2
    assert said in " ".join(refused.stderr.split())
    assert not (tmp_path / "o").exists()
