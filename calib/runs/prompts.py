"""``prompts.jsonl`` of a run folder: what the model was given for each question, word for word.

A line holds the question's ``id``, the ``text`` that its tokenizer or processor is given up to
where the model answers, and ``images``, the width and height of its pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from calib.fields import Fields, check_fields, is_count, is_list, is_text, read_objects
from calib.images import size_of
from calib.records import CalibError, Item

PROMPTS = "prompts.jsonl"
FIELDS: Fields = {
    "id": ("text", is_text),
    "text": ("text", is_text),
    "images": (
        "a list of widths and heights",
        is_list(lambda size: is_list(is_count)(size) and len(size) == 2),
    ),
}


def prompt_lines(items: Sequence[Item], texts: Sequence[str]) -> Iterator[str]:
    """The lines of the file; each picture's file is looked at once."""
    size_of_file = cache(size_of)
    for item, text in zip(items, texts, strict=True):
        sizes = [size_of_file(i) if isinstance(i, Path) else size_of(i) for i in item.images]
        yield json.dumps({"id": item.id, "text": text, "images": sizes}) + "\n"


def read_prompts(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of the file. CalibError where there is none or a line is no such row."""
    path = folder / PROMPTS
    if not path.is_file():
        raise CalibError(
            f"{folder}: there is no {PROMPTS}; an earlier version of calib began this run and did "
            "not keep its prompts"
        )
    for row, where in read_objects(path):
        check_fields(row, where, FIELDS)
        yield row


def first_prompt(folder: Path) -> dict[str, Any] | None:
    """The first row; None where the run has none."""
    if not (folder / PROMPTS).is_file():
        return None
    return next(islice(read_prompts(folder), 1), None)


def title_of(row: dict[str, Any]) -> str:
    """Which question it is, and the sizes of its pictures."""
    sizes = [f"{width} x {height}" for width, height in row["images"]]
    if not sizes:
        return f"question {row['id']!r}"
    shown = ", ".join(sizes[:4]) + (", ..." if sizes[4:] else "")
    noun = "1 picture" if len(sizes) == 1 else f"{len(sizes)} pictures"
    return f"question {row['id']!r}, {noun}: {shown}"
