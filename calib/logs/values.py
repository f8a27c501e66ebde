"""The values of a table, checked; ``where`` names the file, the line and the column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.records import InputError

ROUNDING = 1e-6
"""A probability in float32 may lie this far outside [0, 1]."""
SUM = 0.02
"""The sum of a row's probabilities may be this far from 1, since they are rounded to few digits."""

DECIMAL_COMMA = re.compile(r"-?\d+,\d+")

Family = str
"""How a column writes right and wrong: "numbers" or "words"."""


def number(value: Any, where: str, written: bool) -> float:
    """A finite number; texts are numbers only in ``written`` tables, whose cells are all texts."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str) and written:
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            if text.endswith("%"):
                raise InputError(f"{where}: {text!r} is in per cent; divide by 100") from None
            if DECIMAL_COMMA.fullmatch(text):
                raise InputError(
                    f"{where}: expected a number with a decimal point, got {text!r}"
                ) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{where}: expected a number, got {shown(value)}")
    if math.isnan(value):
        raise InputError(f"{where}: expected a number, got NaN; leave such rows out")
    return float(value)


def share(value: Any, where: str, written: bool) -> float:
    """A number from 0 to 1."""
    fraction = number(value, where, written)
    if -ROUNDING <= fraction <= 1 + ROUNDING:
        return min(max(fraction, 0.0), 1.0)
    message = f"{where}: expected a number from 0 to 1, got {fraction:g}"
    if 1 < fraction <= 100:
        message += "; where it is in per cent, divide by 100"
    elif fraction < 0:
        message += "; where it is a log-probability, take exp() of it"
    raise InputError(message)


def truth(value: Any, where: str, family: Family | None) -> tuple[bool, Family]:
    """0, 1, true or false as a bool, and how it is written.

    ``family`` is how the rows before this one write it. Raises InputError where it differs.
    """
    if isinstance(value, np.generic):
        value = value.item()
    words = {"true": True, "false": False}
    right: bool | None = None
    own: Family = "words" if isinstance(value, bool) else "numbers"
    if isinstance(value, str) and value.strip().lower() in words:
        right, own = words[value.strip().lower()], "words"
    elif isinstance(value, str):
        right = {"0": False, "1": True, "0.0": False, "1.0": True}.get(value.strip())
    elif isinstance(value, (bool, int, float)) and value in (0, 1):
        right = bool(value)
    if right is None:
        raise InputError(f"{where}: expected 0, 1, true or false, got {shown(value)}")
    if family is not None and own != family:
        raise InputError(
            f"{where}: it is {shown(value)}, and the rows before write right and wrong as {family}"
        )
    return right, own


def text(value: Any, where: str) -> str:
    """A text or whole number as the name of something."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (list, tuple, dict, np.ndarray)) or missing(value):
        raise InputError(f"{where}: expected a text or number, got {shown(value)}")
    return str(value)


def missing(value: Any) -> bool:
    if isinstance(value, np.generic):
        value = value.item()
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def numbers(value: Any, where: str, written: bool) -> list[Any]:
    """A list of values; in a ``written`` table, from a cell of JSON or of numbers."""
    if isinstance(value, str) and written:
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = [float(part) for part in value.strip("[]( )").replace(",", " ").split()]
            except ValueError:
                raise InputError(
                    f"{where}: expected a list of numbers, got {shown(value)}"
                ) from None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise InputError(f"{where}: expected a list of two or more numbers, got {shown(value)}")
    return list(value)


def are_probabilities(values: Sequence[Any], written: bool) -> bool:
    """Whether values, but for empty ones, are numbers from 0 to 1 that sum to about 1."""
    try:
        p = [
            share(v, "", written)
            for v in values
            if v is not None and not (written and str(v).strip() == "")
        ]
    except InputError:
        return False
    return abs(sum(p) - 1) <= SUM


def log_probabilities(values: Sequence[Any], where: str, written: bool) -> list[float]:
    """Logits as log-probabilities; null and -inf stand for options that a question lacks."""
    z = [
        -math.inf
        if v is None or v == -math.inf or (written and str(v).strip() in ("", "-inf"))
        else number(v, where, written)
        for v in values
    ]
    top = max(z)
    if not math.isfinite(top):
        raise InputError(f"{where}: expected finite logits, got {shown(list(values))}")
    total = top + math.log(sum(math.exp(v - top) for v in z))
    return [v - total for v in z]


def of_probabilities(values: Sequence[Any], where: str, written: bool) -> list[float]:
    """Probabilities as log-probabilities. Raises InputError where they do not sum to about 1."""
    p = [share(v, where, written) for v in values]
    total = sum(p)
    if abs(total - 1) > SUM:
        raise InputError(f"{where}: expected probabilities that sum to 1, got a sum of {total:.4g}")
    return [math.log(v / total) if v > 0 else -math.inf for v in p]


def shown(value: Any) -> str:
    return repr(value)[:80]
