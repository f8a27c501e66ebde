"""What a page says of protocol ``paper``: where letters stood, and the fixed position beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.blocks import Section, Table, Text
from calib.report.formats import UNKNOWN, count, fixed, percent, plural, points, share, within
from calib.report.remedies import value_of
from calib.report.significance import moved, p_of

READINGS = {
    "letter": "at the letter",
    "position": "at the first token",
    "options": "there, among the options",
}

FITTED = (
    "T divides the options' scores at the step where each letter stood (protocol paper); questions "
    "without a letter are not fitted to."
)
"""What calib fit says of such a run."""

Entry = Mapping[str, Any]


def letters_section(letters: Entry) -> Section:
    blocks: list[Text | Table] = [Text(asked_words(letters)), Text(accuracy_words(letters))]
    if letters["compared"]:
        blocks += [Text(compared_words(letters)), readings_table(letters), steps_table(letters)]
    return Section("letters", "Where the letter stood", blocks)


def asked_words(letters: Entry) -> str:
    """How the questions were asked, and how many gave a letter."""
    return (
        "The likeliest token was taken, then the next, until one was a letter of the options and "
        f"nothing else, for at most {count(letters['most_steps'])} steps; its probability among "
        "all tokens is the confidence, which this page judges. That happened for "
        f"{of_share(letters['parsed'])} of {plural(letters['n'], 'question')}; "
        f"{count(letters['unparsed'])} are unparsed: they stand in the records and in the shares "
        "of all questions, and are in no other number. The first token of all was an option for "
        f"{of_share(letters['parsed_at_position'])}."
    )


def accuracy_words(letters: Entry) -> str:
    """Over all questions, the unparsed ones counted as not right."""
    return (
        f"Of all questions {of_share(letters['right'])} were answered right by a letter; the "
        f"likeliest option at the first token is right for "
        f"{of_share(letters['right_at_position'])}."
    )


def compared_words(letters: Entry) -> str:
    """How often the readings differ, and what tests show of that."""
    said = (
        f"Where a letter stood, it stood behind other tokens for {of_share(letters['later'])}, and "
        f"is another answer than the likeliest option at the first token for "
        f"{of_share(letters['other'])}."
    )
    for name, how in (
        ("position", "Reading the first token instead, among all tokens,"),
        ("options", "Reading it among the options, which is protocol position,"),
    ):
        done = moved(letters["tests"][name])
        said += f" {how} {done or 'is not shown to change anything'}."
    return said


def of_share(entry: Entry) -> str:
    """A share with its interval."""
    if entry["value"] is None:
        return "none"
    bounds = within(entry["low"], entry["high"])
    return f"{share(entry['value'])} (95\N{NO-BREAK SPACE}% interval {bounds})"


def readings_table(letters: Entry) -> Table:
    metrics, tests = letters["metrics"], letters["tests"]
    head = [f"on {plural(letters['compared'], 'question')} with a letter", READINGS["letter"]]
    for name in tests:
        head += [READINGS[name], f"p, {READINGS[name]}"]
    rows = []
    for name, own in metrics["letter"].items():
        row = [own["label"], shown(name, own)]
        for way, of_way in tests.items():
            test = of_way.get(name)
            tested = test is not None and test["p"] is not None
            row += [
                shown(name, metrics[way][name]),
                p_of(test, relation=False) if test is not None and tested else UNKNOWN,
            ]
        rows.append(row)
    expected = [fixed(metrics[way]["ece"].get("expected"), 4) for way in ("letter", *tests)]
    first, *others = expected
    rows.append(["ECE if calibrated", first, *(c for e in others for c in (e, UNKNOWN))])
    return Table(
        "readings",
        head,
        rows,
        "p is that of no difference from the reading at the letter, question by question, "
        "corrected for the tests of this page (Holm); calibration is tested by the debiased "
        "squared error, since an ECE may fall because confidences grow sharper.",
    )


def shown(name: str, entry: Entry) -> str:
    return points(entry["value"]) if name == "gap" else value_of(name, entry)


def steps_table(letters: Entry) -> Table:
    """Behind how many tokens letters stood."""
    n = letters["compared"]
    return Table(
        "steps",
        ["tokens before the letter", "questions", "share of those with a letter"],
        [[count(e["step"]), count(e["n"]), percent(e["n"] / n, 1)] for e in letters["steps"]],
    )
