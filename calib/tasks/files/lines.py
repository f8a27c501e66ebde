"""JSONL: an object a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.notes import Notes
from calib.tasks.files.shapes import expanded
from calib.tasks.files.text import lines_of
from calib.tasks.files.values import mapping, parse


def json_lines(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = 0
    for number, line in enumerate(lines_of(text), start=1):
        row = line.strip()
        if row:
            where = f"{path}, line {number}"
            if row in ("[", "{"):
                raise InputError(
                    f"{where}: this is not JSON Lines, which has one whole object a line; name the "
                    "file .json where it is one list or object"
                )
            yield from expanded(mapping(parse(row, where), where), where, notes, rows)
            rows += 1
