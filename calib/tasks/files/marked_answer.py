"""Which marked option an answer names: "B", "(B)", "B. dog", "The answer is B.", "dog".

The whole answer is a label, a label and the text of its option, or that text; "The answer is" and
the like may stand before it, "is correct" behind it. An explanation may follow: on a new line, or
after "because", "Explanation:" and what else ``EXPLAINS`` has. It may say anything, but its first
and its last line do not name another option. All else could deny an option or name two, and is
refused: "A. red is wrong", "A or B", "A. red, no, B".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from calib.records import InputError
from calib.tasks.files.values import shown

WIDTHS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3002: ".", 0x3001: "."}
"""Full-width characters, and the ASCII that they stand for."""

EMPHASIS = re.compile(
    r"(?<![\w*])(?:\*\*|__|\*)(?=[\w(\[<])|(?<=[^\s*])(?:\*\*|__|\*)(?![\w*(])", re.A
)
CUE = re.compile(
    r"(?:(?:final\s++)?answer\s*+[:\-]\s*+)?"
    r"(?:(?:(?:the|my)\s++)?(?:(?:correct|right|best|final)\s++)?(?:answer|option|choice)\s*+"
    r"(?:(?:is|would\s++be)(?!\w)\s*+:?|:)\s*+|\u7b54\u6848\s*+(?:[\u662f\u4e3a:]\s*+)*+)?"
    r"(?:(?:the\s++)?(?:option|choice|letter|answer)\s++)?",
    re.I,
)
LABEL = re.compile(
    r"(?P<mark>[(](?P<round>[A-Za-z])[)]|\[(?P<square>[A-Za-z])\]|<(?P<angle>[A-Za-z])>"
    r"|[{](?P<curly>[A-Za-z])[}]|\"(?P<quoted>[A-Za-z])\"|(?P<bare>[A-Za-z])(?=[).:]))[).:]?"
    r"|(?P<dash>[A-Za-z])[ \t]++[-\u2013\u2014](?=\s)"
    r"|(?P<lone>[A-Za-z])(?=[\s,;!]|\Z)"
)
IS_RIGHT = (
    r"(?:\s++is\s++(?:the\s++)?(?:correct|right|best)(?:\s++(?:answer|option|choice|one))?+)?+"
)
EXPLAINS = r"(?:because|lecture|solution|explanation|reason|reasoning|rationale)(?!\w)"
END = re.compile(rf"{IS_RIGHT}[.,;:!]*+[^\S\n]*+(?:\Z|(?P<line>\n)|(?<!\w){EXPLAINS})", re.I)
"""What may follow the answer: nothing, or an explanation."""

REASONED = re.compile(r"(?:LECTURE:|SOLUTION:|###)")
"""ScienceQA's explanations that stand before the answer, which follows a line of "###"."""


def marked_answer(answer: str, letters: Sequence[str], texts: Sequence[str], where: str) -> int:
    """The index of the option that ``answer`` names, by its letter among ``letters`` or its text.

    Raises InputError unless it names one and says nothing else. Time is linear in all texts.
    """
    said = folded(answer)
    if REASONED.match(said):
        said = said.rpartition("###\n")[2].strip()
    options = options_in(said, letters, [folded(text).removesuffix(".") for text in texts])
    if len(options) != 1:
        meant = " and ".join(letters[i] for i in sorted(options))
        raise InputError(
            f"{where}: answer {shown(answer.strip())} "
            + (f"names {meant}" if meant else "is not the letter or text of one option alone")
            + f"; the options are {listed(letters, texts)}, and expected is the letter of one, as "
            'in (A), or its text, and an explanation, if any, on a new line or behind "because"'
        )
    return options.pop()


def options_in(said: str, letters: Sequence[str], texts: Sequence[str]) -> set[int]:
    """The options that ``said`` names, with those that its explanation's outer lines name."""
    options, explanation = answered(said, letters, texts)
    lines = explanation.strip().split("\n")
    if options and explanation.strip():
        for line in {lines[0], lines[-1]}:
            options = options | answered(line.strip(), letters, texts)[0]
    return options


def answered(said: str, letters: Sequence[str], texts: Sequence[str]) -> tuple[set[int], str]:
    """The options that ``said`` names before its explanation, and the lines of that."""
    options, lines = stated(said, texts)
    cue = CUE.match(said)
    rest = said[cue.end() :] if cue else said
    label = LABEL.match(rest)
    letter = next(filter(None, label.groups()[1:])).upper() if label else ""
    if label and letter in letters:
        index = letters.index(letter)
        behind = rest[label.end() :]
        end = END.match(behind)
        if end:
            return {index, *options}, lines_from(behind, end)
        own, own_lines = stated(behind.lstrip(), texts)
        names_two = label["lone"] and len(texts[index]) == 1  # "A B" is no label and its text
        if own == {index} and not names_two:
            return {index, *options}, own_lines
    by_text, text_lines = stated(rest, texts)
    return options | by_text, lines or text_lines


def stated(said: str, texts: Sequence[str]) -> tuple[set[int], str]:
    """The options whose text ``said`` is up to its explanation, and the lines of that.

    As written, else without regard to case; of texts that begin another, the longest.
    """
    for fold in (str, str.casefold):
        ends = {
            i: (len(text), end)
            for i, text in enumerate(texts)
            if begins(said, text, fold) and (end := END.match(said, len(text)))
        }
        if ends:
            longest = max(length for length, _ in ends.values())
            last = {i: end for i, (length, end) in ends.items() if length == longest}
            return set(last), lines_from(said, next(iter(last.values())))
    return set(), ""


def begins(said: str, text: str, fold: Callable[[str], str]) -> bool:
    """Whether ``said`` begins with ``text``, on however many lines."""
    return bool(text) and fold(said[: len(text)].replace("\n", " ")) == fold(text)


def lines_from(said: str, end: re.Match[str]) -> str:
    """The lines behind the one in which the answer ends."""
    return said[end.end() :] if end["line"] else said[end.end() :].partition("\n")[2]


def folded(text: str) -> str:
    """A text without emphasis, in ASCII's widths, its words and lines one space apart."""
    lines = (" ".join(line.split()) for line in text.translate(WIDTHS).split("\n"))
    return EMPHASIS.sub("", "\n".join(filter(None, lines)))


def listed(letters: Sequence[str], texts: Sequence[str]) -> str:
    return shown(" ".join(f"({a}) {b}" for a, b in zip(letters, texts, strict=True)))
