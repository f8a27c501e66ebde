"""The tables of a study of images against text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.modalities.pictures import ABSENT, CLEAN
from calib.report.blocks import Table
from calib.report.comparison_tables import TESTED, tested
from calib.report.formats import count, fixed, gap, in_points, percent

Results = Mapping[str, Any]
NAMES = {"text": "text only", "image": "image only"}
MEASURED = (
    "n",
    "accuracy",
    "confidence",
    "confidence − accuracy",
    "entropy",
    "mass",
    "ECE",
    "if calibrated",
    "Brier",
)


def named(arm: str) -> str:
    """An arm as a page calls it."""
    return NAMES.get(arm, arm)


def arms_of(results: Results) -> list[tuple[str, Mapping[str, Any]]]:
    """Each arm with its cell."""
    cells = {cell["name"]: cell for cell in results["cells"]}
    return [(arm, cells[name]) for arm, name in results["arms"].items()]


def measured_head(results: Results) -> list[str]:
    head = [in_points(name) if name.startswith("confidence −") else name for name in MEASURED]
    return [*head, *(["semantic entropy"] if results["samples"] else [])]


def measured_cells(cell: Mapping[str, Any], samples: int) -> list[str]:
    """The cells of ``measured_head``."""
    metrics = cell["metrics"]

    def value(name: str) -> float | None:
        found: float | None = metrics[name]["value"]
        return found

    return [
        count(metrics["accuracy"]["n"]),
        percent(value("accuracy"), 1),
        percent(value("confidence"), 1),
        gap(value("gap")),
        fixed(value("entropy")),
        percent(value("mass"), 1),
        fixed(value("ece")),
        fixed(metrics["ece"].get("expected")),
        fixed(value("brier")),
        *([fixed(value("semantic_entropy"))] if samples else []),
    ]


def arm_table(results: Results) -> Table:
    return Table(
        "arms",
        ["arm", *measured_head(results)],
        [[named(arm), *measured_cells(c, results["samples"])] for arm, c in arms_of(results)],
        note(results),
    )


def cell_table(results: Results) -> Table:
    """The cells of the grid, and those without a picture, which stand for comparison."""
    return Table(
        "cells",
        ["noise", "sentences", *measured_head(results)],
        [
            [
                noise_name(cell["shown"]),
                count(cell["sentences"]),
                *measured_cells(cell, results["samples"]),
            ]
            for cell in in_grid(results)
        ],
        note(results),
    )


def in_grid(results: Results) -> list[Mapping[str, Any]]:
    """The cells without a picture and of each level, by their number of sentences."""
    rows = [ABSENT, CLEAN, *(level for level in results["levels"] if level != CLEAN)]
    found = [cell for cell in results["cells"] if cell["shown"] in rows]
    return sorted(found, key=lambda cell: (rows.index(cell["shown"]), cell["sentences"]))


def same(results: Results) -> str:
    """Which samples mean the same; a study of an earlier version took normalised texts."""
    equivalence = results.get("equivalence")
    if equivalence is None:
        return "texts the same when normalised"
    return f"two the same where {equivalence['rule']}"


def note(results: Results) -> str:
    said = (
        f"ECE in {results['bins']} bins of equal width, and what it would be on average if every "
        "confidence were deserved. Entropy: over the options, in nats. Mass: probability of all "
        "options together."
    )
    if results["samples"]:
        said += (
            f" Semantic entropy: of {results['samples']} samples, discrete, {same(results)}, in "
            "nats."
        )
    return said


def noise_name(shown: str | int) -> str:
    return "no picture" if shown == ABSENT else str(shown)


def test_table(results: Results) -> Table:
    return Table(
        "tests",
        ["of the same questions", *TESTED],
        [[test["label"], *tested(test["measure"], test)] for test in results["tests"]],
    )


def arm_lines(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A head and a row for each arm, for a terminal of 80 columns."""
    head = ("arm", "accuracy", "confidence", "entropy", "mass", "ECE", "Brier")
    rows = []
    for arm, cell in arms_of(results):
        cells = measured_cells(cell, 0)
        rows.append((named(arm), *(str(cells[k]) for k in (1, 2, 4, 5, 6, 8))))
    return head, rows


def test_lines(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A head and a row for each test, for a terminal of 80 columns."""
    rows: list[tuple[str, ...]] = []
    for test in results["tests"]:
        value, p, between, _ = tested(test["measure"], test)
        of = test["label"].rpartition(", ")[0].replace("no description", "k = 0")
        rows.append((str(test["measure"]), of, str(value), str(between), str(p)))
    return ("measure", "of", "difference", "95 %", "p"), rows
