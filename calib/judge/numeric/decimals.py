"""Arithmetic that neither overflows nor raises: decimals of 40 digits and wide exponents.

What has no value (a division by zero, an exponent beyond a million digits) is NaN or infinite and
``usable`` says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Context, Decimal

CONTEXT = Context(prec=40, Emax=999_999, Emin=-999_999, traps=[])
PI = Decimal("3.141592653589793238462643383279502884197")

SPACED = re.compile(r"[ '’_]")


def decimal(text: str) -> Decimal:
    return CONTEXT.create_decimal(text)


def usable(value: Decimal | None) -> bool:
    return value is not None and value.is_finite()


def root(value: Decimal, degree: Decimal) -> Decimal:
    return CONTEXT.power(value, CONTEXT.divide(Decimal(1), degree))


def read_digits(text: str) -> tuple[Decimal, ...]:
    """The numbers that digits and separators stand for: one, several of a list, or none.

    =================  ==========================================================================
    1,234 1,234.5      a comma before three digits parts thousands
    12,00,000          so do commas in the Indian way
    1.234.567 1.234,5  points do where there are several, or where a comma follows them
    1'234 1 234 1_234  apostrophes, spaces and underscores part thousands
    3,14 0,125         any other single comma is a decimal comma, any other single point a point
    1,2,3              several commas that part no thousands part a list
    1.2.3 12.05.2020   is no number: a version, a date, a numbered heading
    =================  ==========================================================================
    """
    text = SPACED.sub("", text)
    commas, points = text.count(","), text.count(".")
    if commas and points:
        if text.rindex(",") > text.rindex("."):
            whole, _, decimals = text.rpartition(",")
            sound = commas == 1 and by_thousands(whole.split("."))
        else:
            whole, _, decimals = text.rpartition(".")
            sound = points == 1 and grouped(whole.split(","))
        return (decimal(f"{re.sub('[.,]', '', whole)}.{decimals}"),) if sound else ()
    if commas:
        groups = text.split(",")
        if grouped(groups):
            return (decimal("".join(groups)),)
        return (decimal(".".join(groups)),) if commas == 1 else tuple(map(decimal, groups))
    if points > 1:
        groups = text.split(".")
        return (decimal("".join(groups)),) if by_thousands(groups) else ()
    return (decimal(text),)


def grouped(groups: Sequence[str]) -> bool:
    """Whether commas part thousands, as 1,200,000 or in the Indian way as 12,00,000."""
    indian = (
        len(groups) > 2
        and 0 < len(groups[0]) <= 2
        and all(len(group) == 2 for group in groups[1:-1])
        and len(groups[-1]) == 3
    )
    return by_thousands(groups) or (indian and not groups[0].startswith("0"))


def by_thousands(groups: Sequence[str]) -> bool:
    first, *rest = groups
    return (
        0 < len(first) <= 3 and not first.startswith("0") and all(len(group) == 3 for group in rest)
    )
