"""What two runs are shown to have in common, and what parts their Brier scores have.

A large p of no difference shows nothing; these tests show that a difference is within a margin.
Their p are corrected (Holm) for all equivalences of the comparison, a family of their own: they are
claims of another kind than differences, and of one quantity "it differs" and "it differs by less
than the margin" cannot both be false.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from numbers import Real
from typing import Any

from calib.intervals import add_holm
from calib.intervals.decomposition import brier_parts, paired_refinement
from calib.intervals.equivalence import MARGIN, needs_at
from calib.records import InputError
from calib.summary.rows import Scored
from calib.summary.table import Spec

EQUIVALENT = ("gap", "brier", "brier_confidence", "debiased_rmsce")
"""Of the two Brier scores a comparison has one."""
REFINEMENT = "refinement"


LEVELS = 30
"""Of so many tests in a family it is known what each needs; in a family of more, of none."""


def checked_margin(value: Any) -> float:
    """InputError for a margin that is not between 0 and 1: larger differences hardly exist."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) < 1:
        raise InputError(f"margin: expected a number above 0 and below 1, got {value!r}")
    return float(value)


def equivalences(
    first: Scored, other: Scored, table: Sequence[Spec], margin: float = MARGIN
) -> dict[str, Any]:
    """The equivalence test of each quantity, other minus first; without one, None and why."""
    return {
        spec.name: equivalence(spec, first, other, margin)
        for spec in table
        if spec.name in EQUIVALENT
    }


def equivalence(spec: Spec, first: Scored, other: Scored, margin: float = MARGIN) -> dict[str, Any]:
    facts = {"label": spec.label, "convention": spec.convention}
    (a, right_a, *_), (b, right_b, *_) = spec.arrays(other), spec.arrays(first)
    try:
        found, needs = needs_at(
            spec.function,
            (a, right_a),
            (b, right_b),
            tests=LEVELS,
            margin=margin,
            clusters=first.cluster,
        )
    except ValueError as reason:
        return {**NO_TEST, "method": f"not defined here ({reason})", **facts}
    return {**asdict(found), "needs_at": needs, **facts}


NO_TEST = dict.fromkeys(("value", "low", "high", "p", "margin", "needs", "needs_at"))


def parts(scored: Scored, bins: int) -> dict[str, Any] | None:
    """The Brier score of a run's confidence and both its parts; None where they do not exist."""
    try:
        found = brier_parts(scored.confidence, scored.correct, bins=bins, clusters=scored.cluster)
    except ValueError:
        return None
    return asdict(found)


def refinement(first: Scored, other: Scored, bins: int) -> dict[str, Any]:
    """The other run's refinement minus the first's; without a test, None and why."""
    facts = {"label": REFINEMENT}
    sides = ((each.confidence, each.correct) for each in (other, first))
    try:
        found = paired_refinement(*sides, bins=bins, clusters=first.cluster)
    except ValueError as reason:
        why = f"not defined here ({reason})"
        return {**dict.fromkeys(("value", "low", "high", "p")), "method": why, **facts}
    return {**asdict(found), **facts}


def claimed(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The equivalences of all pairs that have a p."""
    return [e for each in pairs for e in each["equivalences"].values() if e["p"] is not None]


def correct_claims(pairs: Sequence[Mapping[str, Any]]) -> None:
    """Add ``holm`` to every equivalence and to every refinement, a family each, and give every
    equivalence what it ``needs`` in its family."""
    family = [test for each in pairs for test in each["equivalences"].values()]
    add_holm(family)
    add_needs(family)
    add_holm(each["refinement"] for each in pairs)


def add_needs(tests: Sequence[dict[str, Any]]) -> None:
    """Set ``needs`` of each of a family of equivalences to the rows at which Holm's rule shows it.

    The rule shows one after another, of k that are left that of the smallest p, where p < 0.05 / k.
    So one needs as many rows as the slowest of those that are shown before it and itself: each if
    there is no difference in it, but those that are found beyond the margin are never shown.
    Earlier results, which know no ``needs_at``, keep what they say.
    """
    family = [test for test in tests if test["p"] is not None and test.get("needs_at")]
    for test in family:
        rows = rows_in(family, test)
        test["needs"] = None if rows == math.inf else int(rows)


def rows_in(family: Sequence[Mapping[str, Any]], one: Mapping[str, Any]) -> float:
    left = [each for each in family if each is one or abs(each["value"]) < each["margin"]]
    away, rows = len(family) - len(left), 0.0
    while True:
        number = len(left) + away
        least, place = min((rows_of(each, number), place) for place, each in enumerate(left))
        rows = max(rows, least)
        if left[place] is one:
            return rows
        del left[place]


def rows_of(test: Mapping[str, Any], number: int) -> float:
    """What a test needs that is corrected for so many; infinity where that is not known."""
    rows = test["needs_at"][number - 1] if number <= len(test["needs_at"]) else None
    return math.inf if rows is None else float(rows)
