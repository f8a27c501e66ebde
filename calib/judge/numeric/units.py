"""Units by pint: what a phrase after a number means, and numbers from one unit to another.

Words are looked up one at a time and never evaluated. Two units convert when they have the same
base units, so that radians are no bits and hertz no radians per second; each currency is a base of
its own, and so are scales that no factor converts, as decibels.

* A unit on one side only is no contradiction.
* A known unit matches what it converts into and nothing else.
* Words that are no known unit ("3 apples") are what is counted: they match what shares a word.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from calib.judge.numeric.decimals import CONTEXT
from calib.judge.numeric.unit_names import ALIASES, CENTS, CURRENCIES, NO_UNITS, PERCENT

if TYPE_CHECKING:
    import pint

LONGEST = 40
"""Characters of a word that can be a unit."""
LARGEST_POWER = 9
FRACTION = "dimensionless"
# Of a scale of temperature: kelvins in a degree, and its zero in kelvins.
TEMPERATURES = {
    "degree_Celsius": (Decimal(1), Decimal("273.15")),
    "degree_Fahrenheit": (
        CONTEXT.divide(Decimal(5), Decimal(9)),
        CONTEXT.divide(Decimal("2298.35"), Decimal(9)),
    ),
    "degree_Reaumur": (Decimal("1.25"), Decimal("273.15")),
}
LOGARITHMIC = ("bel", "neper", "decade", "octave")


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts.

    ``base`` names the base units, "" where no unit is known; a value in them is
    ``value * factor + zero``. ``words`` are the words as written, in the singular.
    """

    words: frozenset[str]
    base: str = ""
    factor: Decimal = Decimal(1)
    zero: Decimal = Decimal(0)

    @property
    def fraction(self) -> bool:
        """Whether it is a per cent or its like."""
        return self.base == FRACTION


# Factor of a power of one name: (pint's name, exponent).
Powers = tuple[tuple[str, int], ...]


@functools.cache
def registry() -> pint.UnitRegistry[float]:
    """pint's own units and the currencies. Takes some 0.3 s, when the first unit is met."""
    import pint

    units: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    for name in sorted(set(CURRENCIES.values())):
        units.define(f"currency_{name} = [currency_{name}]")
    units.define("currency_cent = 0.01 * currency_dollar")
    return units


@functools.lru_cache(maxsize=4096)
def named(word: str) -> Powers | None:
    """The unit that a word names, as pint's names and exponents; None where it names none."""
    if not word or len(word) > LONGEST:
        return None
    lower = word.casefold()
    for form in (word, lower, *singulars(lower)):
        if form in ALIASES:
            return of_alias(ALIASES[form])
        if form in PERCENT:
            return (("percent", 1),)
        if form in CURRENCIES:
            return ((f"currency_{CURRENCIES[form]}", 1),)
        if form in CENTS:
            return (("currency_cent", 1),)
    if no_unit(word) and word != "in":
        return None
    for form in (word.replace("-", "_"), lower):
        candidates = registry().parse_unit_name(form)
        if candidates:
            prefix, name, _ = candidates[0]
            return ((f"{prefix}{name}", 1),)
    return None


def no_unit(word: str) -> bool:
    """Whether a word after a number says nothing of what is counted: "a" and "ma", not A and mA."""
    if len(word) == 1 or word[1:] != word[1:].lower():
        return word in NO_UNITS
    return word.casefold() in NO_UNITS


def of_alias(alias: str) -> Powers:
    """ "kilometer/hour", "meter**2": names with one exponent or one division."""
    over, _, under = alias.partition("/")
    name, _, power = over.partition("**")
    return ((name, int(power or 1)), *(((under, -1),) if under else ()))


def singulars(word: str) -> tuple[str, ...]:
    ends = [end for end in ("s", "n", "en", "er", "es") if word.endswith(end)]
    return tuple(word.removesuffix(end) for end in ends if len(word) > len(end) + 2)


def singular(word: str) -> str:
    lower = word.casefold()
    return lower[:-1] if len(lower) > 2 and lower.endswith("s") else lower


@functools.lru_cache(maxsize=4096)
def unit(powers: Powers, words: frozenset[str]) -> Unit | None:
    """The unit of a product of powers, None where pint cannot make it."""
    units = registry()
    if len(powers) == 1 and powers[0][1] == 1:
        name = powers[0][0]
        if name in TEMPERATURES:
            return Unit(words, "kelvin", *TEMPERATURES[name])
        if name.endswith(LOGARITHMIC) or name.startswith("decibel"):
            return Unit(words, name)
    product = units.UnitsContainer()
    for name, power in powers:
        if abs(power) > LARGEST_POWER:
            return None
        product *= units.UnitsContainer({name: 1}) ** power
    try:
        number, base = units.get_base_units(product)
        factor = Decimal(f"{float(str(number)):.14g}")
    except (ArithmeticError, ValueError, AttributeError, KeyError):
        return None
    # 0.30479999999999996 stands for 0.3048: the last digits of a float are rounding.
    return Unit(words, str(base) or FRACTION, factor)


def counted(words: frozenset[str]) -> Unit:
    """What a number counts where no unit is known."""
    return Unit(words)


def convertible(first: Unit | None, second: Unit | None) -> bool:
    """Whether numbers with these units may be compared."""
    if first is None or second is None:
        return True
    if first.base and second.base:
        return first.base == second.base
    return bool(first.words & second.words)


def converted(value: Decimal, source: Unit | None, target: Unit | None) -> Decimal:
    """``value`` in the target's unit; as it is where one of the two is not known."""
    if source is None or target is None or not (source.base and target.base):
        return value
    return (value * source.factor + (source.zero - target.zero)) / target.factor
