"""Options that an answer names without a cue, and lists in which it only restates them."""

from __future__ import annotations

import re
from bisect import bisect_left

from calib.judge.cues import (
    CONCLUDES,
    CUE,
    DENIED_AFTER,
    DENIES,
    ENDS,
    LIST_MARK,
    LISTED,
    MARK,
    STRONG,
)
from calib.judge.folding import normalized_text
from calib.judge.options import Options
from calib.tasks.files import LETTERS

GAP = 300
"""At most so many characters stand between two labels of one list."""
TRIED = 20
"""Only so many labels of a sentence are read, the last ones: repetition is no answer."""
BEFORE = 60
"""So many characters before a mention may deny it."""
LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")


def strong(options: Options, text: str) -> set[int]:
    """Options named as options: "option B", "(B)" in a conclusion, a label by its own text."""
    mentions = [m for m in STRONG.finditer(text) if m[1] != "A" or not is_article(options, m, text)]
    mentions += [m for m in list(LISTED.finditer(text))[-TRIED:] if labels_text(options, m, text)]
    concludes = CONCLUDES.search(text)
    mentions += [m for m in ENDS.finditer(text) if concludes]
    marks = list(MARK.finditer(text))[-TRIED:]
    mentions += [m for m in marks if concludes or follows_text(options, m, text)]
    letters = {m[1] for m in mentions if not denied(text, m)}
    return {LETTERS.index(c) for c in letters if LETTERS.index(c) < options.size}


def is_article(options: Options, match: re.Match[str], text: str) -> bool:
    """Whether "A" begins an option's text: "Answer A horse"."""
    after = LETTERS_AND_DIGITS.findall(normalized_text(text[match.end() :][: options.window]))
    return any(begins_with(after, own) for texts in options.folded[1:] for own in texts)


def labels_text(options: Options, match: re.Match[str], text: str) -> bool:
    """Whether the option's own text stands right after its label: "B. Gold leaf"."""
    index = LETTERS.index(match[1].upper())
    if index >= options.size:
        return False
    after = LETTERS_AND_DIGITS.findall(normalized_text(text[match.end() :][: options.window]))
    return any(begins_with(after, own) for own in options.folded[index])


def begins_text(options: Options, match: re.Match[str], text: str) -> bool:
    """Whether the word after a label is the first of the option's own text: "B. No, since"."""
    index = LETTERS.index(match[1].upper())
    after = LETTERS_AND_DIGITS.findall(normalized_text(text[match.end() :][: options.window]))
    own = options.folded[index] if index < options.size else ()
    return bool(after) and any(LETTERS_AND_DIGITS.findall(text)[:1] == after[:1] for text in own)


def follows_text(options: Options, match: re.Match[str], text: str) -> bool:
    """Whether the option's own text stands right before its label: "gold leaf (B)"."""
    index = LETTERS.index(match[1])
    if index >= options.size:
        return False
    start = max(0, match.start() - options.window)
    before = f" {normalized_text(text[start : match.start()])}"
    return any(before.endswith(f" {own}") for own in options.folded[index])


def without_list(text: str, size: int) -> str:
    """The text without lists of options: three or more different labels on end, "A" first."""
    marks = [(m[1] or m[2], m.start(), m.end()) for m in LIST_MARK.finditer(text)]
    ends = sorted([m.start() for m in CUE.finditer(text)] if marks else [])
    lines = [place for place, char in enumerate(text) if char == "\n"]
    pieces, start, number = [], 0, 0
    while number < len(marks):
        run = [marks[number]]
        for mark in marks[number + 1 :]:
            place = bisect_left(ends, run[-1][2])
            cue_between = place < len(ends) and ends[place] < mark[1]
            if mark[0] in {m[0] for m in run} or mark[1] - run[-1][2] > GAP or cue_between:
                break
            run.append(mark)
        number += 1
        if run[0][0] != "A" or len(run) < min(3, size):
            continue
        number += len(run) - 1
        after = run[-1][2]
        stops = [s[i] for s in (ends, lines) if (i := bisect_left(s, after)) < len(s)]
        pieces.append(text[start : run[0][1]])
        start = min([len(text), *stops])
    return "\n".join([*pieces, text[start:]]).strip()


def begins_with(words: list[str], own: str) -> bool:
    """Whether the words begin with ``own``, signs apart: the label has named the option already."""
    target, begun = "".join(LETTERS_AND_DIGITS.findall(own)), ""
    for word in words:
        begun += word
        if len(begun) >= len(target):
            break
    return bool(target) and begun == target


def denied(text: str, mention: re.Match[str]) -> bool:
    before = text[max(0, mention.start() - BEFORE) : mention.start()]
    return bool(DENIES.search(before) or DENIED_AFTER.match(text, mention.end()))
