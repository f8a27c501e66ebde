"""The lines of a scored run's records, read and checked.

The last line may be torn: a run that was stopped while it wrote goes on before it. Any other line
that is no record means that the file was damaged, and nothing behind it is passed over in silence.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError

SLACK = 1e-4
"""How far rounding may take a probability past 1 and a log-probability past 0: they are float32."""

Row = dict[str, Any]


def lines(path: Path) -> Iterator[tuple[Row | None, int]]:
    """Each record, or None in place of a line that is none, and the byte after it.

    Stops before a last line that has no end.
    """
    if not path.exists():
        return
    position = 0
    with path.open("rb") as file:
        for line in file:
            position += len(line)
            if not line.endswith(b"\n"):
                return
            yield record_in(line), position


def record_in(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # not JSON, not even text, too deep, too many digits
        return None
    if not isinstance(row, dict):
        return None
    # The decoder makes every line's names anew, and of a hundred thousand lines they fill memory.
    return {sys.intern(name): value for name, value in row.items()}


def whole_records(
    path: Path, questions: int | None, required: Collection[str] | None = None
) -> list[Row]:
    """Every record of the batches that are whole, checked; ``questions`` is the run's number.

    ``required``: the fields that each must have (default: all of ``FIELDS``).

    Raises InputError, naming the line, for a line that is no record though others follow, a
    question that is there twice, and values that contradict each other or cannot be.
    """
    rows: list[Row] = []
    broken: int | None = None
    for number, (row, _) in enumerate(lines(path), start=1):
        if broken is not None:
            raise InputError(
                f"{path}, line {broken}: this is no record, and other lines follow: the file is "
                "damaged; take the line out, or let the same command score from there again"
            )
        if row is None:
            broken = number
        else:
            rows.append(row)
    check_all(rows, path, questions, FIELDS if required is None else required)
    if rows and "of_batch" in rows[-1]:
        last = Counter(row.get("batch") for row in rows)[rows[-1].get("batch")]
        if last < rows[-1]["of_batch"]:
            rows = rows[:-last]
    return rows


def check_all(
    rows: list[Row], path: Path, questions: int | None, required: Collection[str]
) -> None:
    """Raise InputError for the first row that cannot be one of a run of so many questions."""
    places: dict[tuple[str, Any], int] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{path}, line {number}"
        check_row(row, where, required)
        for name in ("index", "id"):
            first = places.setdefault((name, row[name]), number)
            if first != number:
                raise InputError(
                    f"{where}: {name} {row[name]!r} is there already, in line {first}; take one of "
                    "the two lines out"
                )
        if questions is not None and row["index"] >= questions:
            raise InputError(
                f"{where}: index {row['index']} is not of this run, whose config.json says "
                f"{questions} questions"
            )


def check_row(row: Mapping[str, Any], where: str, required: Collection[str]) -> None:
    for name in required:
        if name not in row:
            raise InputError(f"{where}: {name} is missing")
    for name, (expected, fits) in FIELDS.items():
        if name in row and not fits(row[name]):
            raise InputError(f"{where}: {name}: expected {expected}, got {str(row[name])[:80]!r}")
    for name, (expected, fits) in OPTIONAL.items():
        if name in row and not fits(row[name]):
            raise InputError(f"{where}: {name}: expected {expected}, got {str(row[name])[:80]!r}")
    if "options" not in row:
        return
    count = len(row["options"])
    for name in ("logprob", "prob", "ranked"):
        if row.get(name) is not None and len(row[name]) != count:
            raise InputError(
                f"{where}: {name} has {len(row[name])} values, but there are {count} options"
            )
    for name in ("answer", "prediction"):
        if row[name] is not None and row[name] >= count:
            raise InputError(f"{where}: {name} {row[name]} is none of {count} options")
    settled = None not in (row["answer"], row["prediction"], row["confidence"])
    if settled and row["correct"] is not (row["prediction"] == row["answer"]):
        raise InputError(
            f"{where}: correct is {row['correct']!r}, but prediction is {row['prediction']} and "
            f"answer {row['answer']}"
        )


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # An integer may be larger than any float: it is compared and not made one.
    return number and abs(value) <= sys.float_info.max and low <= value <= high


def is_share(value: Any) -> bool:
    return is_number(value, 0.0, 1.0 + SLACK)


def is_list(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
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


FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "id": ("text", is_text),
    "index": ("a whole number from 0", is_count),
    "question": ("text", is_text),
    "images": ("a list of paths", or_null(is_list(is_text))),
    "options": ("a list of texts", is_list(is_text)),
    "answer": ("an option's index or null", or_null(is_count)),
    "prediction": ("an option's index or null", or_null(is_count)),
    "confidence": ("a number from 0 to 1 or null", or_null(is_share)),
    "mass": ("a number from 0 to 1 or null", or_null(is_share)),
    "prob": ("a list of numbers from 0 to 1", is_list(or_null(is_share))),
    "logprob": (
        "a list of numbers not above 0",
        is_list(or_null(lambda value: is_number(value, -math.inf, SLACK))),
    ),
    "parsed": ("true or false", lambda value: isinstance(value, bool)),
    "correct": ("true, false or null", or_null(lambda value: isinstance(value, bool))),
}

TABLE_FIELDS = ("id", "index", "confidence", "correct")
"""What a record of an imported table must have; more of ``FIELDS`` where the table says more."""

PLAIN = "text, a number or null"


def is_plain(value: Any) -> bool:
    return value is None or is_text(value) or isinstance(value, (int, float))


OPTIONAL: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "batch": ("a whole number from 0", is_count),
    "of_batch": ("a whole number from 0", is_count),
    "task": (PLAIN, is_plain),
    "group": (PLAIN, is_plain),
    "cluster": (PLAIN, is_plain),
    "valid": ("true or false", lambda value: isinstance(value, bool)),
    "ended": ("true, false or null", or_null(lambda value: isinstance(value, bool))),
    "ranked": (
        "a list of numbers or null",
        or_null(is_list(or_null(lambda value: is_number(value, -math.inf, math.inf)))),
    ),
}
