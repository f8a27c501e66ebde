"""JSONL: an object an answer, each a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calib.logs.log import Arguments, Log, LogFormat, has_suffix
from calib.logs.table import ARGUMENTS, Table, read_table
from calib.records import InputError
from calib.tasks.files.text import lines_of, text_of
from calib.tasks.files.values import mapping, parse


def read(path: Path, arguments: Arguments) -> Log:
    rows = json_rows(path)
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    columns = {name: [row.get(name) for _, row in rows] for name in names}
    return read_table(Table(path, columns, lambda row: f"{path}, line {rows[row][0]}"), arguments)


def json_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The number and object of each line. Raises InputError for a line that is no object."""
    rows = []
    for number, line in enumerate(lines_of(text_of(path)), start=1):
        if not line.isspace():
            where = f"{path}, line {number}"
            if line.strip() in ("[", "{"):
                raise InputError(f"{where}: this is not JSON Lines: expected a whole object a line")
            rows.append((number, dict(mapping(parse(line, where), where))))
    return rows


FORMAT = LogFormat("jsonl", "an object an answer", has_suffix(".jsonl", ".ndjson"), read, ARGUMENTS)
