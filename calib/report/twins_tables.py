"""The tables of a page of twins: no cell holds two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.blocks import Table
from calib.report.formats import UNKNOWN, count, in_points, interval, percent, points, pvalue
from calib.report.twins_words import about, limit
from calib.twin_sets.measures import RATES

Results = Mapping[str, Any]


def rate_table(results: Results) -> Table:
    """A row a way; columns in which no way has a number are left out."""
    names = names_of(results)
    return Table(
        "rates",
        ["way", "pairs", *(RATES[name] for name in names)],
        [
            [row["how"], count(row["pairs"]), *(cell(row, name) for name in names)]
            for row in results["ways"]
        ],
        "Of all pairs of a way. Dual accuracy: the question is answered right and its twin is "
        "abstained from."
        + (f" Mass: the mean share of “{results['idk']}” among the options." * ("mass" in names))
        + "".join(
            f" By {row['how']} there is none: {count(row['without_mass'])} of "
            f"{count(row['pairs'])} pairs have no options."
            for row in results["ways"]
            if "mass" in names and row.get("without_mass")
        ),
    )


def names_of(results: Results) -> list[str]:
    return [name for name in RATES if any(name in row["rates"] for row in results["ways"])]


def cell(row: Mapping[str, Any], name: str) -> str:
    return percent(row["rates"][name]["value"], 1) if name in row["rates"] else UNKNOWN


def interval_table(results: Results) -> Table:
    return Table(
        "intervals",
        ["way, rate", "value", "95 % interval", "pairs", "how"],
        [
            [
                f"{row['how']}, {RATES[name]}",
                percent(rate["value"], 1),
                interval(rate["low"], rate["high"], "percent", 1),
                count(rate["n"]),
                rate["method"],
            ]
            for row in results["ways"]
            for name, rate in row["rates"].items()
        ],
        prose=(4,),
    )


def test_table(results: Results) -> Table:
    return Table(
        "tests",
        [in_points("way, twin − question"), "difference", "p, Holm", "95 % interval", "p"],
        [
            [
                f"{test['how']}, {measured(test)}",
                points(test["value"]),
                pvalue(test["holm"], at_most=at_most(test)),
                interval(test["low"], test["high"], "points"),
                pvalue(test["p"], at_most=at_most(test)),
            ]
            for test in results["tests"]
        ],
    )


def at_most(test: Mapping[str, Any]) -> bool:
    return test["p"] is not None and bool(test["p"] <= test["least_p"])


def measured(test: Mapping[str, Any]) -> str:
    return {"abstention": "abstains", "mass": "mass"}[test["measure"]]


def way_table(results: Results) -> Table:
    return Table(
        "ways",
        ["way", "the twin has", "what this does not make sure of"],
        [[row["how"], about(row["how"]), limit(row["how"])] for row in results["ways"]],
        prose=(1, 2),
    )


def made_table(made: Mapping[str, Any]) -> Table:
    """How many questions have no twin, by way and reason."""
    return Table(
        "made",
        ["way", "questions", "why they have no twin", "the first"],
        [
            [way, count(len(ids)), reason, ", ".join(ids[:3])]
            for way, reasons in made["without"].items()
            for reason, ids in reasons.items()
        ],
        f"Of {count(made['questions'])} questions of {made['task']}.",
        prose=(2, 3),
    )


Printed = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]


def printed_rates(results: Results) -> Printed:
    """A head and a row for each way, for a terminal of 80 columns."""
    heads = {
        "dual": "dual",
        "accuracy": "right",
        "abstains_twin": "abstains: twin",
        "abstains": "question",
        "mass_twin": "mass: twin",
        "mass": "question",
    }
    names = names_of(results)
    return (
        ("way", "pairs", *(heads[name] for name in names)),
        [
            (row["how"], count(row["pairs"]), *(cell(row, name) for name in names))
            for row in results["ways"]
        ],
    )


def printed_tests(results: Results) -> Printed:
    rows = [tuple(map(str, row[:4])) for row in test_table(results).rows]
    return ("twin − question, points", "difference", "p, Holm", "95 %"), rows
