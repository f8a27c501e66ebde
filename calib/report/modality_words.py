"""What a study of images against text says in sentences: nothing that no test shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.modalities.contrasts import CLAIM
from calib.report.comparison_tables import tested
from calib.report.formats import listed
from calib.report.significance import p_of, shown

Results = Mapping[str, Any]
Tests = Mapping[tuple[str, str], Mapping[str, Any]]
"""By contrast and measure."""


def tests_by(results: Results) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(test["name"], test["measure"]): test for test in results["tests"]}


def surer(test: Mapping[str, Any]) -> int:
    """1 where the first side is shown to be surer, -1 where the second is, 0 where neither."""
    if not shown(test):
        return 0
    higher = 1 if test["value"] > 0 else -1
    return higher if test["measure"] == "confidence" else -higher


def headline(results: Results) -> str:
    """Which of image, text and both the model is surer of, as far as tests show it."""
    tests = tests_by(results)
    said = [sentence for sentence in (image_text(tests), both(tests)) if sentence]
    if said:
        return " ".join(said)
    if not tests:
        return "No two cells are compared."
    found = [of_rest(test) for test in tests.values() if shown(test)]
    return f"{found[0][0].upper()}{found[0][1:]}." if found else "No difference is shown."


def image_text(tests: Tests) -> str:
    return compared(tests, "image-text", "the picture alone", "the description alone")


def compared(tests: Tests, name: str, first: str, second: str) -> str:
    """A sentence on one contrast by both measures; "" where the study has it not."""
    if (name, "confidence") not in tests:
        return ""
    by = {m: tests[name, m] for m in ("confidence", "entropy")}
    sides = {m: surer(test) for m, test in by.items()}
    directions = {side for side in sides.values() if side}
    if not directions:
        return f"The model is not shown to be surer of {first} or of {second}."
    if len(directions) == 2:
        return f"Confidence and entropy disagree on whether {first} or {second} makes it surer."
    more, less = (first, second) if directions == {1} else (second, first)
    shown_by = [f"{m} (p {p_of(by[m])})" for m, side in sides.items() if side]
    return f"The model is surer of {more} than of {less}, by its {listed(shown_by)}."


def both(tests: Tests) -> str:
    """How sure it is of both, against each alone, with the measures that show it; what is shown
    first."""
    told: list[str] = []
    unsure: list[str] = []
    for name, other in (("both-image", "the picture"), ("both-text", "the description")):
        if (name, "confidence") not in tests:
            continue
        by = {m: tests[name, m] for m in ("confidence", "entropy")}
        found = {m: side for m, test in by.items() if (side := surer(test))}
        if not found:
            unsure.append(other)
        elif len(set(found.values())) == 2:
            told.append(f"Confidence and entropy disagree on both against {other} alone.")
        else:
            more = "surer" if 1 in found.values() else "less sure"
            shown_by = listed([f"{m}, p {p_of(by[m])}" for m in found])
            told.append(f"It is {more} of both than of {other} alone ({shown_by}).")
    if unsure:
        told.append(
            f"It is not shown to be surer or less sure of both than of {listed(unsure)} alone."
        )
    return " ".join(told)


def of_rest(test: Mapping[str, Any]) -> str:
    direction = "above" if test["value"] > 0 else "below"
    return f"{test['label']} is {direction} 0 (p {p_of(test)})"


def lead(results: Results) -> Iterator[str]:
    tests = tests_by(results)
    claim = [tests[name, m] for name in CLAIM for m in ("confidence",) if (name, m) in tests]
    if claim:
        parts = [
            f"{test['label'].removesuffix(', confidence')}: {tested('confidence', test)[0]} points"
            for test in claim
        ]
        yield f"Confidence, question by question. {'; '.join(parts)}."
    if "image" in results["arms"] and "text" in results["arms"]:
        yield (
            "A picture and its description may not tell the same of a question, so that a "
            "difference is one between these pictures and these descriptions. Surer is not better: "
            "the gap to the accuracy says whether confidence is deserved."
        )
