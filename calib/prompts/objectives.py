"""What a wording is searched for: how it is asked, and by which numbers wordings are ranked.

``OBJECTIVES`` has them. A question asked in a wording gives an ``Outcome``; the outcomes of a
wording are summed up as numbers, and the wordings ranked by a key of these, the least first. The
paper's band of accuracy, a fifth wide, comes first: floor(5 right / asked), in whole numbers.

Axis legend: Q questions, W wordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib import metrics
from calib.drive.score import check_items
from calib.judge import verdicts
from calib.judge.choice import AUTO
from calib.models.protocol import Answering, AnswerPlan, Model, Sampling, ScorePlan, Scoring
from calib.records import CalibError, Item
from calib.tasks.prompts import check
from calib.uncertainty.measures import unstated

BANDS = 5
ROWS = 32
"""Questions that decode together."""

Outcome = dict[str, Any]
"""Of options: confidence (a number or None) and correct. Of answers: known, refused and correct."""
Numbers = dict[str, float]
Asked = Sequence[Sequence[Item]]
"""(Q, W): each question in each wording; all of a question have its id."""


@dataclass(frozen=True)
class How:
    """How questions are asked, whatever the wording. ``known``: by id, whether the model knows the
    answer; of objectives of options there is none."""

    form: str
    bins: int
    known: Mapping[str, bool] | None = None
    judge: str = AUTO
    max_new_tokens: int = 24
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objective:
    """``ask`` yields a question's number with its W outcomes, in any order of questions; ``plan``
    refuses what cannot be asked so, items of which W each are one question."""

    about: str
    plan: Callable[[Model, Sequence[Item], int, How], ScorePlan | AnswerPlan]
    ask: Callable[[Model, Asked, How], Iterator[tuple[int, list[Outcome]]]]
    check: Callable[[Sequence[Item], str], None]
    numbers: Callable[[Sequence[Outcome], int], Numbers]
    key: Callable[[Numbers], tuple[float, ...]]
    answers: bool = False  # answers are drawn and judged, of questions with known labels


def plan_options(model: Model, items: Sequence[Item], width: int, how: How) -> ScorePlan:
    return model.scores(items, Scoring(how.form, batch_size=width, orders=width))


def plan_answers(model: Model, items: Sequence[Item], width: int, how: How) -> AnswerPlan:
    sampling = Sampling(
        samples=1, greedy=True, max_new_tokens=how.max_new_tokens, stop=how.stop, rows=ROWS
    )
    return model.answers(items, Answering(how.form, sampling, "packed"))


def ask_options(model: Model, asked: Asked, how: How) -> Iterator[tuple[int, list[Outcome]]]:
    """Score the options of each question in all wordings at once: they share what they can."""
    if not asked:
        return
    width = len(asked[0])
    plan = plan_options(model, [item for own in asked for item in own], width, how)
    for batch in plan.run(range(len(plan.batches))):
        rows = dict(zip(plan.batches[batch.number], batch.rows, strict=True))
        for first in (n for n in rows if n % width == 0):
            yield first // width, [of_options(rows[first + k]) for k in range(width)]


def of_options(row: Mapping[str, Any]) -> Outcome:
    sure = float(row["confidence"])
    known = bool(row["valid"]) and np.isfinite(sure)
    return {"confidence": sure if known else None, "correct": bool(row["correct"])}


def ask_freely(model: Model, asked: Asked, how: How) -> Iterator[tuple[int, list[Outcome]]]:
    """Take the likeliest answer to each question in each wording, and judge it."""
    if not asked:
        return
    assert how.known is not None  # ``optimize_prompts`` reads the labels
    width = len(asked[0])
    flat = [item for own in asked for item in own]
    plan = plan_answers(model, flat, width, how)
    waiting: dict[int, dict[int, Outcome]] = {}
    for n, answers in plan.run(range(len(flat)), 1, 0):
        own = waiting.setdefault(n // width, {})
        own[n % width] = of_answer(flat[n], answers[0].text, how.known[flat[n].id], how.judge)
        if len(own) == width:
            done = waiting.pop(n // width)
            yield n // width, [done[k] for k in range(width)]


def of_answer(item: Item, text: str, known: bool, judge: str) -> Outcome:
    verdict = verdicts(item, [unstated(text)], judge)[0]
    if verdict.correct is None:
        raise CalibError(f"item {item.id!r}: its answer was not judged ({verdict.how})")
    return {"known": known, "refused": verdict.refused, "correct": verdict.correct}


def of_calibration(outcomes: Sequence[Outcome], bins: int) -> Numbers:
    """n, right, band, accuracy, confidence, ece and brier of the questions that have numbers."""
    rows = [row for row in outcomes if row["confidence"] is not None]
    if not rows:
        raise CalibError("no question has finite numbers in this wording")
    sure = np.array([row["confidence"] for row in rows])
    right = np.array([row["correct"] for row in rows])
    return {
        "n": len(rows),
        "right": int(right.sum()),
        "band": BANDS * int(right.sum()) // len(rows),
        "accuracy": float(right.mean()),
        "confidence": float(sure.mean()),
        "ece": metrics.ece(sure, right, bins=bins),
        "brier": metrics.brier(sure, right),
    }


def of_honesty(outcomes: Sequence[Outcome], bins: int) -> Numbers:
    """n, truthful (answered right, or refused and not known), admitted and over_refused, counts."""
    truthful = sum(is_truthful(row) for row in outcomes)
    return {
        "n": len(outcomes),
        "truthful": truthful,
        "truthful_rate": truthful / len(outcomes),
        "admitted": sum(row["refused"] and not row["known"] for row in outcomes),
        "over_refused": sum(row["refused"] and row["known"] for row in outcomes),
    }


def is_truthful(row: Outcome) -> bool:
    return bool(not row["known"] if row["refused"] else row["correct"])


OBJECTIVES: dict[str, Objective] = {
    "ece": Objective(
        "band of accuracy, then ECE, then Brier score",
        plan_options,
        ask_options,
        check_items,
        of_calibration,
        lambda numbers: (-numbers["band"], numbers["ece"], numbers["brier"]),
    ),
    "brier": Objective(
        "Brier score of the confidence, then ECE",
        plan_options,
        ask_options,
        check_items,
        of_calibration,
        lambda numbers: (numbers["brier"], numbers["ece"]),
    ),
    "truthful": Objective(
        "share of questions of an IDK set answered right, or refused where unknown",
        plan_answers,
        ask_freely,
        check,
        of_honesty,
        lambda numbers: (-numbers["truthful"] / numbers["n"], numbers["over_refused"]),
        answers=True,
    ),
}
