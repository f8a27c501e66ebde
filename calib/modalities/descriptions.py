"""What is in a question's picture, in sentences: from a file, the data, or the model itself."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from calib.models.protocol import Model
from calib.records import CalibError, InputError, Item
from calib.runs.folder import Progress
from calib.tasks import Task
from calib.tasks.builtin import BUILTIN
from calib.tasks.task import ImageNames

KEY = "description"
"""The key of ``Item.meta``, and so the column of a task's file."""
COLUMNS = ("id", KEY)
END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|[\r\n]+")
QUESTION = "What does the picture show?"
REQUEST = "Describe it in a few short sentences."
LONGEST = 96
"""Tokens of a description that a model writes."""

Sentences: TypeAlias = tuple[str, ...]


def sentences_of(value: Any, where: str) -> Sentences:
    """A text in its sentences, which end with a full stop, ! or ? before white space, or with the
    line; a list of texts as it is. InputError, naming ``where``, for what is neither or empty."""
    if isinstance(value, str):
        parts = [part.strip() for part in split(value)]
    elif isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        parts = [" ".join(part.split()) for part in value]
    else:
        raise InputError(f"{where}: expected a text or a list of sentences, got {value!r:.80}")
    found = tuple(part for part in parts if part)
    if not found:
        raise InputError(f"{where}: expected a description, got an empty one")
    return found


def split(text: str) -> list[str]:
    """The sentences; what closes a quotation or bracket stays with its sentence."""
    parts, begin = [], 0
    for end in END.finditer(text):
        parts.append(text[begin : end.start()] + end[0].rstrip())
        begin = end.end()
    return [*parts, text[begin:]]


def from_data(task: Task) -> dict[str, Sentences]:
    """The descriptions that the task's items, or a built-in task, have; by the item's id."""
    builtin = BUILTIN.get(task.name) if task.source is None else None
    found: dict[str, Sentences] = {}
    if builtin is not None and builtin.descriptions is not None:
        found.update(builtin.descriptions())
    for item in task.items:
        if (value := item.meta.get(KEY)) is not None:
            found[item.id] = sentences_of(value, f"item {item.id!r}: {KEY}")
    return found


def from_file(path: Path) -> dict[str, Sentences]:
    """JSON, an object of texts or of lists of sentences by id; or CSV with the columns id and
    description. InputError, naming the file and the place, for anything else."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text in UTF-8 ({error})") from error
    if path.suffix.lower() == ".json":
        return from_json(text, path)
    if path.suffix.lower() == ".csv":
        return from_csv(text, path)
    raise InputError(f"{path}: expected a file of descriptions ending in .json or .csv")


def from_json(text: str, path: Path) -> dict[str, Sentences]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: id {twice!r} appears twice")
        return found

    try:
        content = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object of descriptions by id, got {content!r:.80}")
    return {name: sentences_of(value, f"{path}, id {name!r}") for name, value in content.items()}


def from_csv(text: str, path: Path) -> dict[str, Sentences]:
    reader = csv.DictReader(text.splitlines(keepends=True))
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        raise InputError(
            f"{path}: expected the columns {' and '.join(COLUMNS)}, got "
            f"{', '.join(reader.fieldnames or ()) or 'none'}"
        )
    found: dict[str, Sentences] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if row["id"] in found:
            raise InputError(f"{where}: id {row['id']!r} appears twice")
        found[str(row["id"])] = sentences_of(row[KEY] or "", where)
    return found


def from_model(
    model: Model, items: Sequence[Item], folder: Path, progress: Progress | None
) -> dict[str, Sentences]:
    """What the model itself says of each question's pictures, greedily, kept in ``folder``.

    Questions about the same pictures have one description. Raises CalibError, naming an item, where
    the model says nothing.
    """
    from calib.drive.sample import sample  # with it comes torch

    names = named(items)
    first = {names[item.id]: item for item in reversed(items)}
    asked = tuple(
        replace(
            item,
            question=QUESTION,
            options=(),
            answer=None,
            meta={"instruction": REQUEST, "answerable": False},  # no one answer is right
        )
        for item in items
        if first[names[item.id]] is item
    )
    run = sample(
        model,
        Task("descriptions", asked, "options"),
        out=folder,
        samples=1,
        greedy=True,
        max_new_tokens=LONGEST,
        thinking="off" if model.can.thinking is not None else "own",
        progress=progress,
    )
    said = dict(zip(run.answers()["id"].astype(str), run.answers()["text"], strict=True))
    found = {}
    for item in items:
        source = first[names[item.id]].id
        if not str(said[source]).strip():
            raise CalibError(f"item {item.id!r}: the model describes its picture with no word")
        found[item.id] = sentences_of(str(said[source]), f"item {item.id!r}: {KEY}")
    return found


def named(items: Iterable[Item]) -> dict[str, tuple[str, ...]]:
    """By id, what the pictures of each item contain."""
    name_of = ImageNames()
    return {item.id: tuple(map(name_of, item.images)) for item in items}


def checked(found: Mapping[str, Sentences], items: Sequence[Item]) -> dict[str, Sentences]:
    """The description of each item. InputError, naming the first item that has none."""
    missing = next((item.id for item in items if item.id not in found), None)
    if missing is not None:
        raise InputError(
            f"item {missing!r}: it has no description, which an arm or a cell shows; expected "
            "meta description, --descriptions FILE or --describe"
        )
    return {item.id: found[item.id] for item in items}
