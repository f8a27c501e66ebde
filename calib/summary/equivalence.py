"""What two runs are shown to have in common, and what parts their Brier scores have.

A large p of no difference shows nothing; these tests show that a difference is within a margin.
Their p are corrected (Holm) for all equivalences of the comparison, a family of their own: they are
claims of another kind than differences, and of one quantity "it differs" and "it differs by less
than the margin" cannot both be false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from numbers import Real
from typing import Any

from calib.intervals import add_holm, paired_equivalence
from calib.intervals.decomposition import brier_parts, paired_refinement
from calib.intervals.equivalence import MARGIN
from calib.records import InputError
from calib.summary.rows import Scored
from calib.summary.table import Spec

EQUIVALENT = ("gap", "brier", "brier_confidence", "debiased_rmsce")
"""Of the two Brier scores a comparison has one."""
REFINEMENT = "refinement"


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
        found = paired_equivalence(
            spec.function, (a, right_a), (b, right_b), margin=margin, clusters=first.cluster
        )
    except ValueError as reason:
        return {**NO_TEST, "method": f"not defined here ({reason})", **facts}
    return {**asdict(found), **facts}


NO_TEST = dict.fromkeys(("value", "low", "high", "p", "margin", "needs"))


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
    """Add ``holm`` to every equivalence and to every refinement, a family each."""
    add_holm(test for each in pairs for test in each["equivalences"].values())
    add_holm(each["refinement"] for each in pairs)
