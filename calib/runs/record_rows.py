"""The lines of a scored run's records, read and checked.

The last line may be torn: a run that was stopped while it wrote goes on before it. Any other line
that is no record means that the file was damaged, and no reader skips the rest in silence.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.fields import (
    PLAIN,
    SLACK,
    Fields,
    check_fields,
    is_bool,
    is_count,
    is_list,
    is_number,
    is_plain,
    is_share,
    is_text,
    or_null,
    refuse_irregular,
)
from calib.records import InputError
from calib.runs.kinds import IMPORTED, kind_in
from calib.runs.order_rows import check_orders, is_orders
from calib.runs.position_rows import check_position, is_position
from calib.tasks.files.decisions import TYPES

Row = dict[str, Any]
FLOAT32 = 2.0**-23
"""The step from 1 to the next float32."""


def lines(path: Path) -> Iterator[tuple[Row | None, int]]:
    """Each record, or None in place of a line that is none, and the byte after it.

    Stops before a last line that has no end.
    """
    if not path.exists():
        return
    refuse_irregular(path)
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


def whole_records(path: Path, config: Mapping[str, Any]) -> list[Row]:
    """Every record whose line is whole, checked; ``config`` is the run's.

    Those of a batch that was not finished are among them: scored again, they come out the same.
    Raises InputError, naming the line, for a line that is no record though others follow, a
    question that is there twice, and values that contradict each other or cannot be.
    """
    rows: list[Row] = []
    broken: int | None = None
    for number, (row, _) in enumerate(lines(path), start=1):
        if broken is not None:
            raise InputError(
                f"{path}, line {broken}: this is not a record, and other lines follow: the file is "
                "damaged; take the line out, or let the same command score from there again"
            )
        if row is None:
            broken = number
        else:
            rows.append(row)
    check_all(rows, path, config)
    return rows


def check_all(rows: list[Row], path: Path, config: Mapping[str, Any]) -> None:
    """Raise InputError for the first row that cannot be one of a run with ``config``."""
    fields = SHAPES.get(kind_in(config), (FIELDS, OPTIONAL))
    places: dict[tuple[str, Any], int] = {}
    questions, kind = config.get("questions"), config.get("confidence") or "options"
    for number, row in enumerate(rows, start=1):
        where = f"{path}, line {number}"
        check_row(row, where, *fields)
        check_scores(row, where, kind)
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


def check_row(row: Mapping[str, Any], where: str, fields: Fields, optional: Fields) -> None:
    check_fields(row, where, fields, optional)
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
    check_position(row, where)
    if row["correct"] is not None and None in (row["answer"], row["prediction"]):
        missing = "answer" if row["answer"] is None else "prediction"
        raise InputError(f"{where}: correct is {row['correct']!r}, but {missing} is null")
    settled = None not in (row["answer"], row["prediction"], row["confidence"])
    if settled and row["correct"] is not (row["prediction"] == row["answer"]):
        raise InputError(
            f"{where}: correct is {row['correct']!r}, but prediction is {row['prediction']} and "
            f"answer {row['answer']}"
        )


def check_scores(row: Mapping[str, Any], where: str, kind: str) -> None:
    """Raise InputError where numbers that scoring makes of one another do not agree.

    ``kind`` says of what the row's ``confidence`` is a probability. Rows with a number that is not
    known are passed over, and so are those without options.
    """
    prob, best = row.get("prob"), row.get("prediction")
    if not prob or best is None or None in (*prob, row["confidence"]):
        return
    logprob = [-math.inf if value is None else value for value in row["logprob"]]
    scores = [-math.inf if value is None else value for value in row.get("ranked") or logprob]
    if max(scores) == -math.inf or max(logprob) == -math.inf:
        raise InputError(f"{where}: prob is known, though no option has a log-probability")
    # Rounding a logarithm to float32 changes a probability by so large a part of itself; of options
    # far below the likeliest nothing is left to change.
    near = SLACK + 8 * FLOAT32 * max(abs(max(own)) for own in (logprob, scores))
    if max(scores) - scores[best] > near:
        likeliest = scores.index(max(scores))
        raise InputError(
            f"{where}: prediction is {best}, but option {likeliest} is likelier by its "
            f"{'ranked' if row.get('ranked') else 'logprob'}"
        )
    weights = [math.exp(score - max(scores)) for score in scores]
    for option, (value, weight) in enumerate(zip(prob, weights, strict=True)):
        refuse_far(where, f"prob of option {option}", value, weight / sum(weights), near)
    confidences = {"options": prob[best], "vocab": math.exp(logprob[best])}
    refuse_far(where, f"confidence ({kind})", row["confidence"], confidences[kind], near)
    for name, expected in confidences.items():
        if row.get(f"confidence_{name}") is not None:
            refuse_far(where, f"confidence_{name}", row[f"confidence_{name}"], expected, near)
    if row.get("orders") is not None:
        check_orders(row, where, near)
    if row.get("mass") is not None:
        likely = min(1.0, sum(map(math.exp, logprob)))
        refuse_far(where, "mass", min(1.0, row["mass"]), likely, near)


def refuse_far(where: str, name: str, value: float, expected: float, near: float) -> None:
    if abs(value - expected) > near:
        raise InputError(
            f"{where}: {name} is {value:.6g}, but of the row's log-probabilities it is "
            f"{expected:.6g}"
        )


FIELDS: Fields = {
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
    "parsed": ("true or false", is_bool),
    "correct": ("true, false or null", or_null(is_bool)),
}

OPTIONAL: Fields = {
    "batch": ("a whole number from 0", is_count),
    "of_batch": ("a whole number from 0", is_count),
    "task": (PLAIN, is_plain),
    "group": (PLAIN, is_plain),
    "cluster": (PLAIN, is_plain),
    "valid": ("true or false", is_bool),
    **dict.fromkeys(
        ("confidence_options", "confidence_vocab"),
        ("a number from 0 to 1 or null", or_null(is_share)),
    ),
    "made": ("a list of texts or nulls", is_list(or_null(is_text))),
    "ended": ("true, false or null", or_null(is_bool)),
    "question_type": ("noul, choice or score", lambda value: value in TYPES),
    "orders": ("a list of objects, one an order", is_orders),
    "step": ("a whole number from 0 or null", or_null(is_count)),
    "position": ("an object with prediction, confidences, prob and logprob", is_position),
    "ranked": (
        "a list of numbers or null",
        or_null(is_list(or_null(lambda value: is_number(value, -math.inf, math.inf)))),
    ),
}

TABLE_FIELDS = ("id", "index", "confidence", "correct")
SHAPES = {
    IMPORTED: (
        {name: FIELDS[name] for name in TABLE_FIELDS},
        {**{name: fits for name, fits in FIELDS.items() if name not in TABLE_FIELDS}, **OPTIONAL},
    )
}
"""Of kinds whose records need not have all of ``FIELDS``: what they must have, what they may."""
