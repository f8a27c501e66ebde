"""What stands after a number: a factor ("million"), a unit, or what is counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from calib.judge.numeric import units
from calib.judge.numeric.decimals import decimal
from calib.judge.numeric.tokens import Token
from calib.judge.numeric.unit_names import (
    CURRENCIES,
    MULTIPLIERS,
    PERCENT_PAIRS,
    SCRIPT_UNITS,
    SHORT_MULTIPLIERS,
)
from calib.judge.numeric.units import Powers, Unit

FACTORS_AT_MOST = 8
"""Units of one product."""
COUNTED = 4
"""Words of a phrase that says what is counted."""
POWERED = re.compile(r"([^\W\d_]{1,12})(-?\d)")
SQUARES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "quadrat": 2, "kubik": 3}
SQUARED = {"squared": 2, "cubed": 3, "au carré": 2}
PER = frozenset(("per", "pro", "por", "par", "/"))
# After a unit and a space: symbols that go on with the unit, as in "5 kg m", "8 N m", "2 V s".
FACTORS = frozenset("m s h mol K N kg L V A J W Pa Hz g cm mm km".split())
TEMPERATURES = {
    **{"C": "degree_Celsius", "Celsius": "degree_Celsius", "celsius": "degree_Celsius"},
    **{"F": "degree_Fahrenheit", "Fahrenheit": "degree_Fahrenheit", "K": "kelvin"},
    **{"fahrenheit": "degree_Fahrenheit", "Kelvin": "kelvin", "kelvin": "kelvin"},
}
VARIABLES = frozenset("xznie")
ENDS = frozenset(("", "line", ".", ",", ";", ":", ")", "]", "}", "!", "?", "=", "≈", "→", "×", "'"))


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to read what follows a number: multiply by ``scale``, then count ``unit``.

    ``strict``: only a number with a known unit may be compared with this reading.
    """

    unit: Unit | None = None
    scale: Decimal = Decimal(1)
    strict: bool = False


class Phrases:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens

    def kind(self, index: int) -> str:
        return self.tokens[index].kind if index < len(self.tokens) else ""

    def word(self, index: int) -> str:
        return self.tokens[index].text if self.kind(index) == "word" else ""

    def adjacent(self, index: int) -> bool:
        return (
            0 < index < len(self.tokens) and self.tokens[index - 1].end == self.tokens[index].start
        )

    def after(self, index: int, currency: str = "") -> tuple[tuple[Phrase, ...], int]:
        """The readings of what stands at ``index``, and where it ends.

        currency: the sign before the number, if any.
        """
        while self.kind(index) in ("{", "}") and self.kind(index + 1) in ("word", "%", "°", "}"):
            index += 1
        scale, index, doubtful = self.scale(index, bool(currency))
        if currency:
            names = ("yen", "yuan") if currency == "¥" else (CURRENCIES[currency],)
            products = [self.product(index, money=f"currency_{name}") for name in names]
            return tuple(Phrase(unit, scale) for unit, _ in products), products[0][1]
        phrases, end = self.units(index)
        if doubtful:
            symbol = units.named(self.tokens[index - 1].text)
            alone = units.unit(symbol, frozenset()) if symbol else None
            phrases = (*(Phrase(p.unit, p.scale * scale, p.strict) for p in phrases),)
            attached = self.adjacent(index - 1)
            return ((*phrases, Phrase(alone, strict=attached)), end) if alone else (phrases, end)
        return tuple(Phrase(p.unit, p.scale * scale, p.strict) for p in phrases), end

    def scale(self, index: int, money: bool) -> tuple[Decimal, int, bool]:
        """The factor at ``index``, where it ends, and whether it may be a unit: 5M, 5 K."""
        total = Decimal(1)
        while (power := self.power(index)) is not None and total < Decimal("1e18"):
            total, index = total * Decimal(10) ** power, index + 1
        if total > 1:
            return total, index, False
        word = self.word(index)
        if word in SHORT_MULTIPLIERS and (money or word not in "mbTG"):
            return Decimal(10) ** SHORT_MULTIPLIERS[word], index + 1, not money
        return total, index, False

    def power(self, index: int) -> int | None:
        text = self.tokens[index].text if self.kind(index) in ("word", "script") else ""
        return MULTIPLIERS.get(text if len(text) == 1 else text.casefold())

    def units(self, index: int) -> tuple[tuple[Phrase, ...], int]:
        kind = self.kind(index)
        if kind == "-" and self.adjacent(index) and self.adjacent(index + 1):  # a 5-inch screen
            known, end = self.product(index + 1)
            return ((Phrase(known),), end) if known else ((Phrase(),), index)
        if kind == "°":
            return self.degrees(index, index + 1)
        if kind in ("%", "‰") or kind in CURRENCIES or kind == "¢":
            unit, end = self.product(index)
            return (Phrase(unit),), end
        if (
            kind == "'"
            and (index < 2 or self.kind(index - 2) != "'")
            and self.kind(index + 1) in ("", "line")
        ):
            marks = (units.unit(((name, 1),), frozenset({name})) for name in ("foot", "arcminute"))
            return tuple(Phrase(unit) for unit in marks), index + 1
        if kind in ("'", '"') and (name := self.feet_or_inches(index)):  # 5' 3"
            return (Phrase(units.unit(((name, 1),), frozenset({name}))),), index + 1
        if kind == "script":
            return self.script(index)
        if kind != "word":
            return (Phrase(),), index
        if self.variable(index):  # 10x, 10i
            letter = self.word(index)
            return (Phrase(Unit(frozenset({letter}), letter), strict=True),), index + 1
        pair = f"{self.word(index)} {self.word(index + 1)}".casefold()
        if pair in PERCENT_PAIRS:
            return (Phrase(percent()),), index + 2
        word = self.word(index)
        if word.casefold() in ("degree", "degrees", "deg", "grad", "grados", "degrés", "gradi"):
            return self.degrees(index, index + 1)
        known, end = self.product(index)
        if known is not None:
            phrases: tuple[Phrase, ...] = (Phrase(known),)
            if end == index + 1 and word in ("C", "F"):  # coulombs or degrees Celsius
                degrees = units.unit(((TEMPERATURES[word], 1),), frozenset())
                phrases += (Phrase(degrees, strict=True),)
            return phrases, end
        return self.counted(index)

    def variable(self, index: int) -> bool:
        """Whether a letter right behind a number is a variable: "10x", but not "10x faster"."""
        return (
            self.word(index) in VARIABLES
            and self.adjacent(index)
            and self.kind(index + 1) not in ("word", "number", "-")
        )

    def degrees(self, start: int, index: int) -> tuple[tuple[Phrase, ...], int]:
        name = TEMPERATURES.get(self.word(index))
        if name:
            over, end = (
                self.product(index + 1) if self.kind(index + 1) == "/" else (None, index + 1)
            )
            unit = over or units.unit(((name, 1),), frozenset({name}))
            return (Phrase(unit),), end
        angle = units.unit((("degree", 1),), frozenset({"degree"}))
        loose = (units.unit(((TEMPERATURES[c], 1),), frozenset()) for c in "CF")
        return (Phrase(angle), *(Phrase(unit, strict=True) for unit in loose)), index

    def feet_or_inches(self, index: int) -> str:
        """What the marks of 5' 3" stand for; "" for a mark that is not of such a pair."""
        foot = index if self.kind(index) == "'" else index - 2
        kinds = [self.kind(i) for i in range(foot - 1, foot + 3)]
        if kinds != ["number", "'", "number", '"']:
            return ""
        return "foot" if foot == index else "inch"

    def script(self, index: int) -> tuple[tuple[Phrase, ...], int]:
        """A unit that begins a run of a script without spaces, behind a factor: 120万元."""
        text = self.tokens[index].text[:20]
        scale = Decimal(1)
        while text and text[0] in MULTIPLIERS and text not in SCRIPT_UNITS:
            if any(text.startswith(name) for name in SCRIPT_UNITS if name[0] == text[0]):
                break
            scale, text = scale * Decimal(10) ** MULTIPLIERS[text[0]], text[1:]
        names = [name for name in SCRIPT_UNITS if text.startswith(name)]
        if not names:
            return (Phrase(scale=scale),), index + 1
        name = max(names, key=len)
        return (
            Phrase(units.unit(units.of_alias(SCRIPT_UNITS[name]), frozenset({name})), scale),
        ), (index + 1)

    def counted(self, index: int) -> tuple[tuple[Phrase, ...], int]:
        words: list[str] = []
        while (
            len(words) < COUNTED
            and (word := self.word(index + len(words)))
            and not units.no_unit(word)
            and not word.startswith("\\")
        ):
            words.append(units.singular(word))
        unit = units.counted(frozenset(words)) if words else None
        return (Phrase(unit),), index + len(words)

    def product(self, index: int, *, money: str = "") -> tuple[Unit | None, int]:
        """Units joined by signs, "per" or a space, each with its power: kg·m/s², km per hour.

        money: pint's name of the currency whose sign stands before the number; it goes first.
        """
        powers: list[tuple[str, int]] = [(money, 1)] if money else []
        words: set[str] = set()
        scale = Decimal(1)
        sign, end, opened = 1, index, False
        per = self.kind(index) == "/" or self.word(index) in PER
        if money and per:
            sign, end = -1, index + 1
        while (not money or per) and len(powers) < FACTORS_AT_MOST:
            if sign < 0 and self.kind(end) == "(":  # W/(m·K)
                opened, end = True, end + 1
            count = self.tokens[end].text if self.kind(end) == "number" else ""
            if sign < 0 and count.isdigit() and count.strip("0"):  # mg per 100 mL
                scale, end = scale * decimal(count), end + 1
            one = self.one(end)
            if one is None:
                break
            names, one_end = one
            powers += [(name, sign * power) for name, power in names]
            words |= {units.singular(self.tokens[i].text) for i in range(end, one_end)}
            end = one_end + (opened and self.kind(one_end) == ")")
            index = end
            kind, word = self.kind(end), self.word(end)
            joined = kind in ("·", "*", "×") or (kind == "-" and self.adjacent(end))
            if kind == "/" or word in PER:
                sign, end = -1, end + 1
            elif joined or (kind == "}" and self.kind(end + 1) in ("^", "/", "·")):
                end += 1
            elif not (word in FACTORS or POWERED.fullmatch(word) or self.kind(end + 1) == "^"):
                break
        if not powers:
            return None, index
        unit = units.unit(tuple(powers), frozenset(words))
        if unit is not None and scale != 1:
            unit = Unit(unit.words, unit.base, unit.factor / scale, unit.zero)
        return unit, index

    def one(self, index: int) -> tuple[Powers, int] | None:
        """One name with its power: m, m^2, square metres, cm3, light years."""
        kind = self.kind(index)
        if kind in ("%", "‰", "¢") or kind in CURRENCIES:
            names = units.named(self.tokens[index].text)
            return (names, index + 1) if names else None
        word = self.word(index)
        if kind == "°" and self.word(index + 1) in TEMPERATURES:
            return ((TEMPERATURES[self.word(index + 1)], 1),), index + 2
        if not word:
            return None
        square = SQUARES.get(word.casefold().rstrip("."), 1)
        if square > 1:
            index += 1 + (self.kind(index + 1) == ".")
            word = self.word(index)
        end = index + 1
        names = None
        if self.word(end) and not units.no_unit(self.word(end)):
            names = units.named(f"{word}_{self.word(end)}".replace("-", "_"))
            end += names is not None
        if names is None:
            names = units.named(word) if self.is_unit(word, index) else None
        if names is None and (powered := POWERED.fullmatch(word)):
            names = units.named(powered[1])
            square = int(powered[2])
        if names is None:
            return None
        if self.kind(end) == "^":
            power, after = self.exponent(end + 1)
            square, end = (power, after) if power else (square, end)
        elif self.word(end) in SQUARED:
            square, end = SQUARED[self.word(end)], end + 1
        return tuple((name, power * square) for name, power in names), end

    def is_unit(self, word: str, index: int) -> bool:
        """Whether a word that also is a preposition or the like ends its clause, as a unit does."""
        if not units.no_unit(word) and word != "in":
            return True
        return self.kind(index + 1) in ENDS

    def exponent(self, index: int) -> tuple[int, int]:
        braced = self.kind(index) in ("{", "(")
        index += braced
        sign = -1 if self.kind(index) == "-" else 1
        index += self.kind(index) in ("-", "+")
        digits = self.tokens[index].text if self.kind(index) == "number" else ""
        power = sign * int(digits) if digits.isdigit() and len(digits) < 3 else 0
        return power, index + 1 + braced


def percent() -> Unit | None:
    return units.unit((("percent", 1),), frozenset())
