"""The tables of a trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from calib.report.blocks import Table
from calib.report.formats import (
    UNKNOWN,
    count,
    fixed,
    gap,
    in_points,
    interval,
    listed,
    percent,
    points,
    pvalue,
)
from calib.report.trajectory_words import MEASURE, names_of

Results = Mapping[str, Any]
COLUMNS: dict[str, tuple[Callable[[float | None], str], str]] = {
    "accuracy": (lambda v: percent(v, 1), "percent"),
    "parse_rate": (lambda v: percent(v, 1), "percent"),
    "confidence": (lambda v: percent(v, 1), "percent"),
    "gap": (gap, "points"),
    "ece": (fixed, "fixed"),
    "debiased_rmsce": (fixed, "fixed"),
    "brier": (fixed, "fixed"),
    "brier_confidence": (fixed, "fixed"),
    "nll": (fixed, "fixed"),
    "entropy": (fixed, "fixed"),
}
"""Columns of the checkpoints, each with its form and that of its interval."""
ANSWERS = ("accuracy", "parse_rate", "confidence", "gap")
ERRORS = ("ece", "debiased_rmsce", "brier", "brier_confidence", "nll", "entropy")
EXPECTED = "if calibrated"


def columns_of(results: Results, wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if name in results["checkpoints"][0]["metrics"]]


def label_of(results: Results, name: str) -> str:
    label = str(results["checkpoints"][0]["metrics"][name]["label"])
    return in_points(label) if name == "gap" else label


def checkpoint_tables(results: Results) -> Iterator[Table]:
    """The values of each measure: of answers and confidence, and of errors and scores."""
    yield Table(
        "checkpoints",
        ["checkpoint", *(label_of(results, name) for name in columns_of(results, ANSWERS)), "T"],
        [
            [
                each["name"],
                *(value_of(each, name) for name in columns_of(results, ANSWERS)),
                temperature(each),
            ]
            for each in results["checkpoints"]
        ],
        f"All on the same {count(results['n'])} questions, {results['order']}. T is fitted to all "
        "of them; above 1 it is over-confident.",
    )
    errors = columns_of(results, ERRORS)
    yield Table(
        "errors",
        ["checkpoint", "ECE", EXPECTED, *(label_of(results, name) for name in errors[1:])],
        [
            [
                each["name"],
                value_of(each, "ece"),
                fixed(each["metrics"]["ece"].get("expected")),
                *(value_of(each, name) for name in errors[1:]),
            ]
            for each in results["checkpoints"]
        ],
        f"“{EXPECTED}” is the ECE if every confidence were deserved. Entropy is in nats, over the "
        "options.",
    )


def value_of(each: Mapping[str, Any], name: str) -> str:
    return COLUMNS[name][0](each["metrics"][name]["value"])


def temperature(each: Mapping[str, Any]) -> str:
    fitted = each["temperature"]
    return UNKNOWN if fitted is None or fitted["degenerate"] else fixed(fitted["value"], 2)


def interval_tables(results: Results) -> Iterator[Table]:
    answers, errors = columns_of(results, ANSWERS), columns_of(results, ERRORS)[1:]
    each = results["checkpoints"]
    yield Table(
        "intervals",
        ["checkpoint", *(label_of(results, name) for name in answers), "T"],
        [[one["name"], *bounds_of(one, answers), temperature_bounds(one)] for one in each],
    )
    yield Table(
        "error-intervals",
        ["checkpoint", *(label_of(results, name) for name in errors)],
        [[one["name"], *bounds_of(one, errors)] for one in each],
        "95 % intervals, each for itself. ECE has none; the debiased error has.",
    )


def bounds_of(each: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        entry, form = each["metrics"][name], COLUMNS[name][1]
        yield interval(entry["low"], entry["high"], form, 1 if form == "percent" else 3)


def temperature_bounds(each: Mapping[str, Any]) -> str:
    fitted = each["temperature"]
    if fitted is None or fitted["degenerate"]:
        return UNKNOWN
    return interval(fitted["low"], fitted["high"], digits=2)


def change_table(results: Results) -> Table:
    names = names_of(results)
    rows = []
    for name, each in results["changes"].items():
        shares = name != "brier_confidence"
        value = points(each["value"]) if shares else fixed(each["value"])
        bounds = interval(each["low"], each["high"], "points" if shares else "fixed")
        where = listed([names[k - 1] for k in each["splits"]]) if each["splits"] else "none"
        label = in_points(each["label"]) if shares else each["label"]
        p = pvalue(each["p"], at_most=each["p"] <= each["least_p"])
        rows.append(
            [label, names[each["after"] - 1], value, bounds, p, pvalue(each["holm"]), where]
        )
    head = ["measure", "changes after", "mean after − before", "95 %", "p", "p, Holm"]
    return Table("changes", [*head, "not excluded as the only change"], rows, prose=(6,))


def best_table(results: Results) -> Table:
    """Each checkpoint's loss and the p of its being worse than another, of each measure."""
    best = results["best"]
    rows = [
        [name, *(cell for each in best.values() for cell in of_one(each, place))]
        for place, name in enumerate(names_of(results))
    ]
    head = [cell for name in best for cell in (MEASURE[name], f"{MEASURE[name]}, p")]
    return Table("best", ["checkpoint", *head], rows)


def of_one(best: Mapping[str, Any], place: int) -> Iterator[str]:
    """A checkpoint's value and p; of the lowest there is no p, as none has a smaller value."""
    yield fixed(best["values"][place])
    p = best["p"][place]
    yield "lowest" if place == best["lowest"] else pvalue(p, at_most=p <= best["least_p"])


def end_table(results: Results) -> Table:
    rows = []
    for name, each in results["ends"].items():
        shares = name in ("accuracy", "gap")
        value = points(each["value"]) if shares else fixed(each["value"])
        bounds = interval(each["low"], each["high"], "points" if shares else "fixed")
        label = in_points(each["label"]) if shares else each["label"]
        rows.append([label, value, bounds, pvalue(each["p"]), pvalue(each["holm"])])
    return Table("ends", ["measure", "last − first", "95 %", "p", "p, Holm"], rows)
