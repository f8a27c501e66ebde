"""Arithmetic in tokens: sums, products, powers, fractions, roots and pi, evaluated in decimals.

Nothing here backtracks: each rule reads one token ahead, and rules nest at most DEPTH deep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from calib.judge.numeric.decimals import CONTEXT, PI, decimal, read_digits, root
from calib.judge.numeric.tokens import Token
from calib.judge.numeric.words import WEAK

DEPTH = 6
CLOSING = {"(": ")", "{": "}", "[": "]"}
FRAC = "\\frac"


@dataclass(slots=True)
class Parsed:
    """A value and the index of the token after it.

    ``terms`` are the plain numbers that dashes or slashes part ("3-5", "3/4/2020"), which may be a
    range or a date rather than arithmetic; empty where there is more to it.
    """

    value: Decimal
    end: int
    terms: tuple[Decimal, ...] = ()
    literal: bool = False
    """Written as one number, without operators."""


class Expressions:
    """The rules over one text's tokens. A rule returns None where none of its kind begins."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.partners = partners(tokens)

    def kind(self, index: int) -> str:
        return self.tokens[index].kind if index < len(self.tokens) else ""

    def adjacent(self, index: int) -> bool:
        """Whether no space stands before the token at ``index``."""
        if not 0 < index < len(self.tokens):
            return False
        return self.tokens[index - 1].end == self.tokens[index].start

    def begins(self, index: int) -> bool:
        kind = self.kind(index)
        return kind in ("number", "√", "π", WEAK, FRAC)

    def sum(self, index: int, depth: int = 0) -> Parsed | None:
        left = self.term(index, depth)
        if left is None:
            return None
        value, end = left.value, left.end
        terms: tuple[Decimal, ...] = (left.value,) if left.literal else ()
        literal = left.literal
        dashes = True
        while (sign := self.kind(end)) in ("+", "-"):
            right = self.term(end + 1, depth, signed=False)
            if right is None:
                break
            dashes = dashes and sign == "-" and right.literal
            terms = (*terms, right.value) if dashes and terms and len(terms) < 5 else ()
            step = CONTEXT.add if sign == "+" else CONTEXT.subtract
            value, end, literal = step(value, right.value), right.end, False
        if literal:
            return left
        return Parsed(value, end, terms if len(terms) > 1 else left.terms)

    def term(self, index: int, depth: int, *, signed: bool = True) -> Parsed | None:
        negative = signed and self.kind(index) == "-"
        start = index + (signed and self.kind(index) in ("+", "-"))
        left = self.factor(start, depth)
        if left is None:
            return None
        value, end, literal = left.value, left.end, left.literal
        slashes: tuple[Decimal, ...] = (value,) if literal else ()
        while True:
            sign = self.kind(end)
            if sign in ("*", "×", "·", "/", "^"):
                right = self.factor(end + 1, depth, signed=True)
                if right is None:
                    break
                slashes = (*slashes, right.value) if sign == "/" and 0 < len(slashes) < 8 else ()
                divides = sign == "/"
                step = CONTEXT.divide if divides else CONTEXT.multiply
                value = step(value, right.value)
            elif (right := self.beside(end, left, depth)) is not None:
                mixed = left.literal and right.terms and self.whole(start)
                value = (
                    CONTEXT.add(value, right.value)
                    if mixed
                    else CONTEXT.multiply(value, right.value)
                )
                slashes = ()
            else:
                break
            end, literal = right.end, False
            left = right
        value = CONTEXT.minus(value) if negative else value
        return Parsed(value, end, slashes if len(slashes) > 2 else (), literal)

    def beside(self, index: int, left: Parsed, depth: int) -> Parsed | None:
        r"""A factor without a sign before it: 2√3, 3π, 2(3+4), 2\frac{1}{2}, 1 1/2.

        ``terms`` of the result say that it is the fraction of a mixed number.
        """
        kind = self.kind(index)
        if kind in ("√", "π"):
            return self.factor(index, depth)
        if kind == FRAC:
            fraction = self.factor(index, depth)
            plain = fraction is not None and "√" not in self.kinds(index, fraction.end)
            plain = plain and "π" not in self.kinds(index, fraction.end if fraction else index)
            if fraction is not None and plain and left.literal:
                return Parsed(fraction.value, fraction.end, (fraction.value,))
            return fraction
        if kind == "(" and self.adjacent(index):
            group = self.group(index, depth)
            return group if group is not None and not group.literal else None
        if kind == "number" and left.literal and self.kind(index + 1) == "/":
            if self.kind(index - 1) != "number" or self.kind(index + 2) != "number":
                return None
            top, bottom = (read_digits(self.tokens[i].text) for i in (index, index + 2))
            if len(top) == len(bottom) == 1 and top[0] < bottom[0] and self.whole(index):
                value = CONTEXT.divide(top[0], bottom[0])
                return Parsed(value, index + 3, (value,))
        return None

    def kinds(self, start: int, end: int) -> set[str]:
        return {token.kind for token in self.tokens[start:end]}

    def whole(self, index: int) -> bool:
        return self.kind(index) == "number" and self.tokens[index].text.isdigit()

    def factor(self, index: int, depth: int, *, signed: bool = False) -> Parsed | None:
        negative = signed and self.kind(index) == "-"
        base = self.primary(index + (signed and self.kind(index) in ("+", "-")), depth)
        if base is None:
            return None
        if self.kind(base.end) == "^" and depth < DEPTH:
            power = self.group(base.end + 1, depth) or self.factor(
                base.end + 1, depth + 1, signed=True
            )
            if power is not None:
                value = CONTEXT.power(base.value, power.value)
                base = Parsed(value, power.end)
        return Parsed(CONTEXT.minus(base.value), base.end) if negative else base

    def primary(self, index: int, depth: int) -> Parsed | None:
        kind = self.kind(index)
        if kind == WEAK:
            return self.primary(index + 1, depth) if self.kind(index + 1) == "number" else None
        if kind == "number":
            return number(self.tokens[index], index)
        if kind == "π":
            return Parsed(PI, index + 1)
        if kind == "√":
            return self.root(index + 1, depth)
        if kind == FRAC:
            return self.fraction(index + 1, depth)
        return self.group(index, depth) if kind in ("(", "{") else None

    def group(self, index: int, depth: int) -> Parsed | None:
        """A sum in brackets."""
        partner = self.partners.get(index)
        if partner is None or depth >= DEPTH:
            return None
        inner = self.sum(index + 1, depth + 1)
        if inner is None or inner.end != partner:
            return None
        return Parsed(inner.value, inner.end + 1, literal=inner.literal)

    def root(self, index: int, depth: int) -> Parsed | None:
        r"""What stands after √: [3]{8}, {3}, (3) or a number."""
        degree = self.group(index, depth) if self.kind(index) == "[" else None
        start = index if degree is None else degree.end
        inner = self.group(start, depth)
        if inner is None and self.kind(start) == "number":
            inner = number(self.tokens[start], start)
        if inner is None:
            return None
        value = root(inner.value, Decimal(2) if degree is None else degree.value)
        return Parsed(value, inner.end)

    def fraction(self, index: int, depth: int) -> Parsed | None:
        r"""What stands after \frac: {-3}{4}, or two digits as in \frac12."""
        digits = self.tokens[index].text if self.kind(index) == "number" else ""
        if len(digits) == 2 and digits.isdigit():
            return Parsed(CONTEXT.divide(decimal(digits[0]), decimal(digits[1])), index + 1)
        top = self.group(index, depth)
        if top is None and len(digits) == 1:
            top = number(self.tokens[index], index)
        if top is None:
            return None
        bottom = self.group(top.end, depth)
        if bottom is None and self.kind(top.end) == "number":
            bottom = number(self.tokens[top.end], top.end)
        if bottom is None:
            return None
        return Parsed(CONTEXT.divide(top.value, bottom.value), bottom.end)


def number(token: Token, index: int) -> Parsed | None:
    """A token of digits; None where its separators make no single number."""
    body, _, exponent = token.text.replace("E", "e").partition("e")
    values = read_digits(body)
    if len(values) != 1:
        return None
    value = values[0]
    if exponent:
        value = CONTEXT.scaleb(value, decimal(exponent)) if len(exponent) < 12 else decimal("NaN")
    return Parsed(value, index + 1, literal=True)


def partners(tokens: Sequence[Token]) -> dict[int, int]:
    """Where each bracket closes, of those with at most DEPTH levels of others within."""
    found: dict[int, int] = {}
    open_brackets: list[tuple[int, str]] = []
    heights = [0]
    for index, token in enumerate(tokens):
        if token.kind in CLOSING:
            open_brackets.append((index, CLOSING[token.kind]))
            heights.append(0)
        elif open_brackets and token.kind == open_brackets[-1][1]:
            start, _ = open_brackets.pop()
            height = heights.pop() + 1
            heights[-1] = max(heights[-1], height)
            if height <= DEPTH:
                found[start] = index
    return found
