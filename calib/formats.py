"""Numbers as a reader sees them: one minus sign, no-break spaces, a dash for what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percent(value: float | None, digits: int = 0) -> str:
    # A no-break space: the sign stays with its number.
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def fixed(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def points(value: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def pvalue(value: float | None, relation: bool = False, least: float | None = None) -> str:
    """A p value; ``least`` is the smallest that its test could give, which then says no more."""
    if value is None:
        return "–"
    if least and value <= least * (1 + 1e-9):
        return f"≤ {least:.1g}" if least < 0.001 else f"≤ {least:.3f}"
    if value < 0.001:
        return "< 0.001"
    return f"= {value:.3f}" if relation else f"{value:.3f}"


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def span(row: Mapping[str, Any], percent_digits: int) -> str:
    if row["low"] is None:
        return "–"
    return f"{percent(row['low'], percent_digits)} … {percent(row['high'], percent_digits)}"


def cell(value: Any) -> str:
    """Text that fits into one cell of a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")
