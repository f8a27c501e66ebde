"""CSV and TSV: a header, and a row an answer."""

from __future__ import annotations

import csv
from pathlib import Path

from calib.fields import is_numeral
from calib.logs.columns import ROLES, listed, plain
from calib.logs.log import Arguments, Log, LogFormat, has_suffix
from calib.logs.table import ARGUMENTS, Table, read_table
from calib.records import InputError
from calib.tasks.files.table import DELIMITERS, Header, records
from calib.tasks.files.text import lines_of, text_of

KNOWN = {plain(name) for names in ROLES.values() for name in names}


def read(path: Path, arguments: Arguments) -> Log:
    """Records of a file with ``,``, ``;`` or tab between its fields."""
    text = text_of(path)
    header = header_of(text, path)
    cells: list[list[str]] = []
    lines: list[int] = []
    for line, row in records(text, path, header):
        if not any(value.strip() for value in row):
            continue
        if len(row) != len(header.names):
            raise InputError(
                f"{path}, line {line}: it has {len(row)} fields, and the header has "
                f"{len(header.names)}"
            )
        cells.append(row)
        lines.append(line)
    columns = {name: [row[k] for row in cells] for k, name in enumerate(header.names) if name}
    return read_table(
        Table(path, columns, lambda row: f"{path}, line {lines[row]}", written=True), arguments
    )


def header_of(text: str, path: Path) -> Header:
    """The first line that is not empty, split by the delimiter that gives most known names."""
    lines = enumerate(lines_of(text), start=1)
    line, first = next((number, line) for number, line in lines if not line.isspace())
    split = {mark: next(csv.reader([first], delimiter=mark)) for mark in DELIMITERS}
    mark = max(split, key=lambda m: (sum(plain(n) in KNOWN for n in split[m]), len(split[m])))
    names = tuple(name.strip() for name in split[mark])
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}, line {line}: the column {twice!r} appears twice")
    if all(is_numeral(name) for name in names if name):
        raise InputError(
            f"{path}, line {line}: expected a header with the columns' names; {listed(names)}"
        )
    return Header(names, line, mark, padded=any(n != n.strip() for n in split[mark]))


FORMAT = LogFormat(
    "csv", "a header and a row an answer", has_suffix(".csv", ".txt"), read, ARGUMENTS
)
TABBED = LogFormat("tsv", "the same with tabs", has_suffix(".tsv", ".tab"), read, ARGUMENTS)
