"""npz: NumPy arrays by name, (N,) each, and logits or probabilities (N, O)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from calib.logs.columns import listed
from calib.logs.log import Arguments, Log, LogFormat, has_suffix
from calib.logs.table import ARGUMENTS, Table, read_table
from calib.records import InputError
from calib.tasks.files.text import check_regular, reading


def read(path: Path, arguments: Arguments) -> Log:
    """Records of the arrays. InputError where they are not of one length, or hold objects."""
    with reading(path):
        check_regular(path)
    columns: dict[str, Any] = {}
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise InputError(f"{path}: expected arrays by name (numpy.savez), got one array")
        with loaded as file:
            for name in file.files:
                columns[name] = file[name]
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: it cannot be read as npz of numbers and texts ({error})"
        ) from error
    columns = {name: values for name, values in columns.items() if values.ndim}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {n:,}" for name, n in lengths.items())
        raise InputError(f"{path}: expected arrays of one length, got {sizes}")
    wide = [name for name, values in columns.items() if values.ndim > 2]
    if wide or not columns:
        reason = f"{wide[0]} is {columns[wide[0]].shape}" if wide else listed(list(columns))
        raise InputError(f"{path}: expected arrays (N,) or (N, O); {reason}")
    columns = {
        name: values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        for name, values in columns.items()
    }
    return read_table(Table(path, columns, lambda row: f"{path}, row {row}"), arguments)


FORMAT = LogFormat("npz", "NumPy arrays by name", has_suffix(".npz", ".npy"), read, ARGUMENTS)
