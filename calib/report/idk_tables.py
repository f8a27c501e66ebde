"""The tables of an IDK evaluation: no cell holds two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.idk.evaluate import QUADRANTS
from calib.intervals import holm
from calib.report.blocks import Table
from calib.report.formats import count, in_points, interval, percent, points, pvalue

SHOWN = ("truthful", "admit_rate", "over_refusal", "refusal_precision", "answered_accuracy")
TITLES = {
    "truthful": "truthful",
    "admit_rate": "admits not knowing",
    "over_refusal": "refuses known",
    "refusal_precision": "unknown among refused",
    "answered_accuracy": "right among answered",
}
WORDS = (
    ("Ik-Ik", "right, whether or not the question counts as known", "I know that I know", "yes"),
    ("Ik-Idk", "a refusal of a question that it does not know", "I know that I don't know", "yes"),
    ("Idk-Ik", "a refusal of a question that it knows", "I don't know that I know", "no"),
    ("Idk-Idk", "wrong, whether or not it counts as known", "I don't know that I don't know", "no"),
)


def idk_tables(results: Mapping[str, Any]) -> dict[str, Table]:
    arms = results["arms"]
    return {
        "words": Table(
            "words",
            ["quadrant", "the answer", "in the paper's words", "truthful"],
            WORDS,
            "",
            prose=(1, 2),
        ),
        "rates": Table(
            "rates",
            ["arm", *(TITLES[name] for name in SHOWN)],
            [[a["name"], *(percent(a["rates"][n]["value"], 1) for n in SHOWN)] for a in arms],
            "Truthful: of all answers. Admits not knowing: of the unknown questions; refuses "
            "known: of the known ones.",
        ),
        "quadrants": Table(
            "quadrants",
            ["arm", *QUADRANTS, "could not be read"],
            [
                [a["name"], *(count(a["quadrants"][q]) for q in QUADRANTS), count(a["unparsed"])]
                for a in arms
            ],
            "Answers in each quadrant. Those that could not be read are wrong, so among Idk-Idk.",
        ),
        "groups": Table(
            "groups",
            ["group", "questions", "known", "unknown", "samples right", "refused"],
            [
                [
                    row.get("group", "all"),
                    count(row["questions"]),
                    count(row["known"]),
                    count(row["unknown"]),
                    percent(row["sample_accuracy"], 1),
                    percent(row["sample_refusals"], 1),
                ]
                for row in [*results["groups"], results["counts"]]
            ],
        ),
        "sweep": Table(
            "sweep",
            ["tau", "known", "unknown", "uncertain"],
            [
                [f"{r['tau']:g}", count(r["known"]), count(r["unknown"]), count(r["uncertain"])]
                for r in results["sweep"]
            ],
            "The same samples at other thresholds; uncertain are questions whose "
            "Clopper-Pearson interval holds the threshold, so that new samples might label them "
            "differently.",
        ),
    }


def difference_tables(results: Mapping[str, Any]) -> list[Table]:
    """A table for each arm but the first, a row for each rate that both have."""
    compared = [row for row in results["comparisons"] if row["rate"] in SHOWN]
    rows: dict[tuple[str, str], list[list[str]]] = {}
    for row, corrected in zip(compared, holm_of(compared), strict=True):
        at_most = row["p"] is not None and row["p"] <= row["least_p"]
        rows.setdefault((row["first"], row["second"]), []).append(
            [
                TITLES[row["rate"]],
                points(row["value"]),
                pvalue(corrected, at_most=at_most),
                interval(row["low"], row["high"], "points"),
            ]
        )
    return [
        Table(
            f"comparisons-{place}",
            [in_points(f"{arm} − {first}"), "difference", "p, Holm", "95 % interval"],
            lines,
        )
        for place, ((arm, first), lines) in enumerate(rows.items(), 1)
    ]


def interval_tables(arms: Sequence[Mapping[str, Any]]) -> list[Table]:
    """A table for each arm: every rate with its interval and the counts that it is made of."""
    return [
        Table(
            f"intervals-{place}",
            [f"arm {arm['name']}", "rate", "95 % interval", "answers", "of"],
            [rate_row(name, arm["rates"][name]) for name in (*SHOWN, *QUADRANTS)],
        )
        for place, arm in enumerate(arms, 1)
    ]


def rate_row(name: str, rate: Mapping[str, Any]) -> list[str]:
    hits, items = rate["of"]
    return [
        TITLES.get(name, name),
        percent(rate["value"], 1),
        interval(rate["low"], rate["high"], "percent", 1),
        count(hits),
        count(items),
    ]


def holm_of(compared: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """p corrected for the number of comparisons; None where there was no test."""
    corrected = iter(holm([row["p"] for row in compared if row["p"] is not None]))
    return [None if row["p"] is None else next(corrected) for row in compared]
