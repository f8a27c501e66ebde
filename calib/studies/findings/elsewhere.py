"""Do remedies hold on other data (C6)? Calibrators carried from run to run, wordings to other
tasks.

A cell of a transfer is judged by the NLL of the answer's confidence, after - before; p is corrected
over all cells off the diagonal of all transfers (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.studies.findings.found import Column, Conclusion, Figure, Found, Table, bounds
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign, verdict


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    moved = of_kind(outcomes, "transfer")
    tests = corrected(test for each in moved for test in carried(each))
    reasons = [
        f"{called(each)[cell['fitted']]} to {called(each)[cell['judged']]}: {cell['why']}"
        for each in moved
        for cell in each.results["cells"]
        if cell["why"] is not None
    ]
    return Found(
        [conclusion(test) for test in tests],
        [table(tests), fitted(moved)],
        [matrix(each) for each in moved],
        reasons,
    )


def called(moved: Outcome) -> dict[str, str]:
    """The study's name of each run, by the transfer's."""
    own = [row["name"] for row in moved.results["fitted"]]
    names = [job.name.partition("/")[2] or job.name for job in moved.job.inputs.get("runs", ())]
    return dict(zip(own, names if len(names) == len(own) else own, strict=True))


def carried(moved: Outcome) -> list[dict[str, Any]]:
    """The tests of cells that carry what was fitted to another run."""
    return [
        {
            **cell["tests"]["measure"],
            "from": called(moved)[cell["fitted"]],
            "to": called(moved)[cell["judged"]],
            "ece": [cell["before"]["ece"], cell["after"]["ece"]],
        }
        for cell in moved.results["cells"]
        if not cell["own"] and cell["tests"] and cell["tests"].get("measure") is not None
    ]


def conclusion(test: Test) -> Conclusion:
    found = sign(test)
    does = {-1: "helps", 1: "harms", 0: "is not shown to help or harm"}[found]
    tail = f" ({said(test)})" if found else ""
    name = f"{test['from']} to {test['to']}"
    return Conclusion(name, verdict(found, -1), f"{name}: it {does}{tail}.", "C6")


def table(tests: Sequence[Test]) -> Table:
    return Table(
        "carried",
        "Carried elsewhere",
        [
            Column("fitted on"),
            Column("judged on"),
            *TESTED,
            Column("ECE before", "fixed"),
            Column("after", "fixed"),
        ],
        [[test["from"], test["to"], *cells(test), *test["ece"]] for test in tests],
        "NLL of the answer's confidence, after − before; below 0: better.",
    )


def fitted(moved: Sequence[Outcome]) -> Table:
    return Table(
        "fitted",
        "What was fitted",
        [Column("run"), Column("n", "count"), Column("temperature", "interval")],
        [
            [called(each)[row["name"]], row["n"], bounds(row["temperature"])]
            for each in moved
            for row in each.results["fitted"]
            if row.get("temperature")
        ],
    )


def matrix(moved: Outcome) -> Figure:
    """Rows fitted on, columns judged on."""
    results = moved.results
    rows = [row["name"] for row in results["fitted"]]
    columns = [row["name"] for row in results["judged"]]
    at = {(cell["fitted"], cell["judged"]): cell for cell in results["cells"]}

    def change(row: str, column: str) -> float | None:
        cell = at.get((row, column))
        test = cell["tests"].get("measure") if cell and cell["tests"] else None
        return None if test is None else test["value"]

    return Figure(
        "matrix",
        "Change of NLL",
        "Rows: fitted on. Columns: judged on. Below 0: better; the diagonal is cross-fitted.",
        {
            "rows": [called(moved)[row] for row in rows],
            "columns": [called(moved)[column] for column in columns],
            "values": [[change(row, column) for column in columns] for row in rows],
            "digits": 3,
            "signed": True,
        },
    )
