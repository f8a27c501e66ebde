"""Objects of JSON that are rows of another shape, as rows with calib's own columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calib.task_files.notes import Notes


def expanded(
    row: Mapping[str, Any], where: str, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The questions that one object holds, each with its place; the object itself if it is one."""
    yield where, row
