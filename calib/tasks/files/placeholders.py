"""Which picture each ``<image>`` of a conversation stands for, and what is shown in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from calib.records import InputError
from calib.tasks.files.conversation import PLACEHOLDER, Turn
from calib.tasks.files.values import is_absent, list_in, shown

PIECES = re.compile(r"(<image>)")


def pictures_of(row: Mapping[str, Any], turns: Sequence[Turn], where: str) -> list[list[Any]]:
    """The pictures of each turn, in order; all in the first where no placeholder is written.

    Raises InputError unless there are as many placeholders as pictures.
    """
    own = own_pictures(row, where)
    pictures = [list(turn.images) for turn in turns]
    images = [picture for part in pictures for picture in part]
    unnamed = images.count(None)
    if not images:
        return [own, *pictures[1:]]
    if unnamed == 0 and own in ([], images):
        return pictures
    if unnamed != len(own):
        raise InputError(
            f"{where}: expected an image for each {PLACEHOLDER}, but there are {len(own)} images "
            f"({shown(own)}) and {unnamed} {PLACEHOLDER}"
        )
    rest = iter(own)
    return [[next(rest) if one is None else one for one in part] for part in pictures]


def own_pictures(row: Mapping[str, Any], where: str) -> list[Any]:
    """What stands under ``images`` or ``image``. InputError for both."""
    columns = [row[name] for name in ("images", "image") if not is_absent(row.get(name))]
    if len(columns) > 1:
        raise InputError(f"{where}: it has both image and images; keep one")
    column = columns[0] if columns else []
    return list_in(column if isinstance(column, (list, tuple)) else [column], where)


def without_placeholders(text: str, shown_before: int) -> str:
    """A turn's text as it stands behind its pictures.

    Placeholders at its start or its end, and one alone on its line, are dropped; where any stands
    inside the text they all become ``<image 1>``, ... by the pictures' numbers in the prompt.
    """
    count = text.count(PLACEHOLDER)
    outer = text.strip()
    while outer.startswith(PLACEHOLDER):
        outer = outer[len(PLACEHOLDER) :].lstrip()
    while outer.endswith(PLACEHOLDER):
        outer = outer[: -len(PLACEHOLDER)].rstrip()
    lines = [line for line in outer.split("\n") if line.strip() != PLACEHOLDER]
    if count == 1:
        outer = "\n".join(lines)
    if PLACEHOLDER not in outer:
        return outer
    numbers = iter(range(shown_before + 1, shown_before + count + 1))
    pieces = PIECES.split(text.strip())
    return "".join(f"<image {next(numbers)}>" if p == PLACEHOLDER else p for p in pieces)
