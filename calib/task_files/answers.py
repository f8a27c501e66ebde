"""Which option a file's answer means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from calib.records import InputError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def read_answer(value: Any, options: Sequence[str], where: str) -> int:
    """The index of the option that ``value`` means: its letter, its text or its 0-based index.

    Raises InputError where it means none, or where two readings name different options.
    """
    if value is None or str(value).strip() == "":
        raise InputError(f"{where}: answer is missing")
    text = str(value).strip()
    readings: dict[str, int] = {}
    letter = re.fullmatch(r"\(?([A-Za-z])[).:]?", text)
    if letter and LETTERS.index(letter[1].upper()) < len(options):
        readings["letter"] = LETTERS.index(letter[1].upper())
    folded = [i for i, option in enumerate(options) if option.casefold() == text.casefold()]
    meant = [i for i in folded if options[i] == text] or folded
    if len(meant) > 1:
        raise InputError(f"{where}: answer {value!r} is the text of {len(meant)} options")
    if meant:
        readings["text"] = meant[0]
    if not isinstance(value, bool) and re.fullmatch(r"\d+", text) and int(text) < len(options):
        readings["index"] = int(text)
    if not readings:
        raise InputError(
            f"{where}: answer {value!r} is neither a letter, nor a text, nor a 0-based index of "
            f"the options {list(options)}"
        )
    if len(set(readings.values())) > 1:
        meanings = " and ".join(f"{options[i]!r} as {how}" for how, i in readings.items())
        raise InputError(f"{where}: answer {value!r} can be read as {meanings}; write the text")
    return next(iter(readings.values()))
