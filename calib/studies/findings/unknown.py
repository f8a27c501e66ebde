"""Do models answer rather than admit that they do not know, and do prompts help (C4)?

Of each IDK set two things are concluded: whether it admits fewer than half of what it does not know
when asked plainly, by the interval of that rate; and whether an arm changes that rate, by paired
tests, p corrected over all arms and models (Holm). Of twins: whether it abstains more often from a
question that nobody can answer than from its twin that can be answered; a family of their own, as
are differences between models.
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
ABSTENTION = "abstention"
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
    pairs = of_kind(outcomes, "twins")
    apart = corrected({**test, "of": each.name} for each in pairs for test in each.results["tests"])
    told = [told_apart(test) for test in apart if test["measure"] == ABSTENTION]
    between = corrected(
        {**test, "of": f"{each.task}: {second} against {first}"}
        for each in of_kind(outcomes, "compare-idk")
        for first, *others in [each.inputs_named]
        for second, pair in zip(others, each.results["pairs"], strict=True)
        for test in pair["tests"]
        if test["value"] is not None
    )
    told += [of_models(test) for test in between if test["rate"] in SHARED]
    tables = [arms(sets), differences(tests), labels(sets)] if sets else []
    if between:
        tables.append(models(between))
    twins = [ways(pairs), twin_differences(apart)] if pairs else []
    return Found(
        [*plain, *changed, *told],
        [*tables, *twins],
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
    half = {SHOWN: "fewer than half", AGAINST: "more than half", OPEN: ""}[found]
    tail = f", which is shown to be {half}" if half else ""
    return Conclusion(f"{each.name}: plain", found, f"{told} ({span}){tail}.", "C4")


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


def told_apart(test: Test) -> Conclusion:
    """Whether a twin is abstained from more often; C4 claims that it is not."""
    found = sign(test)
    does = {
        1: "abstains more often from twins that nobody can answer",
        -1: "abstains less often from twins that nobody can answer",
        0: "is not shown to abstain more or less often from twins that nobody can answer",
    }[found]
    tail = f" ({said(test)})" if found else ""
    name = f"{test['of']}, {test['how']}"
    return Conclusion(
        name, {1: AGAINST, -1: SHOWN, 0: OPEN}[found], f"{name}: it {does}{tail}.", "C4"
    )


SHARED = {
    "admit_shared": "admits what neither knows",
    "refusal_shared": "refuses what both know",
}


def of_models(test: Test) -> Conclusion:
    """One model against another, on the questions of which both have the same label."""
    found = sign(test)
    name = f"{test['of']}, {test['arm']}: {SHARED[test['rate']]}"
    does = {1: "more often", -1: "less often", 0: "no difference is shown"}[found]
    tail = f" ({said(test)})" if found else ""
    return Conclusion(name, SHOWN if found else OPEN, f"{name}: {does}{tail}.")


def models(between: Sequence[Test]) -> Table:
    told = {**RATES, **SHARED, "known": "knows"}
    return Table(
        "models",
        "Models on the questions that they share",
        [Column("models"), Column("arm"), Column("rate"), *TESTED],
        [[t["of"], t["arm"], told.get(t["rate"], t["rate"]), *cells(t)] for t in between],
        "A label is one of the model that it is of; what neither or both know is told apart.",
    )


TWIN_RATES = {
    "dual": "dual accuracy",
    "accuracy": "right, question",
    "abstains_twin": "abstains, twin",
    "abstains": "abstains, question",
    "mass_twin": "mass on not knowing, twin",
    "mass": "mass, question",
}


def ways(pairs: Sequence[Outcome]) -> Table:
    rows = [
        [each.name, row["how"], row["pairs"], *(rate_in(row["rates"], name) for name in TWIN_RATES)]
        for each in pairs
        for row in each.results["ways"]
    ]
    columns = [
        Column("of"),
        Column("way"),
        Column("pairs", "count"),
        *(Column(name, "percents") for name in TWIN_RATES.values()),
    ]
    note = "Dual: the question is answered rightly and its twin abstained from."
    return Table("twins", "Questions beside twins that nobody can answer", columns, rows, note)


def rate_in(rates: Mapping[str, Any], name: str) -> list[float | None]:
    return bounds(rates[name]) if rates.get(name) else [None, None, None]


def twin_differences(tests: Sequence[Test]) -> Table:
    return Table(
        "twin-differences",
        "Twins against their questions",
        [Column("of"), Column("way"), Column("measure"), *TESTED],
        [[test["of"], test["how"], test["label"], *cells(test)] for test in tests],
        "Shares of 1. Where an option is removed, the mass on the others rises by itself.",
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
        return rate_in(arm["rates"], name)

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
