"""Judges: an answer and its item in, a verdict out.

``letter``      the option meant, by its letter or its text, chain of thought included
``exact``       the gold text or one of its aliases, outer whitespace apart
``normalized``  the same without case, articles, punctuation, accents and whitespace (``folding``)
``contains``    a gold text stands in the answer, compared in the same way
``numeric``     the gold number within a tolerance

``llm`` makes a judge of any model that turns a text into a text. A function of (answer, item) that
returns a Verdict, or a bool, is a judge as well. ``verdicts`` uses ``letter`` where the item has
options and ``contains`` where it has none, and allows for questions that nobody can answer.
"""

from __future__ import annotations

from collections.abc import Callable

from calib.judge.choice import JUDGES, answerable, refuse_unjudgeable, verdicts
from calib.judge.folding import normalized_text
from calib.judge.letter import letter
from calib.judge.llm import llm
from calib.judge.numeric import numeric, numeric_within
from calib.judge.refusal import is_refusal
from calib.judge.text import contains, exact, normalized
from calib.records import Answer, InputError, Item, Verdict

__all__ = [
    "JUDGES",
    "Judge",
    "answerable",
    "contains",
    "exact",
    "is_refusal",
    "judge_for",
    "letter",
    "llm",
    "normalized",
    "normalized_text",
    "numeric",
    "numeric_within",
    "refuse_unjudgeable",
    "verdicts",
]

Judge = Callable[[Answer | str, Item], Verdict]


def judge_for(judge: str | Callable[[Answer | str, Item], Verdict | bool]) -> Judge:
    """A judge by name, or a user's function as a judge.

    A bool that the function returns becomes a Verdict; its ``refused`` is then found by phrases.
    Raises InputError for an unknown name; the judge raises TypeError where the function returns
    anything else.
    """
    if callable(judge):
        return lambda answer, item: as_verdict(judge(answer, item), answer)
    if judge not in JUDGES:
        raise InputError(f"judge {judge!r}: expected one of {', '.join(JUDGES)}, or a function")
    return JUDGES[judge]


def as_verdict(judgement: Verdict | bool, answer: Answer | str) -> Verdict:
    if isinstance(judgement, Verdict):
        return judgement
    if not isinstance(judgement, bool):
        raise TypeError(f"a judge must return a Verdict or a bool, got {judgement!r}")
    text = answer if isinstance(answer, str) else answer.text
    return Verdict(judgement, text, not judgement and is_refusal(text), "function")
