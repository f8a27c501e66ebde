"""Two runs on the same questions: differences, groups, and the answers that were gained and lost.

A difference is the other run's value minus the first's. Its p is corrected (Holm) for the number of
differences over all questions; those of groups, which look for where, are a family of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals import add_holm, paired_difference
from calib.runs import Run
from calib.summary import brief, mistake
from calib.summary.rows import Row, Scored
from calib.summary.table import RESAMPLES, Spec

COMPARED = (
    "accuracy", "parse_rate", "gap", "ece", "debiased_rmsce", "brier", "brier_confidence", "nll",
    "auroc",
)  # fmt: skip
"""One of each kind: calibration is tested by the debiased squared error; ECE itself has no test."""
SQUARED = "squared RMSCE, debiased"
"""The label of a difference of ``debiased_rmsce``, which is one of squared errors."""
SHOWN_ITEMS = 6
"""Gained and lost questions that results.json holds, of each."""
MOST_GROUPS = 40
"""Groups that are told apart, the largest: each is a test more, which weakens all others."""
OF_GROUP = ("n", "accuracy", "confidence", "gap", "ece", "expected")


@dataclass(frozen=True)
class Side:
    """One run; its rows are in the order of the other sides' rows."""

    name: str
    run: Run
    rows: list[Row]
    scored: Scored

    def take(self, chosen: Any) -> Side:
        """The questions that a mask names."""
        rows = [row for row, use in zip(self.rows, chosen, strict=True) if use]
        return Side(self.name, self.run, rows, self.scored.take(chosen))


def pair(
    first: Side, other: Side, table: Sequence[Spec], groups: Sequence[str], seed: int
) -> dict[str, Any]:
    """What the report says of the other run against the first."""
    compared = {spec.name: spec for spec in table if spec.name in COMPARED}
    right, before = other.scored.correct, first.scored.correct
    return {
        "first": first.name,
        "second": other.name,
        "differences": {
            name: difference(compared[name], first.scored, other.scored, seed)
            for name in COMPARED
            if name in compared
        },
        "both_right": int((before & right).sum()),
        "lost": int((before & ~right).sum()),
        "gained": int((~before & right).sum()),
        "both_wrong": int((~before & ~right).sum()),
        **same_answer(first, other),
        "gained_items": surest(first, other, ~before & right),
        "forgotten": surest(first, other, before & ~right),
        "moved_items": most_moved(first, other, before == right),
        "groups": [
            {"group": name, **group_difference(name, compared["accuracy"], first, other, seed)}
            for name in groups
        ],
    }


def surest(first: Side, other: Side, chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The chosen questions of which the other run is surest, with its answers.

    ``first`` of each holds the first run's answer in the same fields.
    """
    pairs = [(first.rows[i], other.rows[i]) for i in np.flatnonzero(chosen)]
    pairs.sort(key=lambda two: (-two[1]["confidence"], str(two[1]["id"])))
    return [{**mistake(row), "first": mistake(before)} for before, row in pairs[:SHOWN_ITEMS]]


def most_moved(first: Side, other: Side, chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The chosen questions whose right option's probability moved most; ``moved`` says by how much.

    None where the runs record no options.
    """
    if "options" not in first.scored.has:
        return []
    rows = np.arange(len(first.rows))
    before, after = (
        side.scored.probabilities()[rows, side.scored.answer] for side in (first, other)
    )
    moved = after - before
    places = [i for i in np.flatnonzero(chosen) if moved[i] != 0]
    places.sort(key=lambda i: (-abs(moved[i]), str(other.rows[i]["id"])))
    return [
        {
            **mistake(other.rows[i]),
            "first": mistake(first.rows[i]),
            "moved": float(moved[i]),
        }
        for i in places[:SHOWN_ITEMS]
    ]


def groups_of(first: Side) -> list[str]:
    """The groups that are told apart, by name; none where all questions are of one."""
    sizes = Counter(first.scored.group.tolist())
    if len(sizes) < 2:
        return []
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))
    return sorted(largest[:MOST_GROUPS])


def of_groups(
    sides: Sequence[Side], groups: Sequence[str], bins: int, seed: int
) -> list[dict[str, Any]]:
    """The numbers of every run on each group of the first run's questions."""
    return [
        {
            "group": name,
            "runs": [
                {entry: numbers[entry] for entry in OF_GROUP}
                for side in sides
                for numbers in [brief(side.scored.take(place), bins, seed)]
            ],
        }
        for name in groups
        for place in [sides[0].scored.group == name]
    ]


def group_difference(name: str, spec: Spec, first: Side, other: Side, seed: int) -> dict[str, Any]:
    """The difference of accuracy on one group of the first run's questions."""
    place = first.scored.group == name
    return difference(spec, first.scored.take(place), other.scored.take(place), seed)


def same_answer(first: Side, other: Side) -> dict[str, float]:
    """The share of questions with the same prediction, where both runs record predictions."""
    if "prediction" not in first.scored.has:
        return {}
    pairs = zip(first.rows, other.rows, strict=True)
    return {"same_answer": float(np.mean([a["prediction"] == b["prediction"] for a, b in pairs]))}


def difference(spec: Spec, first: Scored, other: Scored, seed: int) -> dict[str, Any]:
    """Other minus first, with its interval and p; where it does not exist, None and the reason."""
    squared = spec.name == "debiased_rmsce"
    label = SQUARED if squared else spec.label
    facts = {"label": label, "convention": spec.convention}
    (a, right_a, *_), (b, right_b, *_) = spec.arrays(other), spec.arrays(first)
    try:
        result = paired_difference(
            spec.function,
            (a, right_a),
            (b, right_b),
            clusters=first.cluster,
            n=RESAMPLES,
            seed=seed,
        )
    except ValueError as reason:
        why = f"not defined here ({reason})"
        return {**dict.fromkeys(("value", "low", "high", "p")), "method": why, **facts}
    return {**asdict(result), **facts}


def tested(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The differences over all questions that have a p."""
    return [d for each in pairs for d in each["differences"].values() if d["p"] is not None]


def correct_for_number(pairs: Sequence[Mapping[str, Any]]) -> None:
    """Add ``holm`` to every difference: its p corrected for all of its family (Holm, 1979)."""
    add_holm(test for each in pairs for test in each["differences"].values())
    add_holm(test for each in pairs for test in each["groups"])
