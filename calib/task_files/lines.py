"""JSONL: an object a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.task_files.notes import Notes
from calib.task_files.shapes import expanded
from calib.task_files.values import mapping, parse


def json_lines(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield from expanded(mapping(parse(line, where), where), where, notes)
