"""Marks that may stand before an option: where each is, its letter, its marking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MARK = (
    r"(?P<bold>\*\*)?(?:\((?P<round>[A-Za-z])\)|\[(?P<square>[A-Za-z])\]"
    r"|\uff08(?P<wide>[A-Za-z])\uff09"
    r"|(?P<open>[A-Za-z])(?:\*\*)?(?P<end>[.):\uff0e\u3001\uff1a]))(?:\*\*)?"
)
# At a line's start "A.30" is a mark; "A.M. is" and "i.e. this" are abbreviations.
LINE_MARK = re.compile(
    rf"[ \t]*(?:[-*\u2022\u00b7][ \t]+)?"
    rf"(?:{MARK}(?![A-Za-z]\.)|(?P<dash>[A-Za-z])[ \t]+[-\u2013\u2014](?=[ \t]))"
)
INLINE_MARK = re.compile(
    rf"(?:(?<![^\s?!.:;\uff1a\uff1f\u3002\uff1b])|(?P<tight>(?<=\S)(?=[(\[\uff08]))){MARK}"
    r"(?:(?=\s|$)|(?P<joined>(?<=[)\]\uff09\uff0e\u3001\uff1a])))"
)
KINDS = ("open", "round", "square", "wide", "dash")
# What may stand before the first option in a line; "( )" is the blank that an option fills.
BEFORE = (
    ("colon", re.compile(r"[:\uff1a]\**$")),
    (
        "sentence",
        re.compile(
            r"[?!.\uff1f\uff01\u3002][)\]\"'\u201d\u2019\u300d\uff09*]*$"
            r"|[(\uff08][ \t\u3000]*[)\uff09]$|>$|\b(?:options|choices|\u9009\u9879)\**$",
            re.I,
        ),
    ),
)
NEAR = 12  # characters before a mark that tell its place
# How a line begins that asks for a form of answer, capital letters at its start.
INSTRUCTION = re.compile(
    r"(?:Please|Kindly|Answer|Respond|Reply|Choose|Select|Pick|Provide|Return|Output|Write|Give"
    r"|Only|Just|Do not|Don't|Think|Explain|please|answer (?:with|the|in|by))\b|\u8bf7|\u56de\u7b54"
)


class Mark(NamedTuple):
    """A letter marked as an option's may be, from ``start`` to ``end`` of a text.

    ``kind`` is "round", "square" or "wide" in brackets, "open" or "dash" without; only marks of
    one ``style`` may form a run. ``letter`` is in upper case. ``place`` is "line" at the start of
    line number ``line``, "colon" after a colon, "sentence" after a sentence's end, "tight" within
    a word, as in "(A)yes(B)no", else "inline".
    """

    start: int
    end: int
    letter: str
    kind: str
    style: str
    line: int
    place: str

    @property
    def bracketed(self) -> bool:
        return self.kind not in ("open", "dash")

    @property
    def begins_run(self) -> bool:
        return self.place in ("line", "colon", "sentence")

    @property
    def number(self) -> int:
        """0 for A, 1 for B, ..."""
        return ord(self.letter) - ord("A")


def marks(text: str) -> Iterator[Mark]:
    """Every mark in ``text``, in order. Time is linear in the text."""
    offset = 0
    for number, line in enumerate(text.split("\n")):
        if not line:
            offset += 1
            continue
        position = 0
        at_start = LINE_MARK.match(line)
        if at_start:
            yield mark_of(at_start, offset, number, "line")
            position = at_start.end()
        # "Answer with (A) or (B)." lists nothing; "Choose one: (A) x (B) y" does.
        only_mentions = at_start is None and INSTRUCTION.match(line) is not None
        for match in INLINE_MARK.finditer(line, position):
            before = line[max(0, match.start() - NEAR) : match.start()].rstrip()
            other = "tight" if match["tight"] is not None else "inline"
            place = next((name for name, ends in BEFORE if ends.search(before)), other)
            if other == "tight" and (place == "inline" or match["joined"] is None):
                continue
            only_mentions = only_mentions and place == "inline"
            if not only_mentions:
                yield mark_of(match, offset, number, place)
        offset += len(line) + 1


def mark_of(match: re.Match[str], offset: int, line: int, place: str) -> Mark:
    kind = next(name for name in KINDS if name in match.re.groupindex and match[name])
    letter = match[kind]
    case = "upper" if letter.isupper() else "lower"
    return Mark(
        offset + match.start(),
        offset + match.end(),
        letter.upper(),
        kind,
        f"{kind}{match['end'] or ''} {case}{' bold' if match['bold'] else ''}",
        line,
        place,
    )
