"""The sentences of a score report: no more than its tests support.

A page states a difference where its p, corrected for the number of tests on the page (Holm), is
below ``LEVEL``; else it says what chance alone would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import count, fixed, percent, plural, pvalue, share, within
from calib.report.significance import LEVEL
from calib.runs.kinds import SCORE

LEAST_TOLD = 50
"""A headline about a confidence needs at least so many answers with it."""

LEAST_MASS = 0.5
"""Where the options have less probability than this, the page begins with a caveat."""

OF_A_MODEL = {
    "word": "Does it keep its word?",
    "bins": "Questions are sorted into bins by the model's confidence. A dot on the dashed line "
    "keeps its word",
    "sorting": "Can its confidence sort right from wrong?",
    "gap": "the model is more confident than right",
    "letting": "When to let it answer",
    "mistakes": "Its most over-confident mistakes",
    "numbers": "Over {questions} it was {confidence} sure on average and right {accuracy} of the "
    "time. Its expected calibration error is {ece}; a perfectly calibrated model would show "
    "{expected} (p {p}).",
    "in places": "It is miscalibrated in places, though not on average.",
    "too high": "It is over-confident.",
    "too low": "It is under-confident.",
}

OF_A_TABLE = {
    "word": "Does the confidence keep its word?",
    "bins": "Answers are sorted into bins by their confidence. A dot on the dashed line keeps its "
    "word",
    "sorting": "Can the confidence sort right from wrong?",
    "gap": "the confidences are higher than the share that is right",
    "letting": "When to take an answer",
    "mistakes": "The most over-confident mistakes",
    "numbers": "Over {answers} the confidence is {confidence} on average, and {accuracy} are "
    "right. The expected calibration error is {ece}; perfectly calibrated confidences would show "
    "{expected} (p {p}).",
    "in places": "The confidence is wrong in places, though not on average.",
    "too high": "The confidence is too high.",
    "too low": "The confidence is too low.",
}
"""Headings and sentences of a model's page, and of a table's, where no model is known."""

NULL_NOTE = (
    "“Expected if calibrated” is the metric's mean when the answers are redrawn so that every "
    "confidence is true, and p the share of draws at least as large as what was seen, corrected "
    "for the number of tests on this page (Holm). Binned errors are above zero even then, and have "
    "no interval: p decides whether a model is miscalibrated, and the debiased error says by how "
    "much."
)


def has_model(results: Mapping[str, Any]) -> bool:
    """Whether the numbers are known to be a model's: of a table no model need be named."""
    facts = results.get("facts", {})
    return "model" in facts or facts.get("kind", SCORE) == SCORE


def headings(results: Mapping[str, Any]) -> Mapping[str, str]:
    """The headings and sentences of a model's page or of a table's."""
    return OF_A_MODEL if has_model(results) else OF_A_TABLE


def title(results: Mapping[str, Any]) -> str:
    task = str(results["overall"]["task"])
    if not has_model(results):
        return task
    return f"{results['facts'].get('model', 'the model')} on {task}"


def headline(results: Mapping[str, Any]) -> str:
    """One sentence: what the confidence that is stated most often is worth.

    Where no bin holds ``LEAST_TOLD`` answers, what confidence and accuracy are on average.
    """
    fullest = max(results["diagram"]["rows"], key=lambda row: row["n"])
    counts, model = results["counts"], has_model(results)
    begun = ""
    if model and counts["total"] < counts["planned"]:
        begun = f"Unfinished, {counts['total']:,} of {counts['planned']:,}: "
    if fullest["n"] >= LEAST_TOLD:
        return begun + of_bin(fullest, model)
    return begun + of_all(results["overall"], results["metrics"]["accuracy"], model)


def of_bin(row: Mapping[str, Any], model: bool) -> str:
    """What a bin's confidence is worth."""
    sure, n, right = about(row["confidence"]), count(row["n"]), count(row["correct"])
    within_95 = f"95 % interval {within(row['accuracy_low'], row['accuracy_high'])}"
    if model:
        return f"When it says {sure}, it is right {right} times of {n} ({within_95})."
    return f"Of {n} answers with a confidence of {sure}, {right} are right ({within_95})."


def of_all(overall: Mapping[str, Any], accuracy: Mapping[str, Any], model: bool) -> str:
    """Confidence and accuracy on average; of too few answers, that they are."""
    n = overall["n"]
    if n < LEAST_TOLD:
        what, whose = ("question", "its") if model else ("answer", "the")
        verb = "is" if n == 1 else "are"
        return f"{plural(n, what)} {verb} too few to say what {whose} confidence is worth."
    sure, right = about(overall["confidence"]), count(round(overall["accuracy"] * n))
    low, high = accuracy["low"], accuracy["high"]
    interval = "" if low is None else f" (95 % interval {within(low, high)})"
    if model:
        return f"On average it says {sure}, and it is right {right} times of {count(n)}{interval}."
    return f"The confidence is {sure} on average, and {right} of {count(n)} are right{interval}."


def about(confidence: float) -> str:
    """A mean of confidences, rounded."""
    rounded = share(confidence)
    return rounded if rounded.startswith(("over", "under")) else f"about {rounded}"


def verdict(overall: Mapping[str, Any], said: Mapping[str, str] = OF_A_MODEL) -> str:
    """Whether the gap is real, and which way it points; ``said`` holds the sentences."""
    numbers = said["numbers"].format(
        questions=plural(overall["n"], "question"),
        answers=plural(overall["n"], "answer"),
        confidence=percent(overall["confidence"], 1),
        accuracy=percent(overall["accuracy"], 1),
        ece=fixed(overall["ece"], 3),
        expected=fixed(overall["expected"], 3),
        p=pvalue(overall["holm"], relation=True, at_most=overall["at_most"]),
    )
    if overall["holm"] >= LEVEL:
        return f"No miscalibration is shown. {numbers}"
    if abs(overall["gap"]) < 0.01:
        return f"{said['in places']} {numbers}"
    return f"{said['too high' if overall['gap'] > 0 else 'too low']} {numbers}"


def caveats(results: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing the numbers."""
    counts, overall, temperature = results["counts"], results["overall"], results["temperature"]
    said = []
    if overall.get("mass", 1.0) < LEAST_MASS:
        said.append(forced_choice("its", overall["mass"]))
    accuracy, guess = results["metrics"]["accuracy"], overall.get("guess")
    if guess is not None and (accuracy["low"] is None or accuracy["low"] <= guess):
        said.append(
            f"It is not shown to be right more often than a guess, which is right "
            f"{percent(guess, 1)} of the time."
        )
    if (left_out := counts["total"] - counts["scored"]) > 0:
        said.append(
            f"{count(left_out)} of {count(counts['total'])} questions are not in these numbers: "
            f"{count(counts['without_answer'])} have no known answer, {count(counts['invalid'])} "
            f"gave no valid scores{unparsed_words(counts)}."
        )
    if temperature is not None and temperature["degenerate"]:
        said.append(f"The temperature is not a true minimum: {temperature['reason']}.")
    return said


def unparsed_words(counts: Mapping[str, Any]) -> str:
    if "unparsed" not in counts:
        return ""
    return f", to {count(counts['unparsed'])} no letter was said"


def forced_choice(whose: str, mass: float) -> str:
    return (
        f"Only {percent(mass, 1)} of {whose} probability lies on the options: left alone it would "
        "mostly say something else, and the confidence here is that of a forced choice."
    )
