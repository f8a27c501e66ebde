"""What a record of protocol ``paper`` says besides: the step of its letter, and the reading at the
fixed position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib.fields import is_count, is_list, is_share, or_null
from calib.records import InputError

CONFIDENCES = ("confidence_options", "confidence_vocab")


def is_position(value: Any) -> bool:
    """Whether it is the reading of a question at the fixed position."""
    return (
        isinstance(value, dict)
        and is_count(value.get("prediction"))
        and isinstance(value.get("parsed"), bool)
        and all(or_null(is_share)(value.get(name)) for name in (*CONFIDENCES, "mass"))
        and is_list(or_null(is_share))(value.get("prob"))
        and isinstance(value.get("logprob"), list)
    )


def check_position(row: Mapping[str, Any], where: str) -> None:
    """Raise InputError where the two readings of a question do not fit it or each other."""
    if "step" not in row:
        return
    count, position = len(row["options"]), row.get("position")
    if position is None:
        raise InputError(f"{where}: position is missing, though step is there")
    for name in ("prob", "logprob"):
        if len(position[name]) != count:
            raise InputError(
                f"{where}: position: {name} has {len(position[name])} values, but there are "
                f"{count} options"
            )
    if position["prediction"] >= count:
        raise InputError(
            f"{where}: position: prediction {position['prediction']} is none of {count} options"
        )
    if (row["step"] is None) is not (row["prediction"] is None) or row["parsed"] is (
        row["step"] is None
    ):
        raise InputError(
            f"{where}: step is {row['step']!r}, but prediction is {row['prediction']!r} and parsed "
            f"{row['parsed']!r}"
        )
