"""Prompts kept with a run: word for word, and the same when it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.drive.score import score
from calib.models.protocol import Scoring
from calib.records import CalibError, InputError, Item
from calib.runs import open_run
from calib.runs.prompts import first_prompt, title_of
from calib.tasks import Task
from tests.fake_model import Plan
from tests.runs.stub import QUESTIONS, ROWS, TASK, Stub, records, run


def test_prompts_are_kept_word_for_word(tmp_path: Path, uncut: Path):
    assert open_run(uncut).prompts() == {item.id: f"{item.id} {item.question}" for item in TASK}
    hostile = "<b>\x1b[31m\n é" + "long " * 1000
    picture = Image.new("RGB", (30, 20))
    picture.save(tmp_path / "a.png")
    items = [Item("a", hostile, (picture, tmp_path / "a.png"), ("x", "y"), 0), TASK.items[0]]
    score(Stub(), Task("two", tuple(items)), out=tmp_path / "run")
    assert open_run(tmp_path / "run").prompts()["a"] == f"a {hostile}"
    row = first_prompt(tmp_path / "run")
    assert row and title_of(row) == "question 'a', 2 pictures: 30 x 20, 30 x 20"


def test_a_run_that_kept_no_prompts_goes_on_without(tmp_path: Path, uncut: Path):
    """As one does that an earlier version began."""
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=4))
    (folder / "prompts.jsonl").unlink()
    run(folder)
    assert records(folder) == records(uncut)
    with pytest.raises(CalibError, match=r"^.*run: there is no prompts\.jsonl; an earlier version"):
        open_run(folder).prompts()
    assert first_prompt(folder) is None


@pytest.mark.parametrize(
    ("meta", "form", "goes_on"),
    [
        ({"hint": "Dusk."}, "letters", False),
        ({"turns": [("a", "b")]}, "options", False),
        ({"instruction": "Say it."}, "letters", False),
        ({"instruction": "Say it."}, "options", True),
        ({"hint": "", "ask_for_text": "Say it.", "solution": "Dusk."}, "letters", True),
    ],
)
def test_a_run_is_not_gone_on_with_what_was_not_shown_before(
    tmp_path: Path, meta: dict[str, Any], form: str, goes_on: bool
):
    items = [*TASK.items[:4], replace(TASK.items[4], meta=meta), *TASK.items[5:]]
    given: dict[str, Any] = {"out": tmp_path, "batch_size": ROWS, "prompt": form}
    with pytest.raises(KeyboardInterrupt):
        score(Stub(stop_at=2), Task("t", tuple(items)), **given)
    (tmp_path / "prompts.jsonl").unlink()
    if goes_on:
        score(Stub(), Task("t", tuple(items)), **given)
        assert len(open_run(tmp_path).rows()) == QUESTIONS
        return
    name = next(iter(meta))
    with pytest.raises(InputError, match=f"did not show the {name} of item 'q4'; choose another"):
        score(Stub(), Task("t", tuple(items)), **given)


def test_a_run_of_no_records_gets_its_prompts(tmp_path: Path):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=0))
    (folder / "prompts.jsonl").unlink()
    run(folder)
    assert len(open_run(folder).prompts()) == QUESTIONS


def test_a_run_with_other_prompts_is_refused(tmp_path: Path):
    """As where a model's chat template was changed meanwhile."""

    class Other(Stub):
        def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
            changed = replace(items[1], question="otherwise")
            return super().scores([items[0], changed, *items[2:]], how)

    folder = tmp_path / "run"
    run(folder, Stub(stop_at=4))
    before = records(folder)
    with pytest.raises(InputError, match=r"with other prompts \(item 'q1' is not asked as in"):
        run(folder, Other())
    assert records(folder) == before
    run(folder)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": "a", "text": "b"}', "\udcff"])
def test_damaged_prompts_are_named(tmp_path: Path, line: str):
    run(tmp_path)
    path = tmp_path / "prompts.jsonl"
    path.write_text(path.read_text() + json.dumps(line)[1:-1].replace('\\"', '"') + "\n")
    with pytest.raises(CalibError, match=r"prompts\.jsonl, line 51: "):
        open_run(tmp_path).prompts()
