"""The calibrators by name: a line each.

A calibrator has ``fit``, ``transform``, ``predict_proba``, ``save`` and ``load``. ``save`` writes
the calibrator's ``format`` into the file, from which ``load`` here chooses the class.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from calib.fields import read_object
from calib.records import InputError


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Where a calibrator's class is, loaded at its first use, and the format that it saves."""

    module: str
    name: str
    format: str

    def load_class(self) -> Any:
        return getattr(import_module(self.module), self.name)


CALIBRATORS: dict[str, Calibrator] = {
    "temperature": Calibrator(
        "calib.calibrators.temperature", "TemperatureScaling", "calib.temperature/1"
    ),
}


def load(path: str | os.PathLike[str]) -> Any:
    """The fitted calibrator that a file holds, of the class in ``CALIBRATORS`` that wrote it.

    Raises InputError for a file that none of them wrote, or that cannot be read.
    """
    saved_format = read_object(Path(path)).get("format")
    for entry in CALIBRATORS.values():
        if entry.format == saved_format:
            return entry.load_class().load(path)
    formats = ", ".join(entry.format for entry in CALIBRATORS.values())
    raise InputError(f"{path}: expected the format {formats}, got {saved_format!r}")
