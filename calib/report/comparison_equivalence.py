"""What two runs are shown to have in common: its tables, and its words on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calib.intervals.equivalence import MARGIN
from calib.report.blocks import Section, Table, Text
from calib.report.comparison_names import label_of
from calib.report.comparison_tables import TESTED, difference_name, signed, tested
from calib.report.formats import UNKNOWN, Shown, count, fixed, interval, points, pvalue
from calib.report.significance import claim, shown

Entry = Mapping[str, Any]
CLAIM = 1
"""The column of what is shown, which is a sentence."""


def sections(results: Entry) -> Iterator[Section]:
    """None for a comparison of an earlier version."""
    pairs, runs = results["pairs"], results["runs"]
    if all("equivalences" in each for each in pairs):
        yield Section(
            "equivalence",
            "Is anything shown to be the same?",
            [
                *(equivalence_table(place, each) for place, each in enumerate(pairs, 1)),
                *(Text(line) for each in pairs for line in needed(each)),
                Text(told(results), "note"),
            ],
        )
    if all(run.get("parts") is not None for run in runs):
        yield Section(
            "parts",
            "Calibration and refinement apart",
            [
                parts_table(runs),
                *(refinement_table(place, each) for place, each in enumerate(pairs, 1)),
                Text(
                    "The Brier score of the confidence is the sum of both. Calibration is what the "
                    "gaps between confidence and accuracy cost, without what chance adds to them, "
                    "so that it may be below zero; refinement is what is left when they are gone: "
                    "right and wrong answers of one confidence. A gap that changes sign inside a "
                    "bin counts as refinement. The p of refinement is corrected for the number of "
                    "its tests, that of calibration stands among the differences.",
                    "note",
                ),
            ],
        )


def equivalence_table(place: int, pair: Entry) -> Table:
    return Table(
        f"equivalence-{place}",
        [difference_name(pair), "what is shown", "difference", "p, Holm", "it lies within", "p",
         "questions needed"],
        [
            [test["label"], claim(pair["differences"][name], test), *cells(name, test)]
            for name, test in pair["equivalences"].items()
        ],
        prose=(CLAIM,),
    )  # fmt: skip


def cells(name: str, test: Entry) -> list[str]:
    form = points if name == "gap" else signed
    between = UNKNOWN
    if test["low"] is not None:
        low, high = test["low"], test["high"]
        between = Shown(f"{form(low)} … {form(high)}", (low, high))
    return [
        UNKNOWN if test["value"] is None else form(test["value"]),
        pvalue(test["holm"]),
        between,
        pvalue(test["p"]),
        about(test["needs"]),
    ]


def about(number: int | None) -> str:
    """A number of questions, rounded up to two digits."""
    if number is None:
        return UNKNOWN
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return Shown(f"{unit * math.ceil(number / unit):,}", number)


def printed(pair: Entry) -> list[list[str]]:
    """The same for a terminal: what is shown of each quantity, and the questions it needs."""
    return [
        [test["label"], claim(pair["differences"][name], test), about(test["needs"])]
        for name, test in pair["equivalences"].items()
    ]


def needed(pair: Entry) -> Iterator[str]:
    """How many questions equal calibration errors take, where neither test shows anything."""
    test = pair["equivalences"]["debiased_rmsce"]
    if test["needs"] is None or shown(test) or shown(pair["differences"]["debiased_rmsce"]):
        return
    yield (
        f"If the calibration errors of {pair['second']} and {pair['first']} were equal, about "
        f"{about(test['needs'])} questions like these would show it four times of five."
    )


def told(results: Entry) -> str:
    margin = results.get("margin", MARGIN)  # comparisons of earlier versions have that one
    within = f"{margin:g} ({100 * margin:g} points of the gap)"
    return (
        "No difference shown is not the same as shown to be the same. Equivalence is shown where "
        f"p, corrected for the {count(results['equivalence_tests'])} tests of this section, says "
        f"that the difference is less than {within} to either side. p is below 0.05 just where the "
        "bounds lie inside the margin: of the gap and of Brier they are a 90 % interval of paired "
        "questions (two one-sided tests); of calibration errors the widest difference that both "
        "debiased intervals allow, each 97.5 % to either side. Both sides must be shown, so that "
        "two need no correction for their number. “Questions needed” are about as many of this "
        "kind as would show equivalence, with p so corrected, four times of five if there were no "
        "difference; of several tests, those that need fewer are shown before."
    )


def parts_table(runs: Sequence[Entry]) -> Table:
    return Table(
        "parts",
        ["run", "Brier of the confidence", "calibration", "calibration, 95 % interval",
         "refinement", "refinement, 95 % interval"],
        [
            [
                label_of(run["name"]),
                fixed(run["parts"]["brier"], 4),
                fixed(of["calibration"]["value"], 4),
                interval(of["calibration"]["low"], of["calibration"]["high"], digits=4),
                fixed(of["refinement"]["value"], 4),
                interval(of["refinement"]["low"], of["refinement"]["high"], digits=4),
            ]
            for run in runs
            for of in [run["parts"]]
        ],
    )  # fmt: skip


def refinement_table(place: int, pair: Entry) -> Table:
    calibration, refinement = pair["differences"]["debiased_rmsce"], pair["refinement"]
    return Table(
        f"refinement-{place}",
        [difference_name(pair), *TESTED],
        [
            ["calibration", *tested("debiased_rmsce", calibration)],
            ["refinement", *tested("refinement", refinement)],
        ],
    )
