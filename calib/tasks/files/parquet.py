"""Parquet, as data sets on the Hugging Face Hub are stored: a row a question, from 0 on.

A picture is a struct of bytes and path, as the library datasets writes it, or bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.notes import Notes
from calib.tasks.files.shapes import expanded
from calib.tasks.files.text import check_regular, reading
from calib.tasks.files.values import shown

ROWS = 256
"""Rows that are decoded at a time: their pictures are held twice meanwhile."""


def parquet_rows(path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of the file. InputError where it cannot be read as Parquet or has a column twice."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise InputError(f"{path}: Parquet is read by pyarrow; pip install pyarrow") from error

    with reading(path):
        check_regular(path)
    number = 0
    try:
        with ParquetFile(path) as file:
            names = file.schema_arrow.names
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise InputError(f"{path}: the column {shown(doubled[0])} appears twice")
            for batch in file.iter_batches(ROWS):
                for row in batch.to_pylist():
                    yield from expanded(row, f"{path}, row {number}", notes, number)
                    number += 1
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: it cannot be read as Parquet ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
