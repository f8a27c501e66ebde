"""Number words: "twenty-one", "two and a half", "three quarters", "a dozen", "veintiuno", "二十一".

``text_to_num`` reads whole numbers; English fractions and dozens are put together here. A word that
more often is none ("one of them", "half the dogs") is marked WEAK: it counts only where a text has
no other number.
"""

from __future__ import annotations

import re
from decimal import Decimal

WEAK = "\ue001"
"""Stands before a number that counts only where there is no other."""

UNITS = "zero one two three four five six seven eight nine".split()
TEENS = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty "
    "forty fifty sixty seventy eighty ninety"
).split()
PARTS = {
    **{"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6},
    **{"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100, "thousandth": 1000},
}
DIGIT = rf"(?:{'|'.join(UNITS)})"
WORD = rf"(?:{'|'.join(sorted(UNITS + TEENS, key=len, reverse=True))})"
SCALE = "(?:hundred|thousand|million|billion|trillion)"
PART = rf"(?P<part>{'|'.join(sorted(PARTS, key=len, reverse=True))})s?\b"
COUNT = rf"(?:{WORD}|an?(?= {SCALE}\b))\b(?:(?:[- ]|,? and ){SCALE}\b|(?:[- ]|,? and ){WORD}\b)*"
ORDINAL = r"(?![- ]?(?:first|second)\b|-[a-z]{1,12}(?:th|rd)\b)"
ENGLISH = re.compile(
    rf"(?<![\w-])(?<!\bno )(?<!\bany )(?<!\bevery )"
    rf"(?:half an? (?P<halved>dozen|hundred|thousand|million|billion)\b"
    rf"|(?:an?|(?P<dozens>{WORD}|\d{{1,4}})) dozen\b"
    rf"|(?P<count>{COUNT})(?:(?P<point> point(?: {DIGIT})+)\b"
    rf"| and (?:an?|(?P<top>{WORD}))[- ]{PART}"
    rf"|[- ](?P<parts>{PART.replace('part', 'of')}))?{ORDINAL}"
    rf"|(?:an? )?(?P<alone>half|third|quarter)\b(?!-))",
    re.I,
)
FIRST = re.compile(rf"\b(?:{WORD}|dozen|half|third|quarter|an? {SCALE})\b", re.I)
HALVES = {"dozen": "6", "hundred": "50", "thousand": "500", "million": "500000"}

LANGUAGES = ("fr", "es", "de", "it", "pt", "nl")
SHORT = 10
"""Words of a phrase in which numbers of other languages are looked for."""
# Words of numbers that stand for something else in another of these languages, or are articles.
DOUBTFUL = frozenset(
    "a as cent des die due een elf en honderd huit il je mil mille nove nul on once one ons sei "
    "sept six um uma un una une uno van y ein eine eins zero tres dos dix et onze neuf "
    "nueve".split()
)
CHINESE = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
CHINESE_RUN = re.compile(r"[〇零一二三四五六七八九十百千万亿兩两億萬]{1,30}")


def with_digits(text: str) -> str:
    """The text with the numbers that English words say in digits."""
    return ENGLISH.sub(digits_of, text) if FIRST.search(text) else text


def digits_of(match: re.Match[str]) -> str:
    if match["halved"]:
        return HALVES.get(match["halved"].lower(), "0.5 billion")
    if match["alone"]:
        return f"{WEAK}1/{PARTS[match['alone'].lower()]}"
    if not match["count"]:
        dozens = match["dozens"] or "one"
        count = dozens if dozens.isdigit() else whole(dozens, "en")
        return match[0] if count is None else str(12 * int(count))
    count = whole(re.sub(r"^an? ", "one ", match["count"], flags=re.I), "en")
    if count is None:
        return match[0]
    if match["point"]:
        digits = match["point"].lower().split()[1:]
        return f"{count}.{''.join(str(UNITS.index(digit)) for digit in digits)}"
    if match["part"]:
        return f"{count} {whole(match['top'] or 'one', 'en')}/{PARTS[match['part'].lower()]}"
    if match["of"]:
        return f"{count}/{PARTS[match['of'].lower()]}"
    return f"{WEAK}1" if match[0].lower() == "one" else str(count)


def whole(words: str, language: str) -> int | None:
    """The whole number that all of ``words`` say in a language (ISO 639-1), None if they do not."""
    import text_to_num  # takes 0.1 s, and few answers have number words

    try:
        return int(text_to_num.text2num(words.lower(), language))
    except ValueError:
        return None


def in_other_languages(text: str) -> Decimal | None:
    """The number that words of a short text say in another language than English."""
    runs = CHINESE_RUN.findall(text)
    if runs and (len(runs[-1]) > 1 or len(text.strip()) <= SHORT):
        return Decimal(chinese(runs[-1]))
    words = re.findall(r"[^\W\d_]+", text[:200].replace("-", " "))
    if not words or len(words) > SHORT or len(text) > 200:
        return None
    for size in range(len(words), 0, -1):
        for start in range(len(words) - size + 1):
            phrase = words[start : start + size]
            if size == 1 and len(words) > 1 and phrase[0].lower() in DOUBTFUL:
                continue
            for language in LANGUAGES:
                if (number := whole(" ".join(phrase), language)) is not None:
                    return Decimal(number)
    return None


def chinese(numerals: str) -> int:
    """二十一 is 21, 三百零五 305, 一万二千 12,000; digits on end (二〇二〇) are read as digits."""
    if all(numeral in CHINESE for numeral in numerals):
        return int("".join(str(CHINESE[numeral]) for numeral in numerals))
    total = section = digit = 0
    for numeral in numerals:
        if numeral in CHINESE:
            digit = CHINESE[numeral]
        elif numeral in CHINESE_SCALES:
            section += (digit or 1) * CHINESE_SCALES[numeral]
            digit = 0
        else:
            total += (section + digit or 1) * MYRIADS[numeral]
            section = digit = 0
    return total + section + digit
