"""Reasoning before answering, and questions without options or answer: prompts, tasks, scoring."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.drive.reason import reasoned
from calib.drive.score import score
from calib.hf.model import Model
from calib.hf.speakers import Speakers
from calib.judge import verdicts
from calib.judge.text import normalized_text
from calib.records import Item
from calib.tasks import Task, load_task
from calib.tasks.prompts import build
from tests.hf.conftest import make_llama, make_tokenizer

ITEM = Item("q", "Which?", options=("red", "no"), answer=0, meta={"reasoning": "It glows. "})


def test_options_stand_after_the_reasoning() -> None:
    prompt = build(ITEM, "letters")
    assert prompt.text == "Which?\n(A) red\n(B) no\nThink step by step, then answer."
    assert prompt.begun == "It glows.\nThe answer is"
    assert prompt.options == ((" A",), (" B",))
    assert build(ITEM, "options").options == ((" red",), (" no",))
    tokenizer = make_tokenizer()
    assert Speakers(tokenizer, None).templated(prompt)[0].endswith("A:It glows.\nThe answer is")
    bare = make_tokenizer(template="")
    bare.chat_template = None
    plain, _ = Speakers(bare, None).templated(build(ITEM, "options", chat=False))
    assert plain.endswith("then answer.\nAnswer: It glows.\nThe answer is")


def test_reasoning_is_sampled_once_and_scored_after(tmp_path: Path) -> None:
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    items = [Item(f"q{i}", f"{i}?", options=("red", "no"), answer=0) for i in range(4)]
    task = Task("t", tuple(items))
    with_reasons = reasoned(model, task, tmp_path, limit=3, seed=5, max_new_tokens=8)
    assert len(with_reasons) == 3
    assert all(item.meta["reasoning"] is not None for item in with_reasons)
    run = score(model, with_reasons, out=tmp_path, limit=3, seed=5)
    plain = score(model, task, out=tmp_path / "plain", limit=3, seed=5)
    assert list(run.scores().id) == list(plain.scores().id)
    assert not (run.scores().confidence == plain.scores().confidence).all()
    again = reasoned(model, task, tmp_path, limit=3, seed=5, max_new_tokens=8)
    assert again == with_reasons
    assert len(score(model, again, out=tmp_path, limit=3, seed=5).scores()) == 3


def test_capitals_are_judged_by_their_names() -> None:
    items = {item.id: item for item in load_task("capitals")}
    assert 180 <= len(items) <= 195
    assert len({item.group for item in items.values()}) == 5

    def right(country: str, answer: str) -> bool | None:
        return verdicts(items[country], [answer])[0].correct

    assert right("France", "The capital of France is Paris.")
    assert not right("France", "The capital of France is Lyon.")
    assert right("Chad", "N'Djaména") and right("Colombia", "It is bogota!")
    assert right("United States", "Washington DC") and right("Sri Lanka", "Colombo")
    assert verdicts(items["France"], ["I don't know."])[0].refused
    for item in items.values():
        echo = f" {normalized_text(item.question)} "
        assert not any(f" {normalized_text(a)} " in echo for a in item.meta["aliases"]), item


def test_questions_that_no_picture_answers() -> None:
    task = load_task("easy-vqa-idk")
    nobody = [item for item in task if item.meta.get("answerable") is False]
    assert len(task) == 3 * len(nobody) == 3000
    assert all(item.answer is None and item.group == "unanswerable" for item in nobody)
    assert all(
        item.answer is not None
        for item in task
        if item not in nobody[:0] and item.group != "unanswerable"
    )
    wrong, refused = verdicts(nobody[0], ["red", "I don't know"])
    assert wrong.correct is False and not wrong.refused
    assert refused.correct is False and refused.refused


@pytest.mark.parametrize("name", ["capitals", "easy-vqa-idk"])
def test_tasks_are_listed(name: str) -> None:
    from calib.tasks.builtin import BUILTIN

    assert name in BUILTIN
