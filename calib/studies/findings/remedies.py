"""Do temperature scaling and prompt search improve calibration (C5)?

Calibrators are cross-fitted on each run and judged by the NLL of the answer's confidence; the
winner of a search is judged against its seed on held-out questions. All are one family (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.studies.findings.found import Column, Conclusion, Figure, Found, Table, bounds
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign, verdict

NONE, TEMPERATURE = "none", "temperature"


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    ranked, searched = of_kind(outcomes, "ranking"), of_kind(outcomes, "prompts")
    tests = corrected([*fits(ranked), *winners(searched)])
    told = [conclusion(test) for test in tests if test["remedy"] in (TEMPERATURE, "wording")]
    rest = [f"{each.job.name}: {each.refused}" for each in outcomes if each.refused is not None]
    tables = [table(tests)]
    if searched:
        tables.append(wordings(searched))
    return Found(told, tables, [forest(tests)] if tests else [], rest)


def fits(ranked: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            **row["tests"]["measure"],
            "of": each.name,
            "remedy": row["calibrator"],
            "measure": each.results["measure"],
            "ece": [before(each)["ece"], row["ece"]],
        }
        for each in ranked
        for row in each.results["rows"]
        if row["calibrator"] != NONE and row["tests"].get("measure") is not None
    ]


def before(ranked: Outcome) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        row for row in ranked.results["rows"] if row["calibrator"] == NONE
    )
    return found


def winners(searched: Sequence[Outcome]) -> list[dict[str, Any]]:
    found = []
    for each in searched:
        test = each.results["gain"]["held_out"] if each.results["gain"] else None
        if test is None or test["p"] is None:
            continue
        runs = each.results["held_out"]["runs"]
        errors = [run["metrics"]["ece"]["value"] for run in runs]
        found.append(
            {**test, "of": each.name, "remedy": "wording", "measure": test["label"], "ece": errors}
        )
    return found


def conclusion(test: Test) -> Conclusion:
    remedy = "a temperature" if test["remedy"] == TEMPERATURE else "the wording that was found"
    found = sign(test)
    does = {-1: "lowers", 1: "raises", 0: "is not shown to change"}[found]
    tail = f" ({said(test)})" if found else ""
    return Conclusion(
        f"{test['of']}: {test['remedy']}",
        verdict(found, -1),
        f"{test['of']}: {remedy} {does} the {test['measure']}{tail}.",
        "C5",
    )


def table(tests: Sequence[Test]) -> Table:
    return Table(
        "remedies",
        "Remedies, on questions that they were not made of",
        [
            Column("run"),
            Column("remedy"),
            Column("measure"),
            *TESTED,
            Column("ECE before", "fixed"),
            Column("after", "fixed"),
        ],
        [
            [test["of"], test["remedy"], test["measure"], *cells(test), *test["ece"]]
            for test in tests
        ],
        "After − before, below 0: better. A calibrator is cross-fitted over clusters; a wording "
        "was found on other questions.",
    )


def wordings(searched: Sequence[Outcome]) -> Table:
    return Table(
        "wordings",
        "What was searched for",
        [
            Column("run"),
            Column("seed"),
            Column("winner"),
            Column("wordings read", "count"),
            Column("prompts read", "count"),
            Column("gain where it was searched for", "signeds"),
            Column("gain on held-out questions", "signeds"),
        ],
        [
            [
                each.name,
                each.results["seed"],
                each.results["winner"],
                each.results["wordings"],
                each.results["read"],
                *(gain(each.results["gain"], part) for part in ("searched", "held_out")),
            ]
            for each in searched
        ],
        "The first gain is flattered by the search itself.",
    )


def gain(gains: Mapping[str, Any] | None, part: str) -> list[float | None]:
    found = gains[part] if gains else None
    return bounds(found) if found else [None, None, None]


def forest(tests: Sequence[Test]) -> Figure:
    return Figure(
        "forest",
        "Change by each remedy",
        "Of the measure in the table, with 95 % intervals by clusters; left of 0: better.",
        {
            "rows": [[f"{test['of']}: {test['remedy']}", *bounds(test)] for test in tests],
            "unit": "fixed",
            "zero": 0.0,
        },
    )
