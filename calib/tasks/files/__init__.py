"""A user's own questions, read from JSONL, CSV (semicolons and tabs, too), JSON or Parquet, from a
folder of tables or from rows in memory.

``docs/files.md`` says what each format and column is. A reader yields rows with their places;
``columns`` knows the names. ``item`` makes an item of a row: ``values``, ``answers`` and
``pictures`` read its values, and ``checks`` checks it, as it checks items made in Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from calib.records import InputError, Item, at_home
from calib.tasks.files.checks import alike
from calib.tasks.files.columns import LETTERS as LETTERS
from calib.tasks.files.columns import Row
from calib.tasks.files.csv_file import csv_file_rows
from calib.tasks.files.ids import Ids
from calib.tasks.files.item import item_from
from calib.tasks.files.json_file import json_rows
from calib.tasks.files.lines import json_lines
from calib.tasks.files.mmlu import folder_rows
from calib.tasks.files.notes import Notes
from calib.tasks.files.parquet import parquet_rows
from calib.tasks.files.pictures import Pictures
from calib.tasks.files.shapes import Made, Rows, expanded
from calib.tasks.files.text import text_of
from calib.tasks.files.twin_rows import KEPT, as_twin
from calib.tasks.files.values import mapping

READERS = {
    ".jsonl": json_lines,
    ".csv": csv_file_rows,
    ".json": json_rows,
    ".tsv": csv_file_rows,
}
SUFFIXES = (*READERS, ".parquet")


def read_file(path: Path) -> tuple[Item, ...]:
    """Items of one file, or of a folder as MMLU is published, in its order; ``~`` stands for the
    home folder.

    InputError names the file and the row that is wrong. What no question uses is named in one
    warning.
    """
    path = at_home(str(path))
    notes = Notes()
    return items_of(rows_of(path, notes), path, notes)


def read_rows(rows: Iterable[Any], name: str = "rows") -> tuple[Item, ...]:
    """Items of rows in memory, with a file's columns: mappings, as a Dataset of the library
    datasets gives them. ``name`` stands in messages for the file's; pictures are bytes or paths."""
    notes = Notes()
    return items_of(rows_in(rows, name, notes), Path(name), notes)


def rows_in(rows: Iterable[Any], name: str, notes: Notes) -> Rows:
    for number, row in enumerate(rows):
        where = f"{name}, row {number}"
        yield from expanded(mapping(row, where), where, notes, number)


def items_of(rows: Rows, path: Path, notes: Notes) -> tuple[Item, ...]:
    ids, pictures = Ids(path, notes), Pictures(path)
    items = []
    for where, written in rows:
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
        warnings.warn(message, stacklevel=3)
    return tuple(items)


def is_folder(path: Path) -> bool:
    """Whether the path is read as a folder of tables: one named as a file is refused as such."""
    return path.suffix.lower() not in SUFFIXES and path.is_dir()


def rows_of(path: Path, notes: Notes) -> Rows:
    if is_folder(path):
        return ((where, Made(row)) for where, row in folder_rows(path))
    read = READERS.get(path.suffix.lower())
    return read(text_of(path), path, notes) if read else parquet_rows(path, notes)


def note_options(item: Item, row: Row, notes: Notes) -> None:
    if alike(item.options):
        notes.alike(row.where)
    if item.options and item.answer is not None:
        notes.answer(item.answer, row.by_index and not row.of_shape)
        if row.over_truth and not row.of_shape:
            notes.over_truth(item.options[item.answer])
