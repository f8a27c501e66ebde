"""One table over all scored runs: are their confidences deserved (C1), and at which temperature?

Whether a run is miscalibrated is decided by its ECE against perfect calibration, whose p is
corrected for the number of runs (Holm); the sign is that of confidence - accuracy where its
interval leaves out 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.intervals import add_holm
from calib.studies.findings.found import (
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
from calib.studies.findings.outcome import SCORED, Outcome, of_kind
from calib.studies.options import listed

LEVEL = 0.05


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    runs = of_kind(outcomes, *SCORED)
    tests = tested(runs)
    families = {run.name: family(run, options.get("families") or {}) for run in runs}
    return Found(
        conclusions(runs, tests),
        [table(runs, tests, families)],
        [gaps(runs)] if runs else [],
        cautions(runs),
    )


def family(run: Outcome, families: Mapping[str, Any]) -> str:
    """What kind of model the run is of, as the study says: a name for the steps or models in it."""
    parts = run.job.name.split("/")
    return next((name for name, steps in families.items() if {*parts[:2]} & set(listed(steps))), "")


def tested(runs: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Of each run the test of its ECE, corrected for the number of runs."""
    tests = [dict(run.results["metrics"]["ece"]) for run in runs]
    add_holm(tests)
    return tests


def miscalibrated(test: Mapping[str, Any]) -> bool:
    return test["p"] is not None and test["holm"] < LEVEL


def direction(run: Outcome, test: Mapping[str, Any]) -> str:
    """What the run is shown to be, in a word or two; "" where nothing is shown."""
    if not miscalibrated(test):
        return ""
    gap = run.results["metrics"]["gap"]
    if gap["low"] is not None and gap["low"] > 0:
        return "over-confident"
    return "under-confident" if gap["high"] is not None and gap["high"] < 0 else "miscalibrated"


def conclusions(runs: Sequence[Outcome], tests: Sequence[Mapping[str, Any]]) -> list[Conclusion]:
    said = []
    for run, test in zip(runs, tests, strict=True):
        way = direction(run, test)
        told = f"is shown to be {way}" if way else "is not shown to be miscalibrated"
        verdict = SHOWN if way else OPEN
        said.append(Conclusion(f"{run.name}: {way or OPEN}", verdict, f"{run.name} {told}.", "C1"))
    return said


def table(
    runs: Sequence[Outcome], tests: Sequence[Mapping[str, Any]], families: Mapping[str, str]
) -> Table:
    named = any(families.values())
    columns = [
        *([Column("family")] if named else []),
        Column("run"),
        Column("n", "count"),
        Column("accuracy", "percents"),
        Column("mean confidence", "percent"),
        Column("confidence − accuracy, points", "points"),
        Column("ECE", "fixed"),
        Column("if calibrated", "fixed"),
        Column("p, Holm", "p"),
        Column("Brier", "interval"),
        Column("temperature", "interval"),
    ]
    return Table(
        "runs",
        "All runs",
        columns,
        [
            [*([families[run.name]] if named else []), *row(run, test)]
            for run, test in zip(runs, tests, strict=True)
        ],
        "p: of perfect calibration, corrected for the number of runs. The temperature is fitted on "
        "one half of the questions; a dash where none is best. Brier: over all options.",
    )


def row(run: Outcome, test: Mapping[str, Any]) -> list[Any]:
    metrics, fitted = run.results["metrics"], run.results["temperature"]
    return [
        run.name,
        metrics["accuracy"]["n"],
        bounds(metrics["accuracy"]),
        metrics["confidence"]["value"],
        metrics["gap"]["value"],
        test["value"],
        test.get("expected"),
        p_of(test),
        bounds(metrics["brier"]) if "brier" in metrics else [None, None, None],
        bounds(fitted) if fitted and not fitted["degenerate"] else [None, None, None],
    ]


def gaps(runs: Sequence[Outcome]) -> Figure:
    return Figure(
        "forest",
        "Confidence − accuracy",
        "In points, with 95 % intervals by clusters; right of 0: over-confident.",
        {
            "rows": [[run.name, *bounds(run.results["metrics"]["gap"])] for run in runs],
            "unit": "points",
            "zero": 0.0,
        },
    )


def cautions(runs: Sequence[Outcome]) -> list[str]:
    few = [run.name for run in runs if run.results["metrics"]["accuracy"]["n"] < 200]
    if not few:
        return []
    return [f"Fewer than 200 questions: {', '.join(few)}; little can be shown of so few."]
