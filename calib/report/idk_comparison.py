"""The report of IDK sets or evaluations compared on the questions that they share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.idk.comparison import FORMAT, RATES, SHARED
from calib.records import InputError
from calib.report.blocks import Page, Section, Table, Text, Tile
from calib.report.formats import (
    UNKNOWN,
    count,
    in_points,
    interval,
    percent,
    plural,
    points,
    pvalue,
)
from calib.report.idk_tables import TITLES
from calib.report.page import make_folder, write_file, write_page
from calib.report.significance import FEW_DIFFER, p_of, sign
from calib.runs.config import kind_of
from calib.runs.durable import refuse_no_folder
from calib.runs.kinds import IDK_COMPARISON, KINDS, RESULTS

Results = Mapping[str, Any]
NAMES = {
    **{name: TITLES[name] for name in RATES},
    "known": "known",
    "admit_shared": "admits, unknown to both",
    "refusal_shared": "refuses, known to both",
}
NOTE = (
    "The second minus the first, question by question; intervals by resampling clusters, p by "
    "exchanging the sides' answers, corrected for the {tests} of this page (Holm); intervals are "
    f"uncorrected. {FEW_DIFFER} That a difference is not shown is no evidence of none."
)
LABELS_NOTE = (
    "A question is known or unknown by each side's own samples. So “admits not knowing” is of what "
    "each side itself does not know, which may be harder for one than for the other; "
    "“unknown to both” and “known to both” are of the same questions."
)


def write_idk_comparison(results: Results, folder: str | Path) -> Path:
    """Write what ``compare_idk`` returned as results.json, report.md and report.html there; return
    the page. InputError for the folder of something else."""
    folder = Path(folder)
    refuse_no_folder(folder)
    if (kind := kind_of(folder)) not in (None, IDK_COMPARISON):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another folder")
    make_folder(folder)
    write_file(folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return write_page(folder, comparison_page(results))


def rewrite_idk_comparison(folder: Path) -> Path:
    """Write the page again from results.json."""
    return write_page(
        folder, comparison_page(read_saved(folder / RESULTS, "a comparison of IDK sets", FORMAT))
    )


def comparison_page(results: Results) -> Page:
    return Page(
        title=f"What {' and '.join(side['name'] for side in results['sides'])} do not know",
        headline=headline(results),
        lead=[Text(line, "lead") for line in lead(results)],
        tiles=[
            Tile(
                side["name"],
                percent(side["known"] / results["n"], 1),
                f"known, tau = {side['tau']:g}; {side['model']}",
            )
            for side in results["sides"]
        ],
        sections=list(sections(results)),
        asked=f"{plural(results['n'], 'question')} that all share",
        footer="The numbers are in results.json.",
    )


def headline(results: Results) -> str:
    """What is shown to differ, of labels and of answers; a large p shows nothing."""
    found = [
        f"{pair['second']} {'raises' if test['value'] > 0 else 'lowers'} “{named(test)}” against "
        f"{pair['first']} by {points(abs(test['value'])).lstrip('+')} points (p {p_of(test)})"
        for pair in results["pairs"]
        for test in pair["tests"]
        if sign(test)
    ]
    if not found:
        return "No difference between them is shown."
    more = len(found) - FIRST
    return "; ".join(found[:FIRST]) + (f"; {count(more)} more below." if more > 0 else ".")


FIRST = 2
"""Differences that the headline names."""


def named(test: Mapping[str, Any]) -> str:
    rate = NAMES[test["rate"]]
    return rate if test["arm"] == "labels" else f"{rate}, arm {test['arm']}"


def lead(results: Results) -> Iterator[str]:
    for pair in results["pairs"]:
        labels = pair["labels"]
        yield (
            f"Of {plural(results['n'], 'question')} {count(labels['both'])} are known to both, "
            f"{count(labels['first_only'])} to {pair['first']} alone, "
            f"{count(labels['second_only'])} to {pair['second']} alone and "
            f"{count(labels['neither'])} to neither."
        )
        if pair["arms_left_out"]:
            yield f"Asked by one of them alone: {', '.join(pair['arms_left_out'])}."


def sections(results: Results) -> Iterator[Section]:
    yield Section("sides", "What is compared", [side_table(results), label_table(results)])
    if any(side["arms"] for side in results["sides"]):
        yield Section(
            "rates",
            "What each admits and answers",
            [rate_table(results), Text(LABELS_NOTE, "note")],
        )
    number = sum(test["p"] is not None for pair in results["pairs"] for test in pair["tests"])
    yield Section(
        "tests",
        "What is different?",
        [
            *(test_table(place, pair) for place, pair in enumerate(results["pairs"], 1)),
            Text(NOTE.format(tests=plural(number, "test")), "note"),
        ],
    )


def side_table(results: Results) -> Table:
    return Table(
        "sides",
        ["set", "model", "task", "tau", "questions", "not shared"],
        [
            [
                side["name"],
                str(side["model"]),
                str(side["task"]),
                f"{side['tau']:g}",
                count(side["questions"]),
                count(side["left_out"]),
            ]
            for side in results["sides"]
        ],
        f"Compared are the {plural(results['n'], 'question')} that all have: the same id, wording, "
        "options and answer.",
        prose=(1, 2),
    )


def label_table(results: Results) -> Table:
    return Table(
        "labels",
        ["known", "to both", "to the first alone", "to the second alone", "to neither"],
        [
            [
                f"{pair['first']}, {pair['second']}",
                *(count(pair["labels"][name]) for name in LABELS),
            ]
            for pair in results["pairs"]
        ],
    )


LABELS = ("both", "first_only", "second_only", "neither")


def rate_table(results: Results) -> Table:
    return Table(
        "rates",
        ["set, arm, rate", "value", "95 % interval", "answers", "of"],
        [
            [
                f"{side['name']}, {arm['name']}, {NAMES[name]}",
                percent(rate["value"], 1),
                interval(rate["low"], rate["high"], "percent", 1),
                *map(count, rate["of"]),
            ]
            for side in results["sides"]
            for arm in side["arms"]
            for name, rate in arm["rates"].items()
        ],
    )


def test_table(place: int, pair: Mapping[str, Any]) -> Table:
    return Table(
        f"tests-{place}",
        [
            in_points(f"{pair['second']} − {pair['first']}"),
            "difference",
            "p, Holm",
            "95 % interval",
            "p",
        ],
        [test_row(test) for test in pair["tests"]],
    )


def test_row(test: Mapping[str, Any]) -> list[str]:
    at_most = test["p"] is not None and test["p"] <= test["least_p"]
    of = f" ({count(test['of'])})" if test["rate"] in SHARED else ""
    if test["value"] is None:
        return [named(test) + of, *[UNKNOWN] * 4]
    return [
        named(test) + of,
        points(test["value"]),
        pvalue(test["holm"], at_most=at_most),
        interval(test["low"], test["high"], "points"),
        pvalue(test["p"], at_most=at_most),
    ]


def printed(pair: Mapping[str, Any]) -> tuple[tuple[str, ...], Sequence[tuple[str, ...]]]:
    """A head and a row for each test, for a terminal of 80 columns."""
    rows = [tuple(map(str, row[:4])) for row in test_table(1, pair).rows]
    return (f"{pair['second']} − {pair['first']}", "points", "p, Holm", "95 %"), rows
