"""What a reader of a foreign format returns, and how a format is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.runs.record_rows import Row

Arguments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Log:
    """Records of one file, each with the fields of ``calib.logs.records``; ``facts`` go to
    config.json."""

    rows: list[Row]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A foreign format.

    ``fits(path)`` tells whether a file is of it, from its name and first line; ``arguments`` are
    those that ``read(path, arguments)`` takes by name.
    """

    name: str
    about: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Arguments], Log]
    arguments: tuple[str, ...]


def has_suffix(*suffixes: str) -> Callable[[Path], bool]:
    """A function that says whether a file's name ends in one of ``suffixes``."""
    return lambda path: path.suffix.lower() in suffixes
