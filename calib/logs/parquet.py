"""Parquet: a row an answer, from 0 on."""

from __future__ import annotations

from pathlib import Path

from calib.logs.log import Arguments, Log, LogFormat, has_suffix
from calib.logs.table import ARGUMENTS, Table, read_table
from calib.records import InputError
from calib.tasks.files.text import check_regular, reading


def read(path: Path, arguments: Arguments) -> Log:
    """Records of the file. InputError where it cannot be read as Parquet."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise InputError(f"{path}: Parquet is read by pyarrow; pip install pyarrow") from error
    with reading(path):
        check_regular(path)
    try:
        with ParquetFile(path) as file:
            columns = file.read().to_pydict()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path}: it cannot be read as Parquet ({first})") from error
    return read_table(Table(path, columns, lambda row: f"{path}, row {row}"), arguments)


FORMAT = LogFormat(
    "parquet", "a row an answer", has_suffix(".parquet", ".pq"), read, ARGUMENTS
)  # fmt: skip
