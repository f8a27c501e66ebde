"""The judge that an item gets unless one is named, and the verdict on what nobody can answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from calib.judge.letter import letter
from calib.judge.numeric import numeric
from calib.judge.text import contains, exact, gold_texts, normalized
from calib.records import Answer, InputError, Item, Verdict

AUTO = "auto"
JUDGES: dict[str, Callable[[Answer | str, Item], Verdict]] = {
    "letter": letter,
    "exact": exact,
    "normalized": normalized,
    "contains": contains,
    "numeric": numeric,
}


def answerable(item: Item) -> bool:
    return item.meta.get("answerable") is not False


def refuse_unjudgeable(items: Iterable[Item], judge: str) -> None:
    """InputError, naming the item, where ``judge`` could never say whether an answer is right."""
    if judge != AUTO and judge not in JUDGES:
        raise InputError(f"judge {judge!r}: expected {AUTO} or one of {', '.join(JUDGES)}")
    for item in items:
        if judge == "letter" and not item.options:
            raise InputError(f"item {item.id!r} has no options, so no letter can be right")
        if answerable(item) and not gold_texts(item):
            raise InputError(
                f"item {item.id!r} has no answer to judge by; where nobody can know it, say so "
                'with "answerable": false in its meta'
            )


def verdicts(item: Item, answers: Sequence[Answer | str], judge: str = AUTO) -> list[Verdict]:
    """The verdict on each answer, by ``letter`` where the item has options, else ``contains``.

    To a question that nobody can answer every answer is wrong; a refusal is the right thing to do,
    which ``Verdict.refused`` says.
    """
    name = ("letter" if item.options else "contains") if judge == AUTO else judge
    results = [JUDGES[name](answer, item) for answer in answers]
    return results if answerable(item) else [replace(verdict, correct=False) for verdict in results]
