"""When does calibration change along a training run, and where may training stop for it?

Changes are those of each trajectory: the largest studentised shift of confidence - accuracy, of the
Brier score of the confidence and of accuracy; p corrected over all trajectories (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.trajectory_words import best_line, change_line, names_of
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
from calib.studies.findings.tests import TESTED, Test, cells, corrected, sign


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    followed = of_kind(outcomes, "trajectory")
    tests = corrected(
        {**change, "of": each.name, "measure": name, "results": named(each)}
        for each in followed
        for name, change in (each.results["changes"] or {}).items()
    )
    return Found(
        [*map(conclusion, tests), *(stop for each in followed for stop in stops(each))],
        [changes(tests), *map(table, followed)],
        [curves(each) for each in followed],
        [f"{each.name}: {why}" for each in followed if (why := each.results["untested"])],
    )


def named(each: Outcome) -> dict[str, Any]:
    """The results, each checkpoint by the study's name of its model."""
    rows = each.results["checkpoints"]
    names = each.inputs_named if len(each.inputs_named) == len(rows) else [r["name"] for r in rows]
    return {
        **each.results,
        "checkpoints": [{**row, "name": name} for row, name in zip(rows, names, strict=True)],
    }


def conclusion(test: Test) -> Conclusion:
    found = sign(test)
    way = {1: "rises", -1: "falls", 0: OPEN}[found]
    said = change_line(test["measure"], test, test["results"])
    about = f"{test['of']}: {test['label']} {way}"
    return Conclusion(about, SHOWN if found else OPEN, f"{test['of']}: {said}")


def stops(each: Outcome) -> list[Conclusion]:
    """The earliest checkpoint that is not shown to be worse than the best, by each measure."""
    found = []
    results = named(each)
    for measure, best in results["best"].items():
        names = names_of(results)
        about = f"{each.name}: {best['label']}, earliest {names[best['kept'][0]]}"
        told = f"{each.name}: {best_line(measure, best, names)}."
        found.append(Conclusion(about, OPEN, told))
    return found


def changes(tests: Sequence[Test]) -> Table:
    return Table(
        "changes",
        "Where it changes most",
        [Column("run"), Column("of"), Column("after"), Column("not excluded after"), *TESTED],
        [[t["of"], t["label"], *places(t), *cells(t)] for t in tests],
        "The place where the shift is largest for its error; the difference is that of the means "
        "behind and before it, and its interval holds for all places at once. Where every place is "
        "excluded, there is more than one change.",
    )


def places(test: Test) -> list[str]:
    """The checkpoint before the change, and all after which a single one is not excluded."""
    names = names_of(test["results"])
    splits = test["splits"] or []
    return [names[test["after"] - 1], ", ".join(names[split - 1] for split in splits)]


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
    checkpoints = named(each)["checkpoints"]
    known = [name for name in MEASURES if name in checkpoints[0]["metrics"]]
    stepped = any(checkpoint["step"] is not None for checkpoint in checkpoints)
    columns = [Column("checkpoint"), *([Column("step", "count")] if stepped else [])]
    for name in known:
        columns.append(Column(checkpoints[0]["metrics"][name]["label"], MEASURES[name]))
    rows = []
    for checkpoint in checkpoints:
        metrics = checkpoint["metrics"]
        rows.append(
            [
                checkpoint["name"],
                *([checkpoint["step"]] if stepped else []),
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
