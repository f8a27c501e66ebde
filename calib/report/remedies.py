"""What a page says of the temperature and of the thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from calib.report.blocks import Table
from calib.report.formats import UNKNOWN, Shown, count, fixed, percent, share
from calib.report.significance import moved, p_of
from calib.report.words import has_model

UNDETERMINED = 100
"""A temperature whose bounds are further apart than this factor is hardly known at all."""
HIDDEN = ("mce",)
"""Not in the table: the largest gap is that of the bin with the fewest questions, by chance."""


def remedy(results: Mapping[str, Any]) -> str:
    """What the temperature is shown to change on questions that it was not fitted on."""
    temperature = results["temperature"]
    if temperature is None:
        reason = results["temperature_kept"]
        without = "It is given no temperature" if has_model(results) else "No temperature is fitted"
        return f"{without}: {reason}." if reason else ""
    tests = temperature["tests"]
    between = temperature_span(temperature)
    sentence = (
        f"A temperature of {fixed(temperature['value'], 2)}{between}, fitted on one half of the "
        f"questions{lost_words(temperature.get('lost'))}, changes no answer"
    )
    if done := moved(tests):
        sentence += f". On the other half it {done}"
    else:
        p_values = [f"{t['label']} p {p_of(t)}" for t in tests.values() if t["p"] is not None]
        evidence = f" ({', '.join(p_values)})" if p_values else ", as nothing can be tested there"
        sentence += f"; on the other half no improvement is shown{evidence}"
    return f"{sentence}."


def lost_words(lost: int | None) -> str:
    """Of how many questions a temperature knows nothing; earlier results do not say."""
    if not lost:
        return ""
    return f" but {count(lost)}, whose right option has the probability 0"


def temperature_note(temperature: Mapping[str, Any]) -> str:
    """Why the ECE beside the diagrams is not that of the first screen."""
    ece = temperature["metrics"]["ece"]
    return (
        f"Judged on the {count(temperature['n_judged'])} questions that the temperature has not "
        f"seen, not on all: their ECE is {fixed(ece['before']['value'], 3)} as it is and "
        f"{fixed(ece['after']['value'], 3)} at T, where calibrated answers would give "
        f"{fixed(ece['before']['expected'], 3)} and {fixed(ece['after']['expected'], 3)}. An ECE "
        "may fall because confidences grow sharper; p, question by question, decides."
    )


def temperature_span(temperature: Mapping[str, Any]) -> str:
    """Its interval in brackets; of one that says nothing, only that."""
    low, high = temperature["low"], temperature["high"]
    if low is None:
        return ""
    if high > UNDETERMINED * low:
        return f" (hardly determined: its 95 % interval spans a factor over {UNDETERMINED})"
    return f" (95 % interval {fixed(low, 2)} to {fixed(high, 2)})"


def temperature_rows(temperature: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Before and after on the held-out half, with p where the difference is tested."""
    if temperature is None:
        return []
    tests = temperature["tests"]
    return [
        {
            "name": entry["label"],
            "before": value_of(name, entry["before"]),
            "before_expected": fixed(entry["before"].get("expected"), 4),
            "after": value_of(name, entry["after"]),
            "after_expected": fixed(entry["after"].get("expected"), 4),
            "p": p_of(tests[name], relation=False) if name in tests else UNKNOWN,
        }
        for name, entry in temperature["metrics"].items()
        if name not in HIDDEN
    ]


def temperature_lines(temperature: Mapping[str, Any] | None) -> list[tuple[str, str, str, str]]:
    """The rows for a terminal: name, before, after and p; in brackets the value if calibrated."""

    def bracketed(value: str, expected: str) -> str:
        return value if expected == UNKNOWN else f"{value} ({expected})"

    return [
        (
            row["name"],
            bracketed(row["before"], row["before_expected"]),
            bracketed(row["after"], row["after_expected"]),
            row["p"],
        )
        for row in temperature_rows(temperature)
    ]


def value_of(name: str, entry: Mapping[str, Any]) -> str:
    """A share in percent, else the value."""
    if name in ("accuracy", "confidence"):
        return percent(entry["value"], 1)
    return fixed(entry["value"], 4)


def temperature_table(temperature: Mapping[str, Any]) -> Table:
    n, at = count(temperature["n_judged"]), fixed(temperature["value"], 3)
    names = ("name", "before", "before_expected", "after", "after_expected", "p")
    return Table(
        "temperature",
        [
            f"on the {n} judged questions",
            "as it is",
            "if calibrated",
            f"T = {at}",
            "if calibrated at T",
            "p",
        ],
        [[row[name] for name in names] for row in temperature_rows(temperature)],
        "p is that of no difference between the two, question by question, corrected for the "
        "tests of this page (Holm).",
    )


def abstain_note(abstain: Mapping[str, Any]) -> str:
    return (
        "Answer above a confidence, pass on the rest. Each row keeps its promise about new "
        f"questions of the same kind with a probability of {percent(1 - abstain['delta'])} "
        f"(learn then test, on {count(abstain['n'])} questions, one a cluster)."
    )


def abstain_words(abstain: Mapping[str, Any]) -> str:
    """The most demanding promise that can be kept, as a rule to follow."""
    kept = [row for row in abstain["rows"] if row["threshold"] is not None]
    if not kept:
        least = percent(min(row["target"] for row in abstain["rows"]))
        return f"No threshold can promise even {least} right answers."
    best = max(kept, key=lambda row: float(row["target"]))
    target = percent(best["target"])
    if best["coverage"] >= 1:
        return f"For {target} right answers no threshold is needed: let it answer everything."
    return (
        f"For {target} right answers, take an answer whose confidence is at least "
        f"{fixed(best['threshold'], 4)}; it then answers {percent(best['coverage'])} of the "
        "questions."
    )


def abstain_table(abstain: Mapping[str, Any]) -> Table:
    return Table(
        "thresholds",
        [
            "accuracy promised",
            "confidence needed",
            "answers",
            "right among them",
            "at least",
            "worth",
            "worth of answering all",
        ],
        [abstain_row(row) for row in abstain["rows"]],
        "Worth counts +1 for a right answer, 0 for none, and for a wrong one so much less that "
        "answering with exactly the promised accuracy is worth nothing.",
    )


def abstain_row(row: Mapping[str, Any]) -> list[str]:
    target, everything = percent(row["target"]), fixed(row["utility_all"], 3)
    if row["threshold"] is None:
        return [target, Shown("none can promise it", math.nan), *[UNKNOWN] * 4, everything]
    needed = Shown(f"≥ {fixed(row['threshold'], 4)}", row["threshold"])
    return [
        target,
        needed if row["coverage"] < 1 else Shown("none needed", row["threshold"]),
        percent(row["coverage"]),
        share(1 - row["risk"]),
        share(1 - row["bound"]),
        fixed(row["utility"], 3),
        everything,
    ]
