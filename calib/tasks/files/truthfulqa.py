"""TruthfulQA's questions, as published (``TruthfulQA.csv``) and as the Hub has them.

* Rows with ``Best Answer`` and ``Incorrect Answers`` (``best_answer``, ``incorrect_answers``), the
  latter a list or texts with semicolons between.
* Rows with ``mc1_targets``: ``choices``, and ``labels``, of which one is 1.

The options are those of the metric MC1: the best answer and every incorrect one, each once. The
published order puts the right one first, so options stand in the order of a digest of question and
option: it favours none, and is the same in every file and part of one. The group is the category.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from calib.records import InputError
from calib.tasks.files.columns import plain
from calib.tasks.files.notes import Notes
from calib.tasks.files.values import list_in, mapping, shown, text_in, texts_of

BEST, INCORRECT, TARGETS = "bestanswer", "incorrectanswers", "mc1targets"
OWN = {"options", "choices", "answer", "answerindex", "answerletter"}
"""Columns of a row that says itself what its options are."""
UNUSED = {BEST, INCORRECT, TARGETS, "mc2targets", "bestincorrectanswer", "correctanswers"}
UNUSED |= {"type", "source"}
"""Columns of the published table that no question needs behind its options."""


def is_truthfulqa(row: Mapping[str, Any]) -> bool:
    names = set(map(plain, row))
    return (
        "question" in names
        and bool({BEST, INCORRECT} <= names or TARGETS in names)
        and not names & OWN
    )


def truthfulqa_row(
    row: Mapping[str, Any], where: str, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The row with options and answer. InputError where no answer or no incorrect one is there."""
    names = {plain(name): name for name in row}
    if TARGETS in names:
        best, incorrect = of_targets(row[names[TARGETS]], where)
    else:
        best, incorrect = of_answers(row[names[BEST]], row[names[INCORRECT]], where)
    question = text_in(row[names["question"]], f"{where}: {names['question']}")
    options, answer = ordered(question, best, incorrect)
    rest = {name: value for name, value in row.items() if plain(name) not in UNUSED}
    yield where, {**rest, "options": options, "answer_index": answer}


def of_answers(best: Any, incorrect: Any, where: str) -> tuple[str, list[str]]:
    """The best answer, and the incorrect ones; columns of the published table."""
    right = text_in(best, f"{where}: Best Answer").strip()
    if isinstance(incorrect, str):
        incorrect = incorrect.split(";")
    wrong = [text.strip() for text in texts_of(incorrect, f"{where}: Incorrect Answers")]
    wrong = [text for text in wrong if text]
    if not right or not wrong:
        raise InputError(
            f"{where}: expected a best answer and an incorrect one or more, got {shown(best)} and "
            f"{shown(incorrect)}"
        )
    return right, wrong


def of_targets(targets: Any, where: str) -> tuple[str, list[str]]:
    """The option whose label is 1, and the others."""
    where = f"{where}: mc1_targets"
    named = mapping(targets, where)
    choices = texts_of(named.get("choices", ()), f"{where}: choices")
    labels = list_in(named.get("labels", ()), f"{where}: labels")
    if len(labels) != len(choices) or sorted(map(str, labels)) != ["0"] * (len(labels) - 1) + ["1"]:
        raise InputError(
            f"{where}: expected choices and as many labels, one of them 1 and the others 0, got "
            f"{shown(targets)}"
        )
    right = list(map(str, labels)).index("1")
    return choices[right], [text for index, text in enumerate(choices) if index != right]


def ordered(question: str, best: str, incorrect: Iterable[str]) -> tuple[list[str], int]:
    """Each text once, in the order of its digest, and where the best answer stands."""
    options = sorted(
        {best, *incorrect},
        key=lambda option: hashlib.sha256(f"{question}\0{option}".encode()).digest(),
    )
    return options, options.index(best)
