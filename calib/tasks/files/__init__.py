"""A user's own questions, read from JSONL, CSV (semicolons and tabs, too), JSON or Parquet.

``docs/files.md`` says what each format and column is. A reader yields rows with their places;
``columns`` knows the names. ``item`` makes an item of a row: ``values``, ``answers`` and
``pictures`` read its values, and ``checks`` checks it, as it checks items made in Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError, Item, at_home
from calib.tasks.files.checks import alike
from calib.tasks.files.columns import LETTERS as LETTERS
from calib.tasks.files.columns import Row
from calib.tasks.files.ids import Ids
from calib.tasks.files.item import item_from
from calib.tasks.files.json_file import json_rows
from calib.tasks.files.lines import json_lines
from calib.tasks.files.notes import Notes
from calib.tasks.files.parquet import parquet_rows
from calib.tasks.files.pictures import Pictures
from calib.tasks.files.shapes import Made
from calib.tasks.files.table import csv_rows
from calib.tasks.files.text import text_of
from calib.tasks.files.twin_rows import KEPT, as_twin

READERS = {".jsonl": json_lines, ".csv": csv_rows, ".json": json_rows, ".tsv": csv_rows}
SUFFIXES = (*READERS, ".parquet")


def read_file(path: Path) -> tuple[Item, ...]:
    """Items of one file, in its order; ``~`` stands for the home folder.

    InputError names the file and the row that is wrong. What no question uses is named in one
    warning.
    """
    path = at_home(str(path))
    notes = Notes()
    ids, pictures = Ids(path, notes), Pictures(path)
    items = []
    for where, written in rows_of(path, notes):
        row = Row(as_twin(written), where, of_shape=isinstance(written, Made))
        for name in row.others:
            if name not in KEPT:
                notes.column(name)
        for name in row.pictures_left:
            notes.picture(name)
        items.append(item_from(row, ids.of(row), pictures))
        note_options(items[-1], row, notes)
        ids.add(items[-1].id, where)
    message = notes.text(path)
    if not items:
        raise InputError(f"{path}: it holds no questions" + (f" ({message})" if message else ""))
    if message:
        warnings.warn(message, stacklevel=2)
    return tuple(items)


def rows_of(path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    read = READERS.get(path.suffix.lower())
    return read(text_of(path), path, notes) if read else parquet_rows(path, notes)


def note_options(item: Item, row: Row, notes: Notes) -> None:
    if alike(item.options):
        notes.alike(row.where)
    if item.options and item.answer is not None:
        notes.answer(item.answer, row.by_index and not row.of_shape)
        if row.over_truth and not row.of_shape:
            notes.over_truth(item.options[item.answer])
