"""Ten questions of a sampled run that tell something, each with its answers as they were judged.

They are the wrong answers that look surest, the right ones that look least sure, and refusals. How
sure an answer looks is one measure, ``ORDERS``' first that is known of every question; questions
that are alike in it stay in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from calib.judge import answerable, verdicts
from calib.judge.choice import option_said
from calib.judge.text import gold_texts
from calib.records import Answer, ImageRef, Item, Verdict
from calib.uncertainty.meaning import Meaning
from calib.uncertainty.measures import bare, label

RIGHT, WRONG, REFUSED = "right", "wrong", "refused"
OUTCOMES = (RIGHT, WRONG, REFUSED)
SHOWN = {WRONG: 4, RIGHT: 3, REFUSED: 3}
"""Questions of each outcome; places that one leaves free go to the others, in this order."""
ORDERS = ("semantic_rao", "semantic_discrete", "mean_logprob")


Case: TypeAlias = tuple[Item, Answer, Sequence[Answer]]
"""A question with the answer that is judged, and the samples that its measures come from."""


def outcome(verdict: Verdict) -> str:
    """One of ``OUTCOMES``. A refusal is right only where the right option says "I don't know"."""
    if verdict.correct:
        return RIGHT
    return REFUSED if verdict.refused else WRONG


def telling(
    cases: Sequence[Case],
    outcomes: Sequence[str],
    uncertainty: pd.DataFrame,
    judge: str,
    folder: Path,
    meaning: Meaning | None = None,
) -> dict[str, Any]:
    """The questions that a page shows, and the measure by which they were chosen.

    cases, outcomes: of N questions; uncertainty: their measures (N rows), higher is less sure.
    ``meaning`` says which samples mean the same, by default normalised texts. Pictures in
    ``folder`` are named relative to it.
    """
    order = order_of(uncertainty)
    unsure = [0.0] * len(cases) if order is None else uncertainty[order].tolist()
    return {
        "measure": order,
        "label": None if order is None else label(order),
        "items": [
            {
                **described(cases[k], judge, folder, meaning or Meaning()),
                "measures": {str(name): uncertainty[name].iloc[k] for name in uncertainty.columns},
            }
            for k in chosen(outcomes, unsure)
        ],
    }


def order_of(uncertainty: pd.DataFrame) -> str | None:
    """The measure by which questions are chosen; None where none of them is known of all."""
    known = (n for n in ORDERS if n in uncertainty.columns and uncertainty[n].notna().all())
    return next(known, None)


def chosen(outcomes: Sequence[str], unsure: Sequence[float]) -> list[int]:
    """The places of the questions to show: by outcome as in ``SHOWN``, the most telling first."""
    turn = {WRONG: 1, RIGHT: -1, REFUSED: 1}
    places = {
        name: sorted(
            (k for k, found in enumerate(outcomes) if found == name),
            key=lambda k: turn[name] * unsure[k],
        )
        for name in SHOWN
    }
    take = {name: min(most, len(places[name])) for name, most in SHOWN.items()}
    free = sum(SHOWN.values()) - sum(take.values())
    for name in SHOWN:
        more = min(free, len(places[name]) - take[name])
        take[name] += more
        free -= more
    return [k for name, n in take.items() for k in places[name][:n]]


def described(case: Case, judge: str, folder: Path, meaning: Meaning) -> dict[str, Any]:
    """A question, the judged answer, and the samples by what they mean, largest cluster first."""
    item, answer, samples = case
    others = [bare(sample) for sample in samples]
    judged, *verdicts_of = verdicts(item, [bare(answer), *others], judge)
    golds = gold_texts(item)
    return {
        "id": item.id,
        "group": None if item.group is None else str(item.group),
        "question": item.question,
        "images": [named(image, folder) for image in item.images],
        "gold": golds[0] if golds and answerable(item) else None,
        "outcome": outcome(judged),
        "answer": answer.text,
        "said": option_said(judged, item),
        "samples": len(others),
        "clusters": clusters(others, verdicts_of, item, meaning),
    }


def clusters(
    answers: Sequence[Answer], judged: Sequence[Verdict], item: Item, meaning: Meaning
) -> list[dict[str, Any]]:
    """What means the same, with how many: the first answer's text and verdict stand for all."""
    if not answers:
        return []
    members: dict[int, list[int]] = {}
    for place, cluster in enumerate(meaning.clusters(answers, item.question)):
        members.setdefault(cluster, []).append(place)
    return [
        {
            "text": answers[places[0]].text,
            "said": option_said(judged[places[0]], item),
            "outcome": outcome(judged[places[0]]),
            "n": len(places),
        }
        for places in sorted(members.values(), key=len, reverse=True)
    ]


def first_of(items: Sequence[Item], folder: Path) -> dict[str, Any]:
    """Whose prompt a page shows: the first question's id and its pictures."""
    return {"id": items[0].id, "images": [named(image, folder) for image in items[0].images]}


def named(image: ImageRef, folder: Path) -> str:
    """A picture's path, relative to ``folder`` where it lies there."""
    inside = isinstance(image, Path) and image.is_relative_to(folder)
    return str(image.relative_to(folder)) if isinstance(image, Path) and inside else str(image)


def counted(outcomes: Sequence[str]) -> Mapping[str, int]:
    """How many of each of ``OUTCOMES``."""
    return {name: sum(found == name for found in outcomes) for name in OUTCOMES}
