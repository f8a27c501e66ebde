"""When does calibration change along a training run, and where may training stop for it?

Changes are those of each trajectory: the largest studentised shift of confidence - accuracy, of the
Brier score of the confidence and of accuracy; p corrected over all trajectories (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.formats import listed
from calib.report.significance import shown
from calib.studies.findings.found import (
    OPEN,
    SHOWN,
    Column,
    Conclusion,
    Figure,
    Found,
    Table,
    bounds,
)
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    followed = of_kind(outcomes, "trajectory")
    tests = corrected(
        {**change, "of": each.name, "measure": name}
        for each in followed
        for name, change in (each.results["changes"] or {}).items()
    )
    return Found(
        [*map(conclusion, tests), *(stop for each in followed for stop in stops(each))],
        [changes(tests), *map(table, followed)],
        [curves(each) for each in followed],
        [f"{each.name}: {why}" for each in followed if (why := each.results["untested"])],
    )


def conclusion(test: Test) -> Conclusion:
    name = f"{test['of']}: {test['label']}"
    if not shown(test):
        return Conclusion(name, OPEN, f"{name}: no change is shown.")
    way = "rises" if test["value"] > 0 else "falls"
    told = f"{name} {way} between {test['before']} and {test['first']} ({said(test)})."
    return Conclusion(f"{name} {way}", SHOWN, told)


def stops(each: Outcome) -> list[Conclusion]:
    """The earliest checkpoint that is not shown to be worse than the best, by each measure."""
    found = []
    for best in each.results["best"].values():
        told = (
            f"{each.name}: {best['lowest_name']} has the lowest {best['label']}; not shown to be "
            f"worse: {listed(best['kept_names'])}; the earliest is {best['earliest_name']}."
        )
        about = f"{each.name}: {best['label']}, earliest {best['earliest_name']}"
        found.append(Conclusion(about, OPEN, told))
    return found


def changes(tests: Sequence[Test]) -> Table:
    return Table(
        "changes",
        "Where it changes most",
        [Column("run"), Column("of"), Column("before"), Column("after"), *TESTED],
        [[t["of"], t["label"], t["before"], t["first"], *cells(t)] for t in tests],
        "The difference of the means behind and before the place; intervals hold for all places at "
        "once.",
    )


MEASURES = {
    "accuracy": "percents",
    "confidence": "percents",
    "gap": "points",
    "ece": "fixed",
    "debiased_rmsce": "interval",
    "brier": "interval",
    "nll": "interval",
    "parse_rate": "percents",
}


def table(each: Outcome) -> Table:
    checkpoints = each.results["checkpoints"]
    known = [name for name in MEASURES if name in checkpoints[0]["metrics"]]
    columns = [Column("checkpoint"), Column("step", "count")]
    for name in known:
        columns.append(Column(checkpoints[0]["metrics"][name]["label"], MEASURES[name]))
    rows = []
    for checkpoint in checkpoints:
        metrics = checkpoint["metrics"]
        rows.append(
            [
                checkpoint["name"],
                checkpoint["step"],
                *(
                    metrics[name]["value"]
                    if MEASURES[name] in ("points", "fixed")
                    else bounds(metrics[name])
                    for name in known
                ),
            ]
        )
    return Table(f"checkpoints-{each.name}", f"Every checkpoint: {each.name}", columns, rows)


def curves(each: Outcome) -> Figure:
    checkpoints = each.results["checkpoints"]
    steps = [c["step"] for c in checkpoints]
    known = None not in steps
    gaps = [c["metrics"]["gap"] for c in checkpoints]
    return Figure(
        "curves",
        f"Confidence − accuracy along the training: {each.name}",
        "With 95 % intervals by clusters; at 0 confidence is deserved on average.",
        {
            "series": [
                {
                    "name": "confidence − accuracy",
                    "x": steps if known else list(range(1, len(steps) + 1)),
                    "y": [gap["value"] for gap in gaps],
                    "low": [gap["low"] for gap in gaps],
                    "high": [gap["high"] for gap in gaps],
                }
            ],
            "x": "step" if known else "checkpoint",
            "y": "points",
            "unit": "points",
        },
    )
