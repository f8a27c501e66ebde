"""Prompt form ``decision``: the words of transformers' decision pipeline, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.records import InputError, Item
from calib.tasks.decision_prompt import type_of
from calib.tasks.prompts import build
from calib.tasks.task import digest
from tests.deciding import PICTURED, QUESTIONS, STATES, asset, items_of, request

configs = pytest.importorskip("transformers.decision", reason="transformers < 5.23")

MORE: list[dict[str, Any]] = [
    {"type": "noul", "instructions": "?", "criteria": {"true": ["a"], "false": {"b": None}}},
    {"type": "noul", "instructions": "?", "criteria": {"true": "", "false": None}},
    {"type": "choice", "instructions": ["?", 1.5], "criteria": {"a\nb": "", "{{ x }}": "<b>&"}},
    {"type": "choice", "instructions": "?", "criteria": {f"o{n}": None for n in range(26)}},
    {"type": "score", "instructions": "?\n", "criteria": ["", {}, "l"]},
]


def theirs(state: Any, question: Any) -> str:
    from transformers.utils.chat_template_utils import _compile_jinja_template

    template = _compile_jinja_template(configs.DECISION_PROMPT)
    parsed = configs.Question.from_request("q", question, configs.DecisionConfig())
    return str(template.render(state=state, question=parsed))


def item(question: Any, state: Any = "s", count: int | None = None, **meta: Any) -> Item:
    n = 2 if question["type"] == "noul" else len(question.get("criteria", ()))
    options = tuple(f"o{k}" for k in range(n if count is None else count))
    told = {"system_one": {"state": state, "question": question}, **meta}
    return Item("q", "?", options=options, meta=told)


@pytest.mark.parametrize("state", [*STATES, None, 3, "", {"a": {"b": [1.0, "ü<"]}}])
@pytest.mark.parametrize("question", [*QUESTIONS.values(), *MORE])
def test_the_words_are_the_pipelines(question: Any, state: Any) -> None:
    prompt = build(item(question, state), "decision")
    assert prompt.text == theirs(state, question)
    assert (prompt.chat, prompt.decision, prompt.images) == (True, True, ())
    labels = configs.Question.from_request("q", question, configs.DecisionConfig()).labels
    assert prompt.options == tuple((label,) for label in labels)
    assert type_of(item(question)) == question["type"]


def test_a_file_has_what_it_needs(tmp_path: Any) -> None:
    lines = [request(f"t{n}", state) for n, state in enumerate(STATES)]
    items = items_of(tmp_path, lines)
    expected = [theirs(line["state"], q) for line in lines for q in line["questions"].values()]
    assert [build(one, "decision").text for one in items] == expected


def test_pictures_stand_where_their_names_are(tmp_path: Any) -> None:
    assets = {"img-1": asset("red"), "img-11": asset("blue"), "img-2": asset("green")}
    line = request("p", {"see": "img-1!"}, {"pictured": PICTURED}, assets=assets)
    with pytest.warns(UserWarning, match="img-2"):
        (one,) = items_of(tmp_path, [line])
    prompt = build(one, "decision")
    whole = theirs(line["state"], PICTURED)
    for name in ("img-11", "img-1"):  # the longer name first
        whole = whole.replace(name, "\0")
    assert prompt.text == whole.replace("\0", "")
    pieces = whole.split("\0")
    assert prompt.places == tuple(len("".join(pieces[: k + 1])) for k in range(len(pieces) - 1))
    red, blue = one.images
    assert prompt.images == (red, red, blue, red, blue)


def test_the_preview_shows_where_pictures_stand(tmp_path: Any) -> None:
    line = request("p", "img-1", {"pictured": PICTURED}, assets={"img-1": asset("red")})
    items_of(tmp_path, [line])
    command = ["tasks", "show", str(tmp_path / "questions.jsonl"), "--prompt", "decision"]
    shown = CliRunner().invoke(cli.app, command).output
    assert "[picture]\n    \n    Is [picture] like [picture]1 or [picture]?\n" in shown


def test_a_run_begun_before_keeps_its_questions(tmp_path: Any) -> None:
    """Items had no request; of the same file they are the same questions."""
    for one in items_of(tmp_path, [request("t", STATES[0])]):
        meta = {name: value for name, value in one.meta.items() if name != "system_one"}
        before = Item(one.id, one.question, one.images, one.options, one.answer, one.group, meta)
        assert digest([one]) == digest([before])


NOUL = QUESTIONS["refund"]


@pytest.mark.parametrize(
    ("one", "how", "message"),
    [
        (Item("q", "?", options=("a", "b")), {}, "'q': prompt decision asks System One's questions "
         "of type noul, choice, score, and this one has no type"),
        (Item("q", "?", options=("a", "b"), meta={"system_one": "x"}), {}, "has no type"),
        (item({**NOUL, "type": "odd"}), {}, "expected a question of type noul"),
        (item(NOUL), {"chat": False}, "has no chat template"),
        (item(NOUL), {"variants": True}, "one token of each option"),
        (item(NOUL, hint="Look."), {}, "it has hint"),
        (item(NOUL, turns=(("a", "b"),)), {}, "it has turns"),
        (item(NOUL, count=3), {}, "expected 3 options in its question, at most 26, got 2"),
        (item({**MORE[3], "criteria": {f"o{n}": None for n in range(27)}}), {}, "at most 26"),
        (item({**QUESTIONS["urgency"], "criteria": ["a", None]}), {}, "a level is null"),
        (item({**QUESTIONS["team"], "criteria": {"a": 3, "b": None}}), {}, "takes texts, objects"),
        (Item("q", "?", ("a.png",), ("a", "b"), meta=item(NOUL).meta), {}, "1 pictures and 0"),
        (Item("q", "?", options=("a", "b"), meta={"system_one": {"state": "", "question": NOUL,
         "assets": [""]}}), {}, "assets: expected names"),
        (Item("q", "?", options=("a", "b"), meta={"system_one": {"state": "", "question": NOUL,
         "unused": ["only"]}}), {}, "would put asset 'only' into its own words"),
    ],
)  # fmt: skip
def test_what_is_refused(one: Item, how: dict[str, bool], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        build(one, "decision", **how)
    assert "'q'" in str(refused.value) and "\n" not in str(refused.value)


def test_empty_entries_are_none() -> None:
    empty = {"hint": " ", "lecture": "", "instruction": None, "turns": ()}
    assert build(item(NOUL, **empty), "decision") == build(item(NOUL), "decision")
