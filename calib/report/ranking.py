"""What a table and a sentence say of calibrators that were ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import UNKNOWN, Shown, count, fixed, percent
from calib.report.significance import p_of
from calib.summary.ranking import NONE, sign_of

Results = Mapping[str, Any]


def ranking_head(ranking: Results) -> tuple[str, ...]:
    measure = str(ranking["measure"]).partition(" of ")[0]
    return ("calibrator", measure, "− none, 95 %", "p", "ECE", "accuracy", "confidence")


def ranking_rows(ranking: Results) -> list[tuple[str, ...]]:
    """A line for each calibrator in the order of the ranking, then those that were not fitted."""
    rows = [
        (
            row["calibrator"],
            fixed(row["measure"], 4),
            difference(row["tests"].get("measure")),
            p_of(row["tests"]["measure"], relation=False) if row["tests"] else UNKNOWN,
            fixed(row["ece"], 4),
            percent(row["accuracy"], 1),
            percent(row["confidence"], 1),
        )
        for row in ranking["rows"]
    ]
    return rows + [(name, "not fitted", *[UNKNOWN] * 5) for name in ranking["not_fitted"]]


def difference(test: Results | None) -> str:
    """The difference to none with its interval."""
    if test is None:
        return UNKNOWN
    if test["low"] is None:
        return signed(test["value"])
    return f"{signed(test['value'])} ({signed(test['low'])} to {signed(test['high'])})"


def signed(value: float) -> str:
    """A difference of two errors with its sign."""
    return Shown(f"{'+' if value > 0 else ''}{fixed(value, 4)}", value)


def ranking_words(ranking: Results) -> list[str]:
    """What the tests show, what changed answers, and why a calibrator is missing."""
    measure = ranking["measure"]
    better = ranking["better"]
    lines = [f"No calibrator is shown to be better than none, by the {measure}."]
    if better:
        lines = [
            f"Shown to lower the {measure}: {', '.join(better)} (p corrected, below 0.05, and the "
            "interval leaves out 0)."
        ]
    if len(better) > 1:
        lines.append("That one of them is better than another is not tested.")
    worse = [
        row["calibrator"] for row in ranking["rows"] if sign_of(row["tests"].get("measure")) > 0
    ]
    if worse:
        lines.append(f"Shown to raise it: {', '.join(worse)}.")
    before = next(row for row in ranking["rows"] if row["calibrator"] == NONE)
    for row in ranking["rows"]:
        test = row["tests"].get("accuracy")
        if test is not None:
            lines.append(
                f"{row['calibrator']} changes answers: accuracy {percent(before['accuracy'], 1)} "
                f"becomes {percent(row['accuracy'], 1)} (p {p_of(test)}), and the NLL of the right "
                f"option {fixed(before['nll_options'], 4)} becomes "
                f"{fixed(row['nll_options'], 4)}."
            )
    if ranking.get("lost"):
        lines.append(
            f"{count(ranking['lost'])} questions give their right option the probability 0: they "
            "are judged, and temperature, grouped and vector are not fitted to them."
        )
    lines += [f"{name} is not fitted: {why}." for name, why in ranking["not_fitted"].items()]
    return lines
