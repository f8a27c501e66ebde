"""The tables of a matrix of transfer: no cell holds two numbers but an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.report.blocks import Table
from calib.report.comparison_names import label_of, whole_of
from calib.report.comparison_tables import differing_table
from calib.report.formats import UNKNOWN, Shown, count, fixed, interval, percent
from calib.report.plots.transfer import COLOURS, NOT_SHOWN
from calib.report.ranking import difference, signed
from calib.report.significance import p_of
from calib.report.transfer_words import Cell, Results, mark_of, verdict_of


def matrix_table(results: Results) -> Table:
    """The change of the error, a row for each run that it was made on."""
    columns = [each["name"] for each in results["judged"]]
    rows = list(dict.fromkeys(cell["fitted"] for cell in results["cells"]))
    by_pair = {(cell["fitted"], cell["judged"]): cell for cell in results["cells"]}
    return Table(
        "transfer",
        [results["made"], *map(label_of, columns)],
        [
            [label_of(row), *(changed(by_pair.get((row, column))) for column in columns)]
            for row in rows
        ],
        "The error after minus the error as it is, of the run in the column's head.",
    )


def changed(cell: Cell | None) -> str:
    if cell is None or not cell["tests"]:
        return UNKNOWN
    test, mark = cell["tests"]["measure"], verdict_of(cell)
    text = signed(test["value"])
    return Shown(text if mark == NOT_SHOWN else f"{mark} {text}", test["value"], COLOURS[mark])


def judged_cells(results: Results) -> list[Cell]:
    return [cell for cell in results["cells"] if cell["after"] is not None]


def cell_table(results: Results) -> Table:
    """Before, after and the test of every pair, grouped by the run that is judged."""
    cells = judged_cells(results)
    answers = any("accuracy" in cell["tests"] for cell in cells)
    head = ["judged on", results["made"], "as it is", "after", "difference", "p, Holm"]
    head += ["95 % interval", "ECE as it is", "ECE after"]
    if answers:
        head += ["right as it is", "right after", "p of that, Holm"]
    return Table(
        "cells",
        [*head, "how"],
        [[*cell_row(cell), *(answer_cells(cell) if answers else ()), how(cell)] for cell in cells],
        prose=(len(head),),
    )


def cell_row(cell: Cell) -> list[str]:
    test, before, after = cell["tests"]["measure"], cell["before"], cell["after"]
    return [
        label_of(cell["judged"]),
        label_of(cell["fitted"]),
        fixed(before["value"], 4),
        fixed(after["value"], 4),
        Shown(signed(test["value"]), test["value"], COLOURS[mark_of(cell)]),
        p_of(test, relation=False),
        interval(test["low"], test["high"], digits=4),
        fixed(before["ece"]),
        fixed(after["ece"]),
    ]


def answer_cells(cell: Cell) -> list[str]:
    """Accuracy before and after, and p where an answer changed."""
    test = cell["tests"].get("accuracy")
    return [
        percent(cell["before"]["accuracy"], 1),
        percent(cell["after"]["accuracy"], 1),
        UNKNOWN if test is None else p_of(test, relation=False),
    ]


def how(cell: Cell) -> str:
    return f"{cell['how']} ({count(cell['shared'])} shared)" if cell["shared"] else cell["how"]


def loss_table(results: Results) -> Table:
    cells = [cell for cell in judged_cells(results) if cell["loss"] is not None]
    own = {each["name"]: each["own"] for each in results["judged"]}
    return Table(
        "loss",
        ["judged on", results["made"], "its own", "this one", "loss", "p, Holm", "95 % interval"],
        [
            [
                label_of(cell["judged"]),
                label_of(cell["fitted"]),
                fixed(own[cell["judged"]], 4),
                fixed(cell["after"]["value"], 4),
                signed(cell["loss"]["value"]),
                p_of(cell["loss"], relation=False),
                interval(cell["loss"]["low"], cell["loss"]["high"], digits=4),
            ]
            for cell in cells
        ],
    )


def fit_table(results: Results) -> Table | None:
    """The temperatures with their intervals, or what else was fitted in words; None of neither."""
    fits: Sequence[Mapping[str, Any]] = results["fitted"]
    if any(each.get("temperature") for each in fits):
        return Table(
            "fits",
            ["fitted on", "questions", "T", "95 % interval"],
            [
                [label_of(each["name"]), count(each["n"]), *temperature_cells(each["temperature"])]
                for each in fits
            ],
            reasons(fits),
        )
    if any(each.get("words") for each in fits):
        return Table(
            "fits",
            ["fitted on", "questions", "fit"],
            [
                [label_of(each["name"]), count(each["n"]), "; ".join(each.get("words") or ("–",))]
                for each in fits
            ],
            prose=(2,),
        )
    return None


def temperature_cells(temperature: Mapping[str, Any] | None) -> list[str]:
    if temperature is None:
        return [UNKNOWN, UNKNOWN]
    return [
        fixed(temperature["value"]),
        interval(temperature["low"], temperature["high"]),
    ]


def reasons(fits: Sequence[Mapping[str, Any]]) -> str:
    """Why a temperature was set and not solved for."""
    return " ".join(
        f"{label_of(each['name'])}: {each['temperature']['reason']}."
        for each in fits
        if each["temperature"] and each["temperature"]["reason"]
    )


def unjudged_table(results: Results) -> Table | None:
    rows = [
        [label_of(cell["judged"]), label_of(cell["fitted"]), cell["why"]]
        for cell in results["cells"]
        if cell["after"] is None
    ]
    if not rows:
        return None
    return Table("unjudged", ["judged on", results["made"], "why not"], rows, prose=(2,))


def fact_table(results: Results) -> Table | None:
    """What differs between the runs' configurations, a column a run; None where nothing does."""
    names = [each["name"] for each in results["judged"]]
    paths = results.get("paths", {})
    facts = [
        {**({"folder": paths[whole]} if whole in paths else {}), **results["facts"][whole]}
        for whole in map(whole_of, names)
    ]
    table = differing_table([label_of(name) for name in names], facts)
    return table if table.rows else None


def printed_cells(cells: Sequence[Cell], names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A line for a terminal for each cell: made on, judged on, the difference and its p."""
    return [
        (
            names[cell["fitted"]],
            names[cell["judged"]],
            difference(cell["tests"]["measure"]),
            f"{p_of(cell['tests']['measure'], relation=False)} {verdict_of(cell)}",
        )
        for cell in cells
    ]
