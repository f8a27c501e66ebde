"""A file of CSV: rows below a header, or a set of questions that is published otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.tasks.files.mmlu import is_subject, subject_rows
from calib.tasks.files.notes import Notes
from calib.tasks.files.shapes import Made
from calib.tasks.files.table import csv_rows
from calib.tasks.files.truthfulqa import is_truthfulqa, truthfulqa_row


def csv_file_rows(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if is_subject(text, path):
        yield from ((where, Made(row)) for where, row in subject_rows(text, path))
        return
    for where, row in csv_rows(text, path, notes):
        if is_truthfulqa(row):
            yield from ((place, Made(made)) for place, made in truthfulqa_row(row, where, notes))
        else:
            yield where, row
