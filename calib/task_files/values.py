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
