"""CSV, semicolons and tabs included: a row a question."""

from __future__ import annotations

import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.columns import column_of, is_known, plain
from calib.tasks.files.notes import Notes
from calib.tasks.files.pictures import is_base64
from calib.tasks.files.text import lines_of
from calib.tasks.files.values import parse, python_texts, shown

DELIMITERS = (",", ";", "\t")
NAMED = re.compile(r"sep=([,;\t])\s*", re.I)
"""A first line by which a spreadsheet names its delimiter."""

LISTS = {"options", "spellings", "aliases", "images"}
REFERENCE = re.compile(r"[0-9]{1,18}")

_limit = threading.Lock()


@dataclass(frozen=True)
class Header:
    """The line of column names: where it stands, and how its table is written."""

    names: tuple[str, ...]
    line: int
    delimiter: str
    padded: bool  # a space around names stands around fields, too, and belongs to neither


def csv_rows(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    header = header_of(text, path)
    rows = []
    for line, cells in records(text, path, header):
        where = f"{path}, line {line}"
        if header.padded:
            cells = [cell.strip() for cell in cells]
        if any(cell and not cell.isspace() for cell in cells):
            rows.append((where, row_of(cells, header, where, notes)))
    pictures = pictures_by_index(row for _, row in rows)
    for where, row in rows:
        yield where, {name: cell_in(name, row[name], where, pictures) for name in row}


def header_of(text: str, path: Path) -> Header:
    """The first line that is not empty; of the delimiters, the one that gives most known names."""
    lines = enumerate(lines_of(text), start=1)
    line, first = next((n, line) for n, line in lines if not line.isspace())
    delimiters: tuple[str, ...] = DELIMITERS
    declared = NAMED.fullmatch(first)
    if declared:
        line, first = next(((n, line) for n, line in lines if not line.isspace()), (line, first))
        delimiters = (declared[1],)
    with fields_of_any_size():
        read = {
            mark: next(csv.reader([first], delimiter=mark, skipinitialspace=True))
            for mark in delimiters
        }
        written = {mark: next(csv.reader([first.rstrip()], delimiter=mark)) for mark in delimiters}
    delimiter = max(read, key=lambda mark: (sum(map(is_known, read[mark])), len(read[mark])))
    names = tuple(name.strip() for name in read[delimiter])
    doubled = [
        name for name, count in Counter(map(str.casefold, names)).items() if name and count > 1
    ]
    if doubled:
        raise InputError(f"{path}, line {line}: the column {shown(doubled[0])} appears twice")
    if not any(map(is_known, names)):
        raise InputError(
            f"{path}, line {line}: expected a header with id, question, options and answer; the "
            f"columns are {', '.join(map(shown, names[:40]))}"
        )
    return Header(names, line, delimiter, any(name != name.strip() for name in written[delimiter]))


def records(text: str, path: Path, header: Header) -> Iterator[tuple[int, list[str]]]:
    """The fields of each record below the header, with the line that it begins on."""
    rows = csv.reader(
        islice(lines_of(text), header.line, None),
        delimiter=header.delimiter,
        skipinitialspace=header.padded,
        strict=True,
    )
    while True:
        line = header.line + rows.line_num + 1
        try:
            with fields_of_any_size():
                cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, line {line}: this is not CSV ({error}); a field that begins with a quote "
                "ends with one, and quotes in it are doubled"
            ) from error
        yield line, cells


@contextmanager
def fields_of_any_size() -> Iterator[None]:
    """Lift the limit on fields, which holds for the whole process, for one call."""
    with _limit:
        before = csv.field_size_limit(2**31 - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def row_of(cells: list[str], header: Header, where: str, notes: Notes) -> dict[str, str]:
    """Fields by column. One without a name, as an index or a spreadsheet leaves, is not used."""
    extra = any(cell.strip() for cell in cells[len(header.names) :])
    if len(cells) < len(header.names) or extra:
        raise InputError(
            f"{where}: it has not as many fields as the header: {len(cells)}, not "
            f"{len(header.names)}"
        )
    fields = list(zip(header.names, cells, strict=False))
    if any(cell.strip() for name, cell in fields if not name):
        notes.column("")
    return {name: cell for name, cell in fields if name}


def pictures_by_index(rows: Iterator[Mapping[str, str]]) -> dict[str, str]:
    """Pictures in base64 by their row's ``index``: another row may name it in their place."""
    pictures = {}
    for row in rows:
        fields = {plain(name): cell for name, cell in row.items()}
        image = fields.get("image", fields.get("images", ""))
        if is_base64(image):
            pictures[fields.get("index", fields.get("id", "")).strip()] = image
    return pictures


def cell_in(name: str, cell: str, where: str, pictures: Mapping[str, str]) -> Any:
    """A field as JSON would have it: lists apart from texts."""
    column, text = column_of(name), cell.strip()
    if column == "images" and pictures and REFERENCE.fullmatch(text):
        if text not in pictures:
            raise InputError(f"{where}: {name}: no row with the index {text} has a picture")
        return pictures[text]
    if column in ("meta", "turns") and text:
        return parse(text, f"{where}: {name}")
    if column in LISTS and text:
        return split(text, f"{where}: {name}")
    return cell


def split(text: str, where: str) -> Any:
    """A list from JSON, an object of a picture, or texts between bars."""
    if text[0] + text[-1] in ("[]", "{}"):
        try:
            return parse(text, where)
        except InputError as error:
            texts = python_texts(text)
            if texts is not None:
                return texts
            raise InputError(
                f'{error}; write a list as ["a", "b"], its texts in double quotes'
            ) from error
    return [part.strip() for part in text.split("|")]
