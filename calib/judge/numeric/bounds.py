"""Bounds: "at least 15", "> 15" and "15+" are no 15."""

from __future__ import annotations

import re

WORDS = {
    ">=": "at least|(?:no|not) (?:less|fewer|lower) than|minimum of|mindestens|au moins|al menos|"
    "por lo menos|almeno|pelo menos|minstens|co najmniej|не менее|至少|最少|少なくとも",
    "<=": "at most|(?:no|not) (?:more|greater|higher|larger) than|up to|maximum of|höchstens|"
    "bis zu|au plus|au maximum|como máximo|al massimo|no máximo|hoogstens|не более|最多",
    ">": "(?:more|greater|larger|higher|bigger) than|over|above|exceeds|exceeding|mehr als|über|"
    "plus de|más de|più di|mais de|meer dan|более|больше|超过|超過",
    "<": "(?:less|fewer|lower|smaller) than|under|below|weniger als|unter|moins de|menos de|"
    "meno di|minder dan|менее|меньше|少于|少於|不到",
}
AROUND = 40
"""Characters before and after a number that are looked at."""
BOUNDS = tuple(WORDS)
SIGNS = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}
BEFORE = re.compile(
    "(?:"
    + "|".join(rf"({SIGNS[bound]}|(?<![a-zà-ÿа-я])(?:{WORDS[bound]}))" for bound in BOUNDS)
    + r")\W?$"
)
# "adds up to 15", "2 more than 40", "<unit>5".
NO_BOUND = re.compile(
    r"(?:add|sum|round|count|com|go|total|amount|work)\w{0,4} up to\W?$"
    r"|\d(?: \w{1,20})? (?:more|less|fewer|greater|larger|higher) than\W?$|</?\w{1,20}>$"
)
OR_EQUAL = re.compile(r"([<>]) ?= ?$")
MORE = "more|above|over|greater|higher|up"
AFTER = (
    (
        ">=",
        re.compile(rf"\+(?!\w)(?! ?[-\d(+√π])|,? (?:or|and) (?:{MORE})\b|,? at least\b(?! \d)"),
    ),
    ("<=", re.compile(r",? or (?:less|fewer|below|under|lower)\b|,? at most\b(?! \d)")),
    (">", re.compile(r" ?< ?[a-z]\b(?! ?[<≤])")),
    ("<", re.compile(r" ?> ?[a-z]\b(?! ?[>≥])")),
)


def bound_of(before: str, after: str) -> str:
    """The bound that a number is, by the text right before and right after it; "" for none."""
    before = before.casefold()
    if equal := OR_EQUAL.search(before):
        return f"{equal[1]}="
    worded = BEFORE.search(before)
    if worded and not NO_BOUND.search(before):
        return BOUNDS[(worded.lastindex or 1) - 1]
    after = after.casefold()
    return next((bound for bound, pattern in AFTER if pattern.match(after)), "")
