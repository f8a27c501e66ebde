"""Is a model more uncertain of images than of text, and least of both (C3)?

The contrasts are those of each modality study, in confidence and in option entropy; p is corrected
over all contrasts of all models (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.studies.findings.found import Column, Conclusion, Figure, Found, Table, bounds
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign, verdict

CLAIMED = {"image-text": -1, "both-image": 1, "both-text": 1}
"""The sign of a difference of confidence that C3 claims; of entropy it is the other."""
TOLD = {
    "image-text": "the picture alone than of the description alone",
    "both-image": "both than of the picture alone",
    "both-text": "both than of the description alone",
}


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    studies = of_kind(outcomes, "modality")
    tests = corrected(
        {**test, "of": each.name} for each in studies for test in each.results["tests"]
    )
    return Found(
        [conclusion(test) for test in tests if test["name"] in CLAIMED],
        [table(tests), *map(arms, studies), *map(grid, studies)],
        [forest(tests), *(f for each in studies for f in figures(each))] if studies else [],
    )


def conclusion(test: Test) -> Conclusion:
    name, measure = test["name"], test["measure"]
    claimed = CLAIMED[name] * (1 if measure == "confidence" else -1)
    found = sign(test)
    surer = found * (1 if measure == "confidence" else -1)
    by = f"by its {measure}"
    if surer:
        more = "surer" if surer > 0 else "less sure"
        told = f"{test['of']} is {more} of {TOLD[name]}, {by} ({said(test)})."
    else:
        told = f"{test['of']} is not shown to be surer or less sure of {TOLD[name]}, {by}."
    return Conclusion(f"{test['of']}: {name}, {measure}", verdict(found, claimed), told, "C3")


def table(tests: Sequence[Test]) -> Table:
    return Table(
        "contrasts",
        "What is compared, question by question",
        [Column("study"), Column("contrast"), *TESTED],
        [[test["of"], test["label"], *cells(test)] for test in tests],
        "Confidence as a share of 1, entropy in nats. The interaction is what the picture adds "
        "beside the description, less what it adds alone.",
    )


CELL = [
    Column("n", "count"),
    Column("accuracy", "percents"),
    Column("confidence", "percents"),
    Column("entropy, nats", "interval"),
    Column("mass", "percent"),
    Column("ECE", "fixed"),
    Column("if calibrated", "fixed"),
    Column("semantic entropy, nats", "interval"),
]


def measured(cell: Mapping[str, Any]) -> list[Any]:
    """The values of ``CELL``."""
    metrics = cell["metrics"]
    semantic = metrics.get("semantic_entropy")
    return [
        metrics["accuracy"]["n"],
        bounds(metrics["accuracy"]),
        bounds(metrics["confidence"]),
        bounds(metrics["entropy"]),
        metrics["mass"]["value"],
        metrics["ece"]["value"],
        metrics["ece"].get("expected"),
        bounds(semantic) if semantic else [None, None, None],
    ]


def arms(study: Outcome) -> Table:
    by_name = {cell["name"]: cell for cell in study.results["cells"]}
    rows = [[arm, *measured(by_name[name])] for arm, name in study.results["arms"].items()]
    return Table(f"arms-{study.name}", f"Arms: {study.name}", [Column("arm"), *CELL], rows)


def grid(study: Outcome) -> Table:
    rows = [
        [str(cell["shown"]), cell["sentences"], *measured(cell)] for cell in study.results["cells"]
    ]
    columns = [Column("picture"), Column("sentences", "count"), *CELL]
    return Table(f"cells-{study.name}", f"Every cell: {study.name}", columns, rows)


def forest(tests: Sequence[Test]) -> Figure:
    rows = [
        [f"{test['of']}: {test['label'].removesuffix(', confidence')}", *bounds(test)]
        for test in tests
        if test["measure"] == "confidence"
    ]
    return Figure(
        "forest",
        "Differences of confidence",
        "Points, with 95 % intervals by clusters; right of 0: the first is surer.",
        {"rows": rows, "unit": "points", "zero": 0.0},
    )


def figures(study: Outcome) -> list[Figure]:
    """Confidence by noise and sentences, as a map and as curves."""
    levels = study.results["levels"]
    if not levels:
        return []
    cells = {(cell["shown"], cell["sentences"]): cell for cell in study.results["cells"]}
    sentences = range(study.results["sentences"] + 1)

    def at(level: Any, k: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = cells["none" if level == "none" else level, k]["metrics"]
        return found

    return [
        Figure(
            "matrix",
            f"Mean confidence: {study.name}",
            "Rows: noise over the picture. Columns: sentences of its description.",
            {
                "rows": [f"noise {level}" for level in levels],
                "columns": [f"{k} sentences" for k in sentences],
                "values": [
                    [at(level, k)["confidence"]["value"] for k in sentences] for level in levels
                ],
                "digits": 2,
                "signed": False,
            },
        ),
        Figure(
            "curves",
            f"Entropy over noise: {study.name}",
            "Option entropy in nats, with 95 % intervals; a line for each number of sentences.",
            {
                "series": [
                    {
                        "name": f"{k} sentences",
                        "x": [0 if level == "none" else level for level in levels],
                        **curve([at(level, k)["entropy"] for level in levels]),
                    }
                    for k in sentences
                ],
                "x": "noise, step of diffusion",
                "y": "entropy, nats",
                "unit": "fixed",
            },
        ),
    ]


def curve(intervals: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        "y": [each["value"] for each in intervals],
        "low": [each["low"] for each in intervals],
        "high": [each["high"] for each in intervals],
    }
