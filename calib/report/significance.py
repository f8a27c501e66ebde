"""What a page says of its tests.

It states a difference where its p, corrected for the number of tests, is below ``LEVEL``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import listed, pvalue

LEVEL = 0.05
RESAMPLED = {"question": "question by question", "image": "by image"}
"""What is drawn whole, in words; else, and where an earlier version did not say, clusters."""
FEW_DIFFER = "Where few answers differ, the interval agrees with the exact test, or there is none."


def shown(test: Mapping[str, Any]) -> bool:
    return test["p"] is not None and test["holm"] < LEVEL


def sign(test: Mapping[str, Any]) -> int:
    """1 or -1 where a difference is shown, by its p and by its interval where there is one."""
    if test["value"] is None or not shown(test):
        return 0
    low, high = test.get("low"), test.get("high")
    if low is not None and high is not None and low <= 0 <= high:
        return 0
    return int(test["value"] > 0) - int(test["value"] < 0)


def claim(difference: Mapping[str, Any], equivalence: Mapping[str, Any]) -> str:
    """What the tests of one quantity show of two runs; a large p alone shows nothing."""
    same = f"be equivalent within {equivalence['margin']}" if shown(equivalence) else ""
    if shown(difference):
        return f"shown to differ and {same}" if same else "shown to differ"
    return f"shown to {same}" if same else "neither is shown"


def moved(tests: Mapping[str, Mapping[str, Any]]) -> str:
    """What tests of differences show: "lowers A (p < 0.001) and raises B and C (...)"; "" for
    nothing."""
    lower = [test for test in tests.values() if shown(test) and test["value"] < 0]
    higher = [test for test in tests.values() if shown(test) and test["value"] > 0]
    done = [
        f"{verb} " + listed([f"{test['label']} (p {p_of(test)})" for test in own])
        for verb, own in (("lowers", lower), ("raises", higher))
        if own
    ]
    return " and ".join(done)


def p_of(test: Mapping[str, Any], relation: bool = True) -> str:
    """The corrected p of a test, "≤" before the smallest that it can give."""
    at_most = test["p"] is not None and test["p"] <= test.get("least_p", 0.0)
    return pvalue(test["holm"], relation, at_most)


def resampled(results: Mapping[str, Any]) -> str:
    """How the questions of a comparison or an evaluation are resampled and exchanged."""
    return RESAMPLED.get(results.get("resampled", ""), "by cluster")
