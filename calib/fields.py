"""JSON that calib wrote, read back: objects with named fields, which may have been damaged since.

What is no such object is refused in one sentence, whatever Python makes of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError

SLACK = 1e-4
"""How far rounding may take a probability past 1 and a log-probability past 0: they are float32."""

Fits = Callable[[Any], bool]
Fields = Mapping[str, tuple[str, Fits]]
"""Of each field what is expected, in words, and whether a value is that."""


def read_object(path: Path) -> dict[str, Any]:
    """The object that a file holds. InputError where it is none, or no regular file."""
    refuse_irregular(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is not JSON that can be read ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected an object with named fields")
    return content


def read_saved(path: Path, what: str, *formats: str) -> dict[str, Any]:
    """The object in a file that a ``save`` wrote, whose ``format`` is one of ``formats``.

    ``what`` it holds is said of a file that cannot be read. Raises InputError.
    """
    try:
        content = read_object(path)
    except OSError as cause:
        raise InputError(f"{path}: cannot be read as {what} ({cause})") from cause
    if content.get("format") not in formats:
        expected = " or ".join(map(repr, formats))
        raise InputError(
            f"{path}: expected a file with format {expected}, got {content.get('format')!r}"
        )
    return content


def read_objects(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The object of each line of a file, and the line's name. InputError where one is none."""
    refuse_irregular(path)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path}, line {number}"
            yield object_in(line, where), where


def object_in(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # nor text, too deep, too many digits
        raise InputError(f"{where}: this is not JSON that can be read ({error})") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected an object with named fields")
    return row


def refuse_irregular(path: Path) -> None:
    """InputError for what is there and is no regular file.

    A pipe is waited for without end, and a device or a folder is not to be replaced by a file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: expected a regular file")


def check_fields(
    row: Mapping[str, Any], where: str, fields: Fields, optional: Fields | None = None
) -> None:
    """InputError where a field is missing that is not optional, or is not what is expected."""
    for name in fields:
        if name not in row:
            raise InputError(f"{where}: {name} is missing")
    for some in (fields, optional or {}):
        for name, (expected, fits) in some.items():
            if name in row and not fits(row[name]):
                raise InputError(f"{where}: {name}: expected {expected}, got {told(row[name])}")


def told(value: Any) -> str:
    """The beginning of a value, as a message shows it."""
    try:
        return repr(str(value)[:80])
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return f"a value of type {type(value).__name__}"


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_numeral(text: str) -> bool:
    """Whether Python reads the text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_number(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # An integer may be larger than any float: it is compared and not made one.
    return number and abs(value) <= sys.float_info.max and low <= value <= high


def is_share(value: Any) -> bool:
    return is_number(value, 0.0, 1.0 + SLACK)


def is_list(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def or_null(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def is_text(value: Any) -> bool:
    """Whether it is a text that can be written down: half of a surrogate pair cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_mapping(fits: Fits) -> Fits:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


PLAIN = "text, a number or null"


def is_plain(value: Any) -> bool:
    return value is None or is_text(value) or isinstance(value, (int, float))
