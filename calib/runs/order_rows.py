"""What a record says of each order in which its question was asked, checked.

``orders`` of a record is a list: ``shift`` (position p showed option p + shift, the first ones
behind the last), ``prob`` and ``logprob`` by position, ``prediction`` as an option's index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from calib.fields import Fields, check_fields, is_count, is_list, is_number, is_share, or_null
from calib.records import InputError

OF_ORDER: Fields = {
    "shift": ("a whole number from 0", is_count),
    "prob": ("a list of numbers from 0 to 1", is_list(or_null(is_share))),
    "logprob": (
        "a list of numbers",
        is_list(or_null(lambda value: is_number(value, -math.inf, math.inf))),
    ),
    "prediction": ("an option's index", is_count),
}


def is_orders(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(o, dict) for o in value)


def check_orders(row: Mapping[str, Any], where: str, near: float) -> None:
    """Raise InputError where the orders of ``row`` cannot be, or are not what its ``prob`` is the
    mean of, by more than ``near``."""
    prob, orders = row["prob"], row["orders"]
    count = len(prob)
    for number, order in enumerate(orders):
        check_fields(order, f"{where}: order {number}", OF_ORDER)
        if order["shift"] != number or number >= count or order["prediction"] >= count:
            raise InputError(
                f"{where}: order {number} has shift {order['shift']} and prediction "
                f"{order['prediction']}, but there are {count} options and shifts count from 0"
            )
        for name in ("prob", "logprob"):
            if len(order[name]) != count:
                raise InputError(
                    f"{where}: {name} of order {number} has {len(order[name])} values, but there "
                    f"are {count} options"
                )
    for option, value in enumerate(prob):
        shares = [order["prob"][(option - order["shift"]) % count] for order in orders]
        if None not in (value, *shares) and abs(value - mean(shares)) > near:
            raise InputError(
                f"{where}: prob of option {option} is {value:.6g}, but the mean over its orders is "
                f"{mean(shares):.6g}"
            )


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
