"""Dates and times of day in their several notations, for gold answers that are one of these."""

from __future__ import annotations

import re

from calib.judge.numeric.reworded import MONTH, MONTHS

Moment = tuple[int, ...]

DATES = (
    re.compile(r"\b(?P<y>\d{4})([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})\b"),
    re.compile(r"\b(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})\b"),
    re.compile(rf"\b(?P<n>{MONTH})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b", re.I),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<n>{MONTH})\.?,? (?P<y>\d{{4}})\b", re.I
    ),
)
HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
HOUR = rf"(?P<h>{'|'.join(HOURS)}|\d{{1,2}})"
PARTS = {"half past": 30, "quarter past": 15, "quarter to": -15}
MINUTES = {"ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45}
MINUTES |= {"fifty": 50, "twenty-five": 25, "thirty-five": 35, "fifty-five": 55}
GOLD_CLOCK = re.compile(r"\s*\d{1,2}:\d{2}(?::00)?\s*(?:[ap]\.?m\.?)?\s*", re.I)
CLOCKS = (
    re.compile(r"(?<![\d:.])(?P<h>\d{1,2})(?::| ?h ?)(?P<m>\d{2})(?!\d)(?::00)?(?![\d:])"),
    re.compile(rf"\b(?:an? )?(?P<part>{'|'.join(PARTS)}) {HOUR}\b", re.I),
)
WHOLE_CLOCKS = (
    re.compile(r"\W*(?P<h>\d{1,2})\.(?P<m>\d{2})\s*(?:[ap]\.?m\.?|h)?\W*", re.I),
    re.compile(rf"\W*(?:it'?s |it is )?{HOUR} (?P<w>{'|'.join(MINUTES)})\W*", re.I),
)
LONGEST = 2000
"""Characters of an answer, its last, in which a date or time is looked for."""


def same_moment(text: str, gold: str) -> bool:
    """Whether the gold answer is a date or time of day, and the only one that the text names."""
    end = text[-LONGEST:]
    if any(pattern.fullmatch(gold.strip()) for pattern in DATES):
        return dates_of(end) == dates_of(gold)
    return bool(GOLD_CLOCK.fullmatch(gold)) and clocks_of(end) == clocks_of(gold)


def dates_of(text: str) -> set[Moment]:
    return {date(match) for pattern in DATES for match in pattern.finditer(text)}


def date(match: re.Match[str]) -> Moment:
    parts = match.groupdict()
    name = parts.get("n")
    month = int(parts["m"]) if name is None else number_of(name)
    return int(parts["y"]), month, int(parts["d"])


def number_of(name: str) -> int:
    return 1 + next(i for i, month in enumerate(MONTHS) if month.startswith(name.lower()[:3]))


def clocks_of(text: str) -> set[Moment]:
    for pattern in WHOLE_CLOCKS:
        if match := pattern.fullmatch(text):
            return {clock(match)}
    return {clock(match) for pattern in CLOCKS for match in pattern.finditer(text)}


def clock(match: re.Match[str]) -> Moment:
    parts = match.groupdict()
    hour = int(parts["h"]) if parts["h"].isdigit() else 1 + HOURS.index(parts["h"].lower())
    if part := parts.get("part"):
        minutes = PARTS[part.lower()]
    else:
        minutes = MINUTES[parts["w"].lower()] if parts.get("w") else int(parts["m"])
    return divmod(hour * 60 + minutes, 60)
