"""LLaVA's JSON: conversations with the options in the question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.task_files.notes import Notes
from calib.task_files.values import mapping, parse

LISTED = re.compile(r"^\s*(?:\(([A-Z])\)|([A-Z])[.):])\s*(.+?)\s*$", re.M)


def llava_rows(text: str, path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = parse(text, str(path))
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of LLaVA conversations")
    for number, entry in enumerate(entries):
        where = f"{path}, entry {number}"
        row = dict(mapping(entry, where))
        said = row.pop("conversations", None)
        turns = [
            turn.get("value") if isinstance(turn, Mapping) else turn
            for turn in (said if isinstance(said, list) else [])
        ]
        if len(turns) < 2:
            raise InputError(f"{where}: expected a question and an answer under conversations")
        question = str(turns[0]).replace("<image>", "").strip()
        listed = list(LISTED.finditer(question))
        row["answer"] = turns[1]
        row["options"] = [match[3] for match in listed]
        row["question"] = question[: listed[0].start()].strip() if listed else question
        row.setdefault("id", str(number))
        yield where, row
