"""A user's own questions: JSONL, CSV, or LLaVA's JSON.

JSONL and CSV have the columns ``id``, ``question``, ``options``, ``answer`` and, as wanted,
``images`` (or ``image``), ``group``, ``cluster`` and others, which are kept. Options are a list; in
CSV a JSON list, texts separated by ``|``, or columns A, B, C, ... An option may itself be a list of
spellings, the first being its name. Image paths are relative to the file. A row with ``aliases`` in
place of options is to be answered freely: its answer and they are the texts that are right.

LLaVA's JSON is a list of ``{id, image, conversations: [question, answer]}``, the options written in
the question as ``(A) text``, ``A. text`` or ``A) text`` lines.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from calib.records import InputError, Item
from calib.task_files.answers import LETTERS as LETTERS
from calib.task_files.item import item_from
from calib.task_files.lines import json_lines
from calib.task_files.json_file import json_rows
from calib.task_files.notes import Notes
from calib.task_files.table import csv_rows
from calib.task_files.text import text_of

READERS = {".jsonl": json_lines, ".csv": csv_rows, ".json": json_rows}
SUFFIXES = tuple(READERS)


def read_file(path: Path) -> tuple[Item, ...]:
    """Items of one file, in its order. InputError names the file and the row that is wrong."""
    notes = Notes()
    rows = READERS[path.suffix.lower()](text_of(path), path, notes)
    items = tuple(item_from(row, path, where) for where, row in rows)
    if not items:
        raise InputError(f"{path}: there is no question in it")
    told = notes.text(path)
    if told:
        warnings.warn(told, stacklevel=2)
    return items
