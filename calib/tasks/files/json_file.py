"""One value of JSON: a list of objects, an object of them by id, a list under one name, or one.

Each object is a row with calib's own columns or one of the shapes of ``shapes``. Where the file is
an object of objects, their keys are their ids; problems of ScienceQA are read as ``scienceqa``
says. Where it is an object in which one value alone is a list of objects (``{"data": [...]}``),
that list is read, and the other names are noted.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.notes import Notes
from calib.tasks.files.scienceqa import is_problem, problem_row
from calib.tasks.files.shapes import expanded, is_of_a_shape
from calib.tasks.files.values import is_absent, mapping, parse, shown

BESIDE = "what stands beside the list"


def json_rows(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a file of one JSON value. InputError where it is none of the three."""
    content = parse_whole(text, path)
    if isinstance(content, Mapping) and (is_of_a_shape(content) or "question" in content):
        content = [content]
    if isinstance(content, Mapping) and content:
        lists = {name: value for name, value in content.items() if is_objects(value)}
        if all(isinstance(value, Mapping) for value in content.values()):
            yield from by_id(content, path, notes)
            return
        if len(lists) == 1:
            (name,) = lists
            for other in content.keys() - lists.keys():
                notes.add(BESIDE, f"{path}, {other}")
            content = lists[name]
    if not isinstance(content, list):
        raise InputError(
            f"{path}: expected a list of objects, an object of objects by id, or an object with "
            f"one such list, got {shown(content)}"
        )
    for number, entry in enumerate(content):
        where = f"{path}, entry {number}"
        yield from expanded(mapping(entry, where), where, notes, number)


def parse_whole(text: str, path: Path) -> Any:
    try:
        return parse(text, str(path))
    except InputError as error:
        if "}\n{" in text.replace("\r", ""):
            raise InputError(
                f"{error}; a file of one object a line is to be named .jsonl"
            ) from error
        raise


def is_objects(value: Any) -> bool:
    return bool(value) and isinstance(value, list) and isinstance(value[0], Mapping)


def by_id(
    entries: Mapping[str, Any], path: Path, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    splits: Counter[str] = Counter()
    for number, (name, entry) in enumerate(entries.items()):
        where = f"{path}, entry {name!r}"
        own = entry.get("id")
        if not is_absent(own) and str(own) != name:
            raise InputError(f"{where}: its own id is {shown(entry['id'])}; keep one of the two")
        row = {**entry, "id": name}
        if is_problem(row):
            splits[str(row["split"])] += 1
            row = problem_row(row, path, where)
        yield from expanded(row, where, notes, number)
    if len(splits) > 1:
        counted = ", ".join(f"{count:,} of {split}" for split, count in splits.items())
        warnings.warn(f"{path}: the problems of all splits are read: {counted}", stacklevel=2)
