"""Wordings of plain text that stand for arithmetic, and confidences that stand beside an answer."""

from __future__ import annotations

import math
import re

DURATION = "second|minute|hour|day|week|month|year|decade|century"
MONTHS = (
    "january february march april may june july august september october november december".split()
)
MONTH = rf"(?:sept\b|{'|'.join(f'{month[:3]}(?:{month[3:]})?' for month in MONTHS)})"
ROMAN = re.compile(
    r"\W*(?=[MDCLXVI]{2})(M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\W*"
)
NUMERALS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
FACTORIAL = re.compile(r"\W*(\d{1,3})(?:!| factorial)\W*")
MIXED = re.compile(
    r"(?<![\d/.,^=*×-])(?<!= )(\d{1,4})(?:-| and )(\d{1,3})/(\d{1,3})(?![\d/])(?! ?=)"
)
PRODUCT = re.compile(r"(?<=\d) times (?=\d)|(?<=\d/\d) of (?=\d)")
RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), replacement)
    for pattern, replacement in (
        (r"\bfourty\b", "forty"),
        (r"\b(?:the )?square root of (?=[\d(])", "√"),
        (r"\b(?:the )?cube root of (\d{1,30}(?:\.\d{1,30})?)", r"√[3]{\1}"),
        (r"\bhalf of (?=\d)", "0.5×"),
        (r"\b(?:twice|double) (?=\d)", "2×"),
        (r"\b(?:thrice|triple) (?=\d)", "3×"),
        (r"\b(log|ln|sin|cos|tan) of (?=\d)", r"\1 "),
        (r"(?<=\d) squared\b", "^2"),
        (r"(?<=\d) cubed\b", "^3"),
        (r"(?<=\d) over (?=\d)", "/"),
        (rf"\b(?:an?|one|1) ({DURATION}) and a half\b", r"1.5 \1s"),
        (rf"\b(\d{{1,9}}) ({DURATION})s and a half\b", r"\1.5 \2s"),
        (rf"\A\W{{0,9}}an? ({DURATION})\W{{0,9}}\Z", r"1 \1"),
        (r"\b(\d{1,2}) ?h ?(\d{2})\b(?! ?m)", r"\1 h \2 min"),
        (r"\b(\d{1,2}):(\d{2}) ?(?:h|hrs?|hours?)\b", r"\1 h \2 min"),
        (r"(\d\.\d{1,30}) (?=10 ?\^)", r"\1×"),
        (r"\A(\W{0,3}),(?=\d)", r"\g<1>0,"),
        (r"(?<=\d)(?:\.{2,3}|…)(?=\d)", " to "),
        (r"\A\W{0,2}?(\$?)\((\$?\d{1,3}(?:,\d{3})+(?:\.\d{1,9})?)\)\W{0,3}\Z", r"-\1\2"),
        (rf"\b({MONTH})\.? (\d{{1,2}}),? (?=\d{{4}}\b)", r"\1 \2th "),
        (r"\bd'(?=euros?\b|dollars?\b)", ""),
    )
)
SURE = r"\d{1,3}(?:\.\d{1,9})?(?: ?%| percent| ?/ ?\d{1,3}| out of \d{1,3})?"
CONFIDENCE = re.compile(
    rf"\b(?:confidence|certainty)\b(?: level| score| rating)?[\"':= ]{{1,6}}(?:(?:is|of|about) )?"
    rf"{SURE}|\b\d{{1,3}}(?:\.\d{{1,9}})? ?(?:%|percent) (?:sure|certain|confident|confidence|"
    r"certainty)\b(?! interval)",
    re.I,
)
# "Guess: 42\nProbability: 0.7", "42; probability 0.8": else a probability may be the answer.
PROBABILITY = re.compile(
    rf"(\A\s*(?:(?:guess|answer)\W{{1,4}})?-?[\d.,/]{{1,40}}[ \w%°]{{0,20}})\W{{1,6}}(?:with )?"
    rf"(?:a )?probability\W{{1,5}}(?:of )?{SURE}",
    re.I,
)


def reworded(text: str) -> str:
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    text = MIXED.sub(lambda m: m.expand(r"\1 \2/\3") if int(m[2]) < int(m[3]) else m[0], text)
    if (whole := ROMAN.fullmatch(text)) and whole[1]:
        return str(roman(whole[1]))
    if whole := FACTORIAL.fullmatch(text):
        return str(math.factorial(int(whole[1])))
    return text


def multiplied(text: str) -> str:
    """ "1/3 of 9" and "3 times 4", once their words are digits, as products."""
    return PRODUCT.sub("×", text)


def roman(numerals: str) -> int:
    values = [NUMERALS[numeral] for numeral in numerals]
    following = [*values[1:], 0]
    return sum(-v if v < n else v for v, n in zip(values, following, strict=True))


def without_confidence(text: str) -> str:
    """The text without how sure it is, where that leaves a number; else as it is."""
    left = PROBABILITY.sub(r"\1 ", CONFIDENCE.sub(" ", text))
    return left if re.search(r"\d", left) else text
