"""Placeholders of pictures in the texts of a row: ``<image>``, or ``<image 1>`` by number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from calib.records import InputError
from calib.tasks.files.conversation import PLACEHOLDER
from calib.tasks.files.placeholders import without_placeholders
from calib.tasks.files.values import shown

TEXTS = ("lecture", "context", "hint", "question")
"""Columns that may have placeholders, in the order in which a model reads them."""

NUMBERED = re.compile(r"<image ([0-9]{1,9})>")


def with_pictures_placed(
    read: Mapping[str, Any], options: Sequence[str], pictures: int, where: str
) -> dict[str, str]:
    """The texts of ``TEXTS`` as they stand behind the row's pictures.

    Each ``<image>`` is the next picture (see ``without_placeholders``), ``<image 2>`` is the second
    and stays. Raises InputError where a placeholder has no picture, and for one in an option or in
    a turn before.
    """
    for option in options:
        if PLACEHOLDER in option or NUMBERED.search(option):
            raise InputError(
                f"{where}: options: {shown(option)} is a picture, and options are texts"
            )
    turns = [text for turn in read.get("turns", ()) for text in turn]
    if any(PLACEHOLDER in text for text in turns):
        raise InputError(
            f"{where}: turns: {PLACEHOLDER} stands there for a picture; pictures are shown before "
            "all turns, so name them <image 1>, ..., or leave it out"
        )
    texts = {name: read[name] for name in TEXTS if name in read}
    numbers = [int(n) for text in [*texts.values(), *turns] for n in NUMBERED.findall(text)]
    count = sum(text.count(PLACEHOLDER) for text in texts.values())
    beyond = [number for number in numbers if not 1 <= number <= pictures]
    if beyond:
        raise InputError(
            f"{where}: <image {beyond[0]}> stands in the text, but there are {pictures} pictures"
        )
    if count > pictures:
        raise InputError(
            f"{where}: expected a picture for each {PLACEHOLDER}, but there are {pictures} "
            f"pictures and {count} {PLACEHOLDER}"
        )
    if count and numbers:
        raise InputError(
            f"{where}: {PLACEHOLDER} and <image {numbers[0]}> both stand in the text; number all "
            "or none"
        )
    placed, before = {}, 0
    for name, text in texts.items():
        if PLACEHOLDER in text:
            placed[name] = without_placeholders(text, before)
            before += text.count(PLACEHOLDER)
    return placed
