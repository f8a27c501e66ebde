"""CSV: a row a question."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.task_files.answers import LETTERS
from calib.task_files.notes import Notes
from calib.task_files.values import parse


def csv_rows(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, line {rows.line_num + 1}: this is not CSV ({error})"
            ) from error
        where = f"{path}, line {rows.line_num}"
        if None in row or None in row.values():
            raise InputError(f"{where}: it has not as many fields as the header")
        filled = {name: value for name, value in row.items() if value != ""}
        columns = [letter for letter in LETTERS if letter in filled]
        if "options" in filled:
            filled["options"] = split(filled["options"], where)
        elif columns:
            if "".join(columns) != LETTERS[: len(columns)]:
                raise InputError(f"{where}: an option before {columns[-1]} is empty")
            filled["options"] = [filled.pop(letter) for letter in columns]
        if "images" in filled:
            filled["images"] = split(filled["images"], where)
        yield where, filled


def split(text: str, where: str) -> list[Any]:
    if text.lstrip().startswith("["):
        return list(parse(text, where))
    return [part.strip() for part in text.split("|")]
