"""Every table of a page as a CSV file: numbers and names in full, intervals in two columns, and
numbers with their intervals in three.

A share is one of 1, also where the page shows it in percent or in points.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from calib.fields import is_numeral
from calib.report.blocks import Cards, Page, Table
from calib.report.formats import UNKNOWN, Label, Shown

FOLDER = "tables"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula."""


def tables_of(page: Page) -> Iterator[Table]:
    """The page's tables, those of its cards among them, in reading order."""
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield block
            elif isinstance(block, Cards):
                yield block.table


def file_of(table: Table) -> str:
    """Its path, relative to the page."""
    return f"{FOLDER}/{table.name}.csv"


def csv_text(table: Table) -> str:
    """The table: a header, then its rows; a column of intervals becomes two, with numbers three."""
    columns = range(len(table.head))
    widths = [max((width(row[k]) for row in table.rows), default=1) for k in columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head: list[str] = []
    for name, wide in zip(table.head, widths, strict=True):
        told = name.in_csv if isinstance(name, Label) else name
        head += [told, f"{told}, low", f"{told}, high"][-wide:] if wide > 1 else [told]
    writer.writerow(head)
    for row in table.rows:
        cells: list[str] = []
        for cell, wide in zip(row, widths, strict=True):
            cells += spread(cell, wide)
        writer.writerow(cells)
    return out.getvalue()


def width(cell: str) -> int:
    """How many columns it takes."""
    value = value_of(cell)
    return len(value) if isinstance(value, tuple) else 1


def spread(cell: str, wide: int) -> list[str]:
    """The cell in so many columns: of an interval none where it is not known."""
    value = value_of(cell)
    if isinstance(value, tuple):
        return list(map(repr, value))
    return ["", ""] if wide == 2 else [plain(cell), *[""] * (wide - 1)]


def plain(cell: str) -> str:
    """A number in full, else the text; an apostrophe before one that looks like a formula."""
    value = value_of(cell)
    if value is not None:
        return repr(value)
    told = cell.in_csv if isinstance(cell, Label) else str(cell)
    text = "" if cell == UNKNOWN else told.replace("\N{NO-BREAK SPACE}", " ")
    return f"'{text}" if text.startswith(FORMULA) and not is_numeral(text) else text


def value_of(cell: str) -> float | tuple[float, ...] | None:
    return cell.value if isinstance(cell, Shown) else None


def remove_others(folder: Path, page: Page) -> None:
    """Take away tables that an earlier page had and this one has not."""
    names = {f"{table.name}.csv" for table in tables_of(page)}
    for path in (folder / FOLDER).glob("*.csv"):
        if path.name not in names:
            path.unlink()
