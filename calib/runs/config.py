"""``config.json`` of a run folder, read and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.runs.kinds import CONFIG as CONFIG
from calib.runs.kinds import KINDS, kind_in, kind_without_config, no_run
from calib.runs.record_rows import is_count, is_list, is_text

MOST_BINS = 10_000


def is_whole(low: int, high: float) -> Callable[[Any], bool]:
    return lambda value: is_count(value) and low <= value <= high


SETTINGS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in list(KINDS)),
    "bins": (f"a whole number from 1 to {MOST_BINS:,}", is_whole(1, MOST_BINS)),
    "seed": ("a whole number from 0", is_whole(0, math.inf)),
    "questions": ("a whole number from 1", is_whole(1, math.inf)),
    "samples": ("a whole number from 1", is_whole(1, math.inf)),
    "runs": ("a list of paths", is_list(is_text)),
    "parts": ("a list of whole numbers", is_list(is_whole(1, math.inf))),
    "model": ("text", is_text),
    "task": ("text", is_text),
}


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json holds, with the ``kind`` that runs begun earlier do not say.

    Raises InputError where there is none, or where it cannot be computed with.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise InputError(no_run(folder))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is not JSON that can be read ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object with named fields")
    check_config(content, path)
    return {**content, "kind": kind_in(content)}


def kind_of(folder: Path) -> str | None:
    """What a folder holds, a key of ``KINDS``; None where it is none of ours.

    Raises InputError where its config.json cannot be read.
    """
    if (folder / CONFIG).is_file():
        return str(read_config(folder)["kind"])
    return kind_without_config(folder)


def check_config(content: Mapping[str, Any], path: Path) -> None:
    """Raise InputError for a setting that reports compute with and cannot be."""
    for name, (expected, fits) in SETTINGS.items():
        value = content.get(name)
        if value is not None and not fits(value):
            raise InputError(f"{path}: {name}: expected {expected}, got {str(value)[:80]!r}")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: it holds half of a surrogate pair, which is no text") from error
