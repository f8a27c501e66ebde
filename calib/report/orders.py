"""What a page says of the order of lettered options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.blocks import Section, Table, Text
from calib.report.formats import (
    UNKNOWN,
    count,
    fixed,
    gap,
    interval,
    percent,
    plural,
    share,
    within,
)
from calib.report.significance import moved, p_of
from calib.tasks.files import LETTERS

WAYS = {
    "averaged": "Against each question in its own order alone, averaging over the orders",
    "debiased": "Dividing the one order by the positions' prior",
}
SIGNED = {"accuracy": percent, "confidence": percent}
"""Metrics that are shares; others are numbers."""


def orders_section(orders: Mapping[str, Any]) -> Section:
    return Section(
        "orders",
        "The order of the options",
        [
            Text(flips_words(orders)),
            Text(remedies_words(orders)),
            remedies_table(orders),
            positions_table(orders),
        ],
    )


def flips_words(orders: Mapping[str, Any]) -> str:
    """How the questions were asked, and how often the order decides the answer."""
    flips = orders["flips"]
    between = ""
    if flips["low"] is not None:
        between = f" (95 % interval {within(flips['low'], flips['high'])})"
    asked = f"in {orders['orders']} cyclic orders of its options"
    if orders["fewer"]:
        asked += f", {plural(orders['fewer'], 'question')} with fewer options in all of theirs"
    return (
        f"Each question was asked {asked}. Its record, which this page judges, holds the mean of "
        f"the options' probabilities over the orders. For {share(flips['value'])} of the questions"
        f"{between} the answer changes with the order."
    )


def remedies_words(orders: Mapping[str, Any]) -> str:
    """What is shown to change against one order alone."""
    sentences = []
    for name, tests in orders["tests"].items():
        done = moved(tests)
        changed = orders["changed"][name]
        sentences.append(
            f"{WAYS[name]} changes {plural(changed['answers'], 'answer')} "
            f"({count(changed['gained'])} from wrong to right, {count(changed['lost'])} from right "
            f"to wrong); {f'it {done}' if done else 'no difference is shown in the tests below'}."
        )
    return " ".join(sentences)


def remedies_table(orders: Mapping[str, Any]) -> Table:
    metrics, tests = orders["metrics"], orders["tests"]
    head = [f"on the {count(orders['n'])} questions", "one order"]
    for name in tests:
        head += [name, f"p, {name}"]
    rows = []
    for name, one in metrics["single"].items():
        row = [one["label"], value_of(name, one)]
        for way, of_way in tests.items():
            test = of_way.get(name)
            tested = test is not None and test["p"] is not None
            p = p_of(test, relation=False) if tested else UNKNOWN
            row += [value_of(name, metrics[way][name]), p]
        rows.append(row)
    return Table("orders", head, rows, remedies_note(orders))


def value_of(name: str, entry: Mapping[str, Any]) -> str:
    return percent(entry["value"], 1) if name in SIGNED else fixed(entry["value"], 4)


def remedies_note(orders: Mapping[str, Any]) -> str:
    note = (
        "p is that of no difference from the one order, question by question, corrected for the "
        "tests of this page (Holm)."
    )
    if "debiased" not in orders["tests"]:
        return note
    note += (
        " Debiased: the probabilities of the one order, divided by each position's prior, which "
        f"was estimated without labels on the other {orders['folds'] - 1} of {orders['folds']} "
        "folds of the clusters from their orders (PriDe)."
    )
    if not orders["all"]:
        note += (
            " Not every option stood in every position: the prior also holds what options tend to "
            "stand there."
        )
    return note


def positions_table(orders: Mapping[str, Any]) -> Table:
    rows = [
        [
            LETTERS[one["position"]],
            count(one["n"]),
            percent(one["probability"]["value"], 1),
            interval(one["probability"]["low"], one["probability"]["high"], "percent", 1),
            percent(one["right"]["value"], 1),
            interval(one["right"]["low"], one["right"]["high"], "percent", 1),
            gap(one["difference"]["value"]),
            interval(one["difference"]["low"], one["difference"]["high"], "points"),
        ]
        for one in orders["positions"]
    ]
    return Table(
        "order_positions",
        [
            "position",
            "questions",
            "mean probability",
            "95 % interval",
            "right there",
            "right there, 95 %",
            "difference, points",
            "difference, 95 %",
        ],
        rows,
        "Over all orders of the questions that have such a position. Where every option stood in "
        "every position, a model that does not mind the order gives all of them the same, and the "
        "share of right answers is fixed and has no interval.",
    )
