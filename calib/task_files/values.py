"""Values of JSON, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from calib.records import InputError


def parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: this is not JSON ({error})") from error


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected an object with named fields, got {value!r}")
    return value


def shown(value: Any) -> str:
    """A value as a message shows it, in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number_in(where: str) -> str:
    """The number that a place in a file ends in: "3" of "q.jsonl, line 3"."""
    return where.rsplit(" ", 1)[-1]
