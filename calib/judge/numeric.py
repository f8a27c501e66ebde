"""Is the number an answer gives the gold number, within a tolerance?

Read are signs, thousands separators, decimals, exponents (1e5, 1.5 x 10^5), fractions (3/4,
1 1/2, \\frac{3}{4}), percents, currency signs, "million", small number words, and units after
the number.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from calib.judge.refusal import is_refusal
from calib.judge.said import text_of
from calib.judge.text import gold_texts
from calib.records import Answer, Item, Verdict

RELATIVE = 1e-4
"""Default tolerance, relative to the gold number: room for rounding, not for another value."""

WORDS = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6},
    **{"seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12},
}
# Unit -> (kind, factor to the kind's base); words in the singular.
SCALES = {
    **{u: ("length", f) for u, f in {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2}.items()},
    **{u: ("length", f) for u, f in {"m": 1.0, "meter": 1.0, "metre": 1.0, "km": 1e3}.items()},
    **{u: ("mass", f) for u, f in {"mg": 1e-6, "g": 1e-3, "gram": 1e-3, "kg": 1.0}.items()},
    **{u: ("time", f) for u, f in {"ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0}.items()},
    **{u: ("time", f) for u, f in {"min": 60.0, "minute": 60.0, "h": 3.6e3, "hour": 3.6e3}.items()},
    **{u: ("volume", f) for u, f in {"mL": 1e-3, "ml": 1e-3, "L": 1.0, "l": 1.0}.items()},
    **{u: ("volume", f) for u, f in {"liter": 1.0, "litre": 1.0}.items()},
    **{u: ("force", f) for u, f in {"N": 1.0, "kN": 1e3}.items()},
    **{u: ("power", f) for u, f in {"mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6}.items()},
    **{u: ("pressure", f) for u, f in {"Pa": 1.0, "kPa": 1e3, "MPa": 1e6}.items()},
}
TIMES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?"
NUMBER = re.compile(
    rf"(?:(?<![\w.)])(?P<sign>[-+])\s?)?(?<![\w.,])[$€£¥]?\s?(?=\.?\d)(?P<body>{PLAIN})"
    r"(?:\s?×\s?10\s?(?:\^|\*\*)\s?(?P<power>[-+]?\d+)|"
    r"[eE](?P<exp>[-+]?\d+))?"
    r"(?:\s?/\s?(?P<under>\d+(?:\.\d+)?)|\s(?P<top>\d+)/(?P<bottom>\d+))?"
    r"\s?(?P<percent>%|percent\b|per cent\b)?"
    r"(?:\s?(?P<unit>[a-zA-Zµμ°Ω]+(?:/[a-zA-Z]+)?))?"
)
MARKUP = re.compile(r"\*\*(?!\s?[-+]?\d)|[`{}$]|\\boxed|\\[,;!() ]|\\(?=%)|\\(?:text|mathrm)\b")
SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
VULGAR = re.compile(r"[¼-¾⅐-⅞]")
BARE_POWER = re.compile(r"(?<![\d.×^])(?<!× )10\s?(?:\^|\*\*)\s?([-+]?\d+)")
TEX_FRACTION = re.compile(r"\\[dt]?frac\{(\d+(?:\.\d+)?)\}\{(\d+(?:\.\d+)?)\}")
CUE = re.compile(r"\b(?:answer|result|total|value)\b\s*(?:is|are|=|:|equals|≈)+\s*[:=]?", re.I)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written; ``value`` has no percent sign applied."""

    value: float
    percent: bool = False
    unit: str = ""


def numeric(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer's number is the gold number within ``RELATIVE``."""
    return numeric_within(answer, item)


def numeric_within(
    answer: Answer | str, item: Item, *, relative: float = RELATIVE, absolute: float = 0.0
) -> Verdict:
    """Correct when |answer - gold| <= max(relative * |gold|, absolute).

    The answer's number is the first after its last "answer is" (or result, total, value), else its
    last number. Where both have a unit that is known the answer is converted, and a length is no
    mass. "50%" is 50 and 0.5 alike.
    """
    text = text_of(answer)
    gold = [q for alias in gold_texts(item) if (q := last_number(alias)) is not None]
    said = last_number(text)
    if said is None:
        refused = is_refusal(text)
        how = "refusal" if refused else "no number"
        return Verdict(False if gold else None, None, refused, how)
    right = any(same(said, wanted, relative, absolute) for wanted in gold)
    value = said.value / 100 if said.percent else said.value
    if not right and is_refusal(text):
        return Verdict(False if gold else None, None, True, "refusal")
    return Verdict(right if gold else None, value, False, "numeric")


def last_number(text: str) -> Quantity | None:
    """The number a text ends in, or the first after its last "answer is"; None without any."""
    plain = plainly(text)
    numbers = list(NUMBER.finditer(plain))
    if not numbers:
        named = [m for m in re.finditer(r"[a-z]+", plain.casefold()) if m[0] in WORDS]
        return Quantity(float(WORDS[named[-1][0]])) if named else None
    cues = list(CUE.finditer(plain))
    after = [m for m in numbers if cues and m.start() >= cues[-1].end()]
    return quantity(after[0] if after else numbers[-1])


def plainly(text: str) -> str:
    """The text in ASCII digits and signs, without markup that only dresses a number."""
    text = SUPERSCRIPT.sub(lambda m: "^" + unicodedata.normalize("NFKC", m[0]), text)
    text = VULGAR.sub(lambda m: " " + unicodedata.normalize("NFKC", m[0]), text)
    text = re.sub(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3})", "", text)  # spaces within a number
    text = re.sub(r"\\times|\\cdot|(?<=\d)\s?[x*](?=\s?10\s?(?:\^|\*\*))", " × ", text)
    text = text.translate({0x2212: "-", 0x2013: "-", 0x2044: "/"})
    text = MARKUP.sub(" ", TEX_FRACTION.sub(r"\1/\2", text))
    return BARE_POWER.sub(r"1e\1", re.sub(r"\s+", " ", text))


def quantity(match: re.Match[str]) -> Quantity:
    value = float(match["body"].replace(",", ""))
    power = match["power"] or match["exp"]
    if power:
        value *= 10.0 ** int(power)
    if match["under"]:
        value = value / float(match["under"]) if float(match["under"]) else math.inf
    elif match["top"]:
        value += float(match["top"]) / float(match["bottom"]) if int(match["bottom"]) else math.inf
    unit = (match["unit"] or "").replace("µ", "u").replace("μ", "u")
    if unit.casefold() in TIMES:
        value, unit = value * TIMES[unit.casefold()], ""
    return Quantity(-value if match["sign"] == "-" else value, bool(match["percent"]), unit)


def same(said: Quantity, gold: Quantity, relative: float, absolute: float) -> bool:
    values = [said.value]
    if said.percent != gold.percent:
        values.append(said.value / 100 if said.percent else said.value * 100)
    scale = conversion(said.unit, gold.unit)
    if scale is None:
        return False
    room = max(relative * abs(gold.value), absolute)
    return any(abs(value * scale - gold.value) <= room for value in values)


def conversion(said: str, gold: str) -> float | None:
    """The factor from one unit to another; 1 where one is not given; None where there is none."""
    first, second = (SCALES.get(name(unit)) for unit in (said, gold))
    if first and second:
        return first[1] / second[1] if first[0] == second[0] else None
    # A word after a number need not be a unit ("3 apples", "5 because").
    return 1.0


def name(unit: str) -> str:
    """A unit as the table has it: a symbol with its case (mW is not MW), a word in the singular."""
    if unit in SCALES:
        return unit
    lower = unit.casefold()
    return lower[:-1] if len(lower) > 2 and lower.endswith("s") else lower
