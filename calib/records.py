"""The records that travel from a dataset to a report, and the two errors a user can meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ImageRef = Any
"""A path to an image file, or a PIL image."""


class CalibError(Exception):
    """Something failed while running; its text is one readable paragraph. Exit code 1."""


class InputError(CalibError):
    """Something that can be refused before a model is loaded. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question. ``answer`` is the index of the right option, None where it is not known.

    ``group`` is the row of the per-group table; ``meta["cluster"]`` is what resampling keeps
    together (an image that several questions are about) and defaults to the item itself.
    """

    id: str
    question: str
    images: tuple[Path | ImageRef, ...] = ()
    options: tuple[str, ...] = ()
    answer: int | None = None
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown for an item.

    ``text`` ends where the answer begins. ``options`` holds, per option, the spellings that count
    as that option.
    """

    item_id: str
    text: str
    images: tuple[Path | ImageRef, ...]
    options: tuple[tuple[str, ...], ...]
