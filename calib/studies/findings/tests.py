"""Tests as findings read them: corrected together, said with their p."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from calib.intervals import add_holm
from calib.report.significance import p_of as p_said
from calib.report.significance import sign as sign
from calib.studies.findings.found import AGAINST, OPEN, SHOWN, Column, bounds, p_of

Test = Mapping[str, Any]
TESTED = (Column("difference", "signeds"), Column("p, Holm", "p"))
"""The columns of ``cells``."""


def corrected(tests: Iterable[Test]) -> list[dict[str, Any]]:
    """Copies of tests, their p corrected as one family (Holm); those without a p stay so."""
    family = [dict(test) for test in tests]
    add_holm(family)
    return family


def cells(test: Test) -> list[Any]:
    return [bounds(test), p_of(test)]


def verdict(found: int, claimed: int) -> str:
    """What a sign says of a claim that it is ``claimed``."""
    if not found:
        return OPEN
    return SHOWN if found == claimed else AGAINST


def said(test: Test) -> str:
    """ "p = 0.012", corrected."""
    return f"p {p_said(test)}"
