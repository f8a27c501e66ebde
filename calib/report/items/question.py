"""A question as items.html shows it, whatever kind of run it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from calib.records import Verdict
from calib.uncertainty.telling import REFUSED, RIGHT, WRONG, outcome

UNJUDGED = "unjudged"
STATES = {RIGHT: "r", WRONG: "w", REFUSED: "f", UNJUDGED: "u"}
"""What can become of a question, and the letter for it in index.js."""


class Option(NamedTuple):
    """``prob`` is None where it is not known; ``role`` is "given", "gold", "both" or ""."""

    text: str
    prob: float | None
    role: str


class Said(NamedTuple):
    """An answer in the model's words and what became of it, one of ``STATES``."""

    text: str
    state: str


class Picture(NamedTuple):
    """``name`` is what a reader is told, ``path`` where it lies: from the run's folder or whole."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what the model made of it.

    ``confidence`` is in [0, 1], None where it is not known. ``given`` and ``gold`` are the answer
    and the right one in words. Of sampled runs, ``judged`` is the answer that ``state`` is about,
    ``clusters`` are the samples by what they mean, ``measures`` their names and values.
    """

    id: str
    state: str
    confidence: float | None = None
    group: str | None = None
    question: str = ""
    options: tuple[Option, ...] = ()
    given: str | None = None
    gold: str | None = None
    prompt: str | None = None
    pictures: tuple[Picture, ...] = ()
    judged: Said | None = None
    clusters: tuple[tuple[Said, ...], ...] = ()
    measures: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The questions of a run, read one by one, and what the page says of all of them.

    ``confidence`` says in a few words what a question's confidence is.
    """

    title: str
    confidence: str
    total: int
    questions: Iterable[Question]


def state_of(verdict: Verdict) -> str:
    """The outcome of an answer; ``UNJUDGED`` where its verdict says neither right nor wrong."""
    if verdict.correct is None and not verdict.refused:
        return UNJUDGED
    return outcome(verdict)
