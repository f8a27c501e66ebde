"""A page states a difference where its p, corrected for the number of tests, is below ``LEVEL``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.report.formats import pvalue

LEVEL = 0.05


def shown(test: Mapping[str, Any]) -> bool:
    return test["p"] is not None and test["holm"] < LEVEL


def p_of(test: Mapping[str, Any], relation: bool = True) -> str:
    """The corrected p of a test, "≤" before the smallest that it can give."""
    at_most = test["p"] is not None and test["p"] <= test["least_p"]
    return pvalue(test["holm"], relation, at_most)
