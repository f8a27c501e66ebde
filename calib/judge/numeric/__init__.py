"""Is the number an answer gives the gold number, within a tolerance?

``reading``      which number a text gives: cues, chains of "=", lists
``candidates``   the numbers of a text: signs, brackets, labels, ratios
``expressions``  arithmetic: fractions, roots, powers
``decimals``     separators, and numbers of any size
``phrases``      what follows a number: "million", units, what is counted
``units``        units by pint
``words``        number words
``reworded``     wordings that stand for arithmetic, and confidences
``bounds``       "at least 15"
``asides``       numbers that only say more of another
``moments``      dates and times of day
``nothing``      "none"
``plain``        LaTeX, Markdown and digits of other scripts
"""

from __future__ import annotations

from decimal import Decimal, localcontext

from calib.judge.numeric.candidates import Quantity, Readings
from calib.judge.numeric.decimals import CONTEXT
from calib.judge.numeric.moments import same_moment
from calib.judge.numeric.nothing import says_none
from calib.judge.numeric.reading import numbers_of
from calib.judge.numeric.units import converted, convertible
from calib.judge.refusal import is_refusal
from calib.judge.said import text_of
from calib.judge.text import gold_texts
from calib.records import Answer, Item, Verdict

RELATIVE = 1e-4
"""Default tolerance, relative to the gold number: room for rounding, not for another value."""
ROUNDING = Decimal("1e-30")
"""Of a conversion in 40 digits, relative to its largest term."""


def numeric(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer's number is the gold number within ``RELATIVE``."""
    return numeric_within(answer, item)


def numeric_within(
    answer: Answer | str, item: Item, *, relative: float = RELATIVE, absolute: float = 0.0
) -> Verdict:
    """Correct when |answer - gold| <= max(relative * |gold|, absolute).

    ``reading`` says which number of an answer counts. Where both numbers have a unit that is known
    the answer is converted, and a length is no mass; a unit on one side only is no contradiction.
    "50%" is 50 and 0.5 alike. ``parsed`` is a float, or a text where a float cannot hold the
    number and where there are several.
    """
    text = text_of(answer)
    with localcontext(CONTEXT):
        gold = [numbers for alias in gold_texts(item) if (numbers := numbers_of(alias))]
        said = numbers_of(text)
        if not said and says_none(text) and not is_refusal(text):
            said = ((Quantity(Decimal(0)),),)
        right = (
            bool(said)
            and any(
                same_numbers(said, wanted, Decimal(relative), Decimal(absolute)) for wanted in gold
            )
        ) or any(same_moment(text, alias) for alias in gold_texts(item))
        parsed = shown(said) if said and (len(said) == 1 or right) else None
    if not right and is_refusal(text):
        return Verdict(False if gold else None, None, True, "refusal")
    how = "numeric" if parsed is not None else "several numbers" if said else "no number"
    return Verdict(right if gold else None, parsed, False, how)


def same_numbers(
    said: tuple[Readings, ...], gold: tuple[Readings, ...], relative: Decimal, absolute: Decimal
) -> bool:
    """Whether the numbers agree one by one; several alike ("0.75, or 3/4") are one."""
    if len(gold) == 1 and len(said) > 1:
        gold = gold * len(said)
    if len(gold) == 2 and gold[0][0].value == -gold[1][0].value and said[0][0].value < 0:
        said = said[::-1]  # 2 and -2 are ±2 in either order
    if len(gold) == 2 and gold[0][0].value < 0 and gold[0][0].value == -gold[1][0].value:
        gold = gold[::-1]
    return len(said) == len(gold) and all(
        any(same(one, other, relative, absolute) for one in mine for other in theirs)
        for mine, theirs in zip(said, gold, strict=True)
    )


def same(said: Quantity, gold: Quantity, relative: Decimal, absolute: Decimal) -> bool:
    if (said.strict and not known(gold)) or (gold.strict and not known(said)):
        return False
    if said.bound != gold.bound or not convertible(said.unit, gold.unit):
        return False
    value = converted(said.value, said.unit, gold.unit)
    values = [value]
    if said.unit is None and gold.unit is not None and gold.unit.fraction:
        values.append(value / gold.unit.factor)
    if gold.unit is None and said.unit is not None and said.unit.fraction:
        values.append(value * said.unit.factor)
    room = max(relative * abs(gold.value), absolute)
    if said.unit is not None and gold.unit is not None and said.unit is not gold.unit:
        room += ROUNDING * max(abs(said.value), abs(gold.value), Decimal(1))
    return any(abs(value - gold.value) <= room for value in values)


def known(quantity: Quantity) -> bool:
    return quantity.unit is not None and bool(quantity.unit.base)


def shown(numbers: tuple[Readings, ...]) -> float | str:
    if len(numbers) > 1:
        return ", ".join(f"{number[0].value:.10g}" for number in numbers)
    quantity = numbers[0][0]
    value = quantity.value
    if quantity.unit is not None and quantity.unit.fraction:
        value *= quantity.unit.factor
    held = float(value)
    if held in (float("inf"), float("-inf")) or (held == 0 and value):
        return f"{value:.10g}"
    return held
