"""Do models answer rather than admit that they do not know, and do prompts help (C4)?

Of each IDK set two things are concluded: whether it admits fewer than half of what it does not know
when asked plainly, by the interval of that rate; and whether an arm changes that rate, by paired
tests, p corrected over all arms and models (Holm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.fields import read_object
from calib.idk.ask import EVALUATION
from calib.report.formats import percent
from calib.runs.kinds import RESULTS
from calib.studies.findings.found import (
    AGAINST,
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
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign, verdict

PLAIN, ADMITS, REFUSES = "plain", "admit_rate", "over_refusal"
RATES = {
    "truthful": "truthful",
    ADMITS: "admits what it does not know",
    REFUSES: "refuses what it knows",
    "answered_accuracy": "right where it answers",
}


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    sets = [
        (each, read_object(each.folder / EVALUATION / RESULTS)) for each in of_kind(outcomes, "idk")
    ]
    tests = corrected({**row, "of": each.name} for each, asked in sets for row in compared(asked))
    plain = [found for each, asked in sets if (found := admitting(each, asked)) is not None]
    changed = [changing(test) for test in tests if test["rate"] == ADMITS]
    return Found(
        [*plain, *changed],
        [arms(sets), differences(tests), labels(sets)],
        [forest(sets, rate) for rate in (ADMITS, REFUSES)] if sets else [],
    )


def compared(asked: Mapping[str, Any]) -> list[Test]:
    """The arms against the plain one, in the rates of ``RATES``."""
    return [
        row
        for row in asked["comparisons"]
        if row["second"] == PLAIN and row["rate"] in RATES and row["value"] is not None
    ]


def admitting(each: Outcome, asked: Mapping[str, Any]) -> Conclusion | None:
    arm = next((arm for arm in asked["arms"] if arm["name"] == PLAIN), None)
    rate = None if arm is None else arm["rates"][ADMITS]
    if rate is None or rate["low"] is None:
        return None
    told = f"Asked plainly, {each.name} admits {percent(rate['value'])} of what it does not know"
    span = f"95 % interval {percent(rate['low'])} to {percent(rate['high'])}"
    found = SHOWN if rate["high"] < 0.5 else AGAINST if rate["low"] > 0.5 else OPEN
    return Conclusion(f"{each.name}: plain", found, f"{told} ({span}).", "C4")


def changing(test: Test) -> Conclusion:
    found = sign(test)
    does = {1: "raises", -1: "lowers", 0: "is not shown to change"}[found]
    tail = f" ({said(test)})" if found else ""
    return Conclusion(
        f"{test['of']}: {test['first']}",
        verdict(found, 1),
        f"{test['of']}: the arm {test['first']} {does} how often it admits not knowing{tail}.",
        "C4",
    )


Sets = Sequence[tuple[Outcome, Mapping[str, Any]]]


def arms(sets: Sets) -> Table:
    return Table(
        "arms",
        "Every way of asking",
        [
            Column("set"),
            Column("arm"),
            Column("n", "count"),
            Column("known", "count"),
            *(Column(name, "percents") for name in RATES.values()),
        ],
        [
            [each.name, arm["name"], arm["n"], arm["known"], *map(rate_of(arm), RATES)]
            for each, asked in sets
            for arm in asked["arms"]
        ],
        "Known: what it answered rightly in enough of its samples. A label is one of this model.",
    )


def rate_of(arm: Mapping[str, Any]) -> Any:
    def of(name: str) -> list[float | None]:
        rate = arm["rates"][name]
        return [None, None, None] if rate is None else bounds(rate)

    return of


def differences(tests: Sequence[Test]) -> Table:
    return Table(
        "differences",
        "What an arm changes against the plain one",
        [Column("set"), Column("arm"), Column("rate"), *TESTED],
        [[t["of"], t["first"], RATES[t["rate"]], *cells(t)] for t in tests],
        "Shares of 1, on the same questions.",
    )


def labels(sets: Sets) -> Table:
    return Table(
        "labels",
        "What is known, by threshold",
        [
            Column("set"),
            Column("tau", "fixed"),
            Column("known", "count"),
            Column("unknown", "count"),
        ],
        [
            [each.name, row["tau"], row["known"], row["unknown"]]
            for each, asked in sets
            for row in asked["sweep"]
        ],
    )


def forest(sets: Sets, rate: str) -> Figure:
    return Figure(
        "forest",
        RATES[rate].capitalize(),
        "Share of the questions, with 95 % intervals.",
        {
            "rows": [
                [f"{each.name}: {arm['name']}", *rate_of(arm)(rate)]
                for each, asked in sets
                for arm in asked["arms"]
            ],
            "unit": "percent",
            "zero": None,
        },
    )
