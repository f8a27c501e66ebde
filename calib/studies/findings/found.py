"""What a finding says: conclusions, tables and figures, as plain values that a page can show.

A page knows how to show a column by what it holds (``as_``) and a figure by its kind; so a finding
draws nothing and formats no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN, AGAINST, OPEN = "shown", "against", "not shown"
"""What tests say of a claim: it is shown, the contrary is shown, or neither is."""


@dataclass(frozen=True)
class Column:
    """``as_``: text, count, percent, points, fixed, signed, p, interval (value, low, high of a
    fixed number), percents (the same of a share) or signeds (of a difference)."""

    name: str
    as_: str = "text"


@dataclass(frozen=True)
class Table:
    """Rows of raw values, one for each column."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """``kind``: forest, matrix, curves or diagrams, drawn of ``data`` (``calib.report.plots.study``
    says of what)."""

    kind: str
    title: str
    caption: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Conclusion:
    """One statement that tests decide. ``about`` is a stable name, by which seeds are compared;
    ``claim`` is the claim of the paper that it bears on, "" where none."""

    about: str
    verdict: str
    said: str
    claim: str = ""


@dataclass(frozen=True)
class Found:
    conclusions: Sequence[Conclusion] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    cautions: Sequence[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "conclusions": list(map(asdict, self.conclusions)),
            "tables": [
                {**asdict(table), "columns": [[c.name, c.as_] for c in table.columns]}
                for table in self.tables
            ],
            "figures": list(map(asdict, self.figures)),
            "cautions": list(self.cautions),
        }


def p_of(test: Mapping[str, Any]) -> list[Any]:
    """A corrected p as a column "p" takes it: the number, and whether its test gives no less."""
    at_most = test["p"] is not None and test["p"] <= test.get("least_p", 0.0)
    return [test["holm"], bool(at_most)]


def bounds(interval: Mapping[str, Any]) -> list[float | None]:
    """A value with its bounds, as columns of intervals take it."""
    return [interval["value"], interval.get("low"), interval.get("high")]
