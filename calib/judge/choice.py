"""The judge of an item by default, and the verdict on answers where nobody can know the answer."""

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
    """Raise InputError, naming the item, where ``judge`` cannot say whether an answer is right."""
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

    Every answer to a question that nobody can answer is wrong; ``Verdict.refused`` says whether it
    is a refusal, which such a question asks for.
    """
    name = ("letter" if item.options else "contains") if judge == AUTO else judge
    results = [JUDGES[name](answer, item) for answer in answers]
    return results if answerable(item) else [replace(verdict, correct=False) for verdict in results]


def option_said(verdict: Verdict, item: Item) -> str | None:
    """The option that a letter was taken for, so that the reader need not look it up."""
    parsed = verdict.parsed
    return item.options[parsed] if isinstance(parsed, int) and item.options else None
