"""What is aimed at, beside what was found: printed and kept, asserted nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cases import OURS

Row = dict[str, Any]
Measure = Callable[[Sequence[Row]], float | None]


@dataclass(frozen=True)
class Target:
    """One number of a run. ``aim`` is None for numbers that are only worth knowing."""

    what: str
    aim: float | None
    unit: str  # x, us, MiB, %, bytes
    find: Measure
    at_least: bool = True

    def row(self, rows: Sequence[Row]) -> Row:
        """A row of results; ``met`` is None where nothing was measured or aimed at."""
        found = self.find(rows)
        met = None
        if found is not None and self.aim is not None:
            met = found >= self.aim if self.at_least else found <= self.aim
        return {
            "kind": "target",
            "what": self.what,
            "aim": self.aim,
            "unit": self.unit,
            "at_least": self.at_least,
            "found": found,
            "met": met,
        }


def line(row: Row) -> str:
    """One line of the table."""
    sign = ">=" if row["at_least"] else "<="
    aim = "" if row["aim"] is None else f"{sign} {row['aim']:g} {row['unit']}"
    found = "not measured" if row["found"] is None else f"{row['found']:.3g} {row['unit']}"
    verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
    return f"{row['what']:60}{aim:>14}{found:>16}  {verdict}".rstrip()


@dataclass(frozen=True)
class Cell:
    """Where a number stands in the results: one size of one op, on its most threads."""

    op: str
    mode: str
    dtype: str
    rows: int
    columns: int
    column: str = "ratio"  # or ratio_of_minima: what ``against`` reads

    @property
    def name(self) -> str:
        return f"{self.op}{', ' + self.mode if self.mode else ''} {self.dtype}"

    def row(self, rows: Sequence[Row], variant: str) -> Row | None:
        wanted = (self.op, self.mode, self.dtype, self.rows, self.columns, variant)
        found = [
            row
            for row in rows
            if row.get("kind") == "timing"
            and "error" not in row
            and tuple(row[n] for n in ("op", "mode", "dtype", "rows", "columns", "variant"))
            == wanted
        ]
        return max(found, key=lambda row: row["threads"], default=None)

    def own(self, column: str) -> Measure:
        """A column of our row."""
        return self.of(OURS, column)

    def of(self, variant: str, column: str) -> Measure:
        """A column of a variant's row."""

        def find(rows: Sequence[Row]) -> float | None:
            row = self.row(rows, variant)
            return row.get(column) if row else None

        return find

    def against(self, variant: str) -> Measure:
        """How many times our time a variant takes."""

        return self.of(variant, self.column)


def answer_targets(cell: Cell) -> list[Target]:
    """S answers to one prompt: the whole against plain generation, decoding against copies."""
    decoding = quotient(cell.of("repeated", "decode_seconds"), cell.own("decode_seconds"))
    return [
        Target(f"{cell.name}: generate / ours", 10, "x", cell.against("eager")),
        Target(f"{cell.name}: decoding, repeated / ours", 2, "x", decoding),
        Target(f"{cell.name}: answers a second", None, "/s", cell.own("rows_per_second")),
    ]


def inverse(find: Measure) -> Measure:
    def turned(rows: Sequence[Row]) -> float | None:
        found = find(rows)
        return 1 / found if found else None

    return turned


def percent(find: Measure) -> Measure:
    def scaled(rows: Sequence[Row]) -> float | None:
        found = find(rows)
        return None if found is None else 100 * found

    return scaled


def excess(find: Measure) -> Measure:
    """Percent by which ours takes longer than a variant, from ``Cell.against``."""

    def beyond(rows: Sequence[Row]) -> float | None:
        found = find(rows)
        return (1 / found - 1) * 100 if found else None

    return beyond


def quotient(above: Measure, below: Measure) -> Measure:
    def find(rows: Sequence[Row]) -> float | None:
        a, b = above(rows), below(rows)
        return a / b if a is not None and b else None

    return find


def bandwidth(rows: Sequence[Row]) -> float | None:
    """Bytes per second of a copy, as measured in the same run."""
    return next((row["copy"] for row in rows if row.get("kind") == "bandwidth"), None)
