"""Is calibration another before and after (C2)? Differences, and equivalence within a margin.

C2 says that there is no significant difference, which a large p does not show. So of each pair of
runs two families are tested: differences of confidence - accuracy and of the calibration error, and
their equivalence within the comparison's margin; p corrected over all pairs of the study (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calib.calibrators.temperature import COLDEST, HOTTEST
from calib.report.formats import listed
from calib.report.significance import shown
from calib.studies.findings.found import (
    AGAINST,
    OPEN,
    SHOWN,
    Column,
    Conclusion,
    Figure,
    Found,
    Table,
    bounds,
    p_of,
)
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign
from calib.summary.equivalence import add_needs

MEASURES = {"gap": "confidence − accuracy", "debiased_rmsce": "squared calibration error"}
DRAWN = 6
"""Comparisons whose diagrams are drawn."""


@dataclass(frozen=True)
class Pair:
    """A run of a comparison against its first, in one of ``MEASURES``."""

    name: str
    measure: str
    n: int
    difference: Test
    equivalence: Test


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    compared = of_kind(outcomes, "compare")
    pairs = pairs_of(compared)
    return Found(
        [conclusion(name, [p for p in pairs if p.name == name]) for name in names(pairs)],
        [differences(pairs), parts(compared)],
        [forest(pairs), *(diagrams(each) for each in compared[:DRAWN])] if pairs else [],
    )


def names(pairs: Sequence[Pair]) -> list[str]:
    return list(dict.fromkeys(pair.name for pair in pairs))


def pairs_of(compared: Sequence[Outcome]) -> list[Pair]:
    """Every pair and measure, each family corrected over all of them."""
    places = [
        (f"{each.task}: {second} − {first}", name, each.results["n"], pair)
        for each in compared
        for first, *others in [each.inputs_named]
        for second, pair in zip(others, each.results["pairs"], strict=True)
        for name in MEASURES
        if name in pair["differences"]
    ]
    different = corrected(pair["differences"][name] for _, name, _, pair in places)
    equal = corrected(pair["equivalences"][name] for _, name, _, pair in places)
    add_needs(equal)
    return [
        Pair(name, measure, n, difference, equivalence)
        for (name, measure, n, _), difference, equivalence in zip(
            places, different, equal, strict=True
        )
    ]


def conclusion(name: str, pairs: Sequence[Pair]) -> Conclusion:
    """Against C2 where a difference is shown, for it where all measures are shown to be equal."""
    differ = [pair for pair in pairs if sign(pair.difference)]
    if differ:
        told = listed([f"{MEASURES[p.measure]} ({said(p.difference)})" for p in differ])
        return Conclusion(name, AGAINST, f"{name}: a difference is shown in {told}.", "C2")
    margin = pairs[0].equivalence["margin"]
    if all(shown(pair.equivalence) for pair in pairs):
        told = f"{name}: calibration is shown to be the same within {margin}."
        return Conclusion(name, SHOWN, told, "C2")
    told = f"{name}: neither a difference nor equivalence within {margin} is shown."
    return Conclusion(name, OPEN, told, "C2")


def differences(pairs: Sequence[Pair]) -> Table:
    columns = [
        Column("pair"),
        Column("of"),
        Column("n", "count"),
        *TESTED,
        Column("p of equivalence, Holm", "p"),
        Column("questions that equivalence needs", "count"),
    ]
    rows = [
        [
            pair.name,
            MEASURES[pair.measure],
            pair.n,
            *cells(pair.difference),
            p_of(pair.equivalence),
            pair.equivalence["needs"],
        ]
        for pair in pairs
    ]
    note = (
        "Later − first, question by question. Equivalence is within the comparison's margin; a "
        "large p of a difference is no evidence of none."
    )
    return Table("differences", "Differences and equivalence", columns, rows, note)


def parts(compared: Sequence[Outcome]) -> Table:
    """Calibration and refinement apart."""
    columns = [
        Column("run"),
        Column("accuracy", "percents"),
        Column("confidence", "percent"),
        Column("ECE", "fixed"),
        Column("if calibrated", "fixed"),
        Column("Brier, of which", "fixed"),
        Column("calibration", "interval"),
        Column("refinement", "interval"),
        Column("temperature", "fixed"),
    ]
    rows = [
        [
            f"{each.task}: {name}",
            bounds(run["metrics"]["accuracy"]),
            run["metrics"]["confidence"]["value"],
            run["metrics"]["ece"]["value"],
            run["metrics"]["ece"].get("expected"),
            run["parts"]["brier"],
            bounds(run["parts"]["calibration"]),
            bounds(run["parts"]["refinement"]),
            inside(run["temperature"]),
        ]
        for each in compared
        for name, run in zip(each.inputs_named, each.results["runs"], strict=True)
    ]
    note = (
        "The Brier score of the confidence is calibration plus refinement: a sharper model is "
        "better in the second, and not in the first."
    )
    return Table("parts", "Every run", columns, rows, note)


def inside(temperature: float | None) -> float | None:
    """A temperature, but none at the ends of what is searched: there no finite one is best."""
    known = temperature is not None and COLDEST < temperature < HOTTEST
    return temperature if known else None


def forest(pairs: Sequence[Pair]) -> Figure:
    rows = [[p.name, *bounds(p.difference)] for p in pairs if p.measure == "gap"]
    return Figure(
        "forest",
        "Change of confidence − accuracy",
        "Points, with 95 % intervals by clusters; right of 0: more confident than before, against "
        "what is right.",
        {"rows": rows, "unit": "points", "zero": 0.0},
    )


def diagrams(compared: Outcome) -> Figure:
    return Figure(
        "diagrams",
        f"Reliability: {compared.task}",
        "Accuracy over confidence; on the diagonal confidence is deserved.",
        {
            "series": [
                {"name": name, "rows": run["diagram"]}
                for name, run in zip(compared.inputs_named, compared.results["runs"], strict=True)
            ]
        },
    )
