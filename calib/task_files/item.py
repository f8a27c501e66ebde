"""A row of a file as an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import InputError, Item
from calib.task_files.answers import read_answer

KNOWN = {"id", "question", "images", "image", "options", "answer", "group"}


def item_from(row: Mapping[str, Any], path: Path, where: str) -> Item:
    aliases = free_answers(row)
    for name in ("id", "question", *(() if aliases else ("options",))):
        if row.get(name) in (None, "", []):
            raise InputError(f"{where}: {name} is missing")
    given = [] if aliases else row["options"]
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InputError(f"{where}: options: expected a list, got {given!r}")
    spelled = [[str(s) for s in (o if isinstance(o, list) else [o])] for o in given]
    if any(not spellings or "" in spellings for spellings in spelled):
        raise InputError(f"{where}: options: one of {given!r} has no text")
    options = tuple(spellings[0] for spellings in spelled)
    images = row.get("images", row.get("image", []))
    paths = [path for path in (images if isinstance(images, list) else [images]) if path]
    meta = {name: value for name, value in row.items() if name not in KNOWN}
    if any(len(spellings) > 1 for spellings in spelled):
        meta["spellings"] = tuple(tuple(spellings) for spellings in spelled)
    if aliases:
        meta["aliases"] = aliases
    if "cluster" not in meta and paths:
        meta["cluster"] = str(paths[0])
    return Item(
        id=str(row["id"]),
        question=str(row["question"]),
        images=tuple(path.parent / str(image) for image in paths),
        options=options,
        answer=None if aliases else read_answer(row.get("answer"), options, where),
        group=None if row.get("group") is None else str(row["group"]),
        meta=meta,
    )


def free_answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that are right for a row without options that has ``aliases``."""
    aliases = row.get("aliases") or []
    if row.get("options") not in (None, "", []) or not aliases:
        return ()
    texts = [row.get("answer"), *(aliases if isinstance(aliases, list) else [aliases])]
    return tuple(str(text) for text in texts if text not in (None, ""))
