"""``config.json`` of a run folder, read and checked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any

from calib.fields import (
    Fields,
    check_fields,
    is_count,
    is_list,
    is_number,
    is_text,
    read_object,
)
from calib.records import InputError
from calib.runs.kinds import CONFIG as CONFIG
from calib.runs.kinds import KINDS, kind_in, kind_without_config, no_run, states_in

MOST_BINS = 10_000
TINY = sys.float_info.min


def is_whole(low: int, high: float) -> Callable[[Any], bool]:
    return lambda value: is_count(value) and low <= value <= high


SETTINGS: Fields = {
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in list(KINDS)),
    "bins": (f"a whole number from 1 to {MOST_BINS:,}", is_whole(1, MOST_BINS)),
    "seed": ("a whole number from 0", is_whole(0, math.inf)),
    "questions": ("a whole number from 1", is_whole(1, math.inf)),
    "samples": ("a whole number from 1", is_whole(1, math.inf)),
    "runs": ("a list of paths", is_list(is_text)),
    "parts": ("a list of whole numbers that rise", lambda value: is_rising(value)),
    "confidence": ("options or vocab", lambda value: value in ("options", "vocab")),
    "protocol": ("position or paper", lambda value: value in ("position", "paper")),
    "normalize": ("sum or mean", lambda value: value in ("sum", "mean")),
    "temperature": ("a positive number", lambda value: is_number(value, TINY, math.inf)),
    "model": ("text", is_text),
    "task": ("text", is_text),
}

SAMPLED = ("samples", "model", "task")
"""What the config.json of a sampled run cannot be without."""


def is_rising(value: Any) -> bool:
    return is_list(is_whole(1, math.inf))(value) and all(a < b for a, b in pairwise(value))


def read_config(folder: Path, reader: str = "calib.open_run") -> dict[str, Any]:
    """What config.json holds, with the ``kind`` that runs begun earlier do not say.

    Raises InputError where there is none, saying what ``reader`` takes, or where it cannot be
    computed with.
    """
    path = folder / CONFIG
    if not path.is_file() or states_in(folder):
        raise InputError(no_run(folder, reader))
    content = read_object(path)
    if "model_type" in content and "task" not in content:
        raise InputError(f"{folder}: this is a model's folder and not a run; calib score makes one")
    check_config(content, path)
    return {**content, "kind": kind_in(content)}


def kind_of(folder: Path) -> str | None:
    """What a folder holds, a key of ``KINDS``; None where it is none of ours.

    Raises InputError where its config.json cannot be read.
    """
    if (folder / CONFIG).is_file() and not states_in(folder):
        return str(read_config(folder)["kind"])
    return kind_without_config(folder)


def checked(name: str, value: Any) -> int:
    """The argument ``value`` as the whole number that SETTINGS expect under that name.

    Raises InputError for anything else.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)  # NumPy's, too
    number = int(value) if whole else value
    expected, fits = SETTINGS[name]
    if not fits(number):
        raise InputError(f"{name}: expected {expected}, got {value!r}")
    return int(number)


def check_config(content: Mapping[str, Any], path: Path) -> None:
    """Raise InputError for a setting that reports compute with and cannot be."""
    needed = SAMPLED if content.get("kind") == "sample" else ()
    check_fields(
        {name: value for name, value in content.items() if name in needed or value is not None},
        str(path),
        {name: SETTINGS[name] for name in needed},
        SETTINGS,
    )
    parts = content.get("parts")
    if parts and parts[-1] != content.get("samples"):
        raise InputError(f"{path}: parts: expected the last to end at samples, got {parts}")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: it holds half of a surrogate pair, which is not text") from error
