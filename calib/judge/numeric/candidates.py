"""The numbers of a text, each with what it counts and how firmly it stands there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from calib.judge.numeric.asides import asides
from calib.judge.numeric.bounds import AROUND, bound_of
from calib.judge.numeric.decimals import CONTEXT, read_digits, usable
from calib.judge.numeric.expressions import Expressions, Parsed
from calib.judge.numeric.phrases import Phrase, Phrases
from calib.judge.numeric.tokens import Token, tokens_of
from calib.judge.numeric.unit_names import CURRENCIES
from calib.judge.numeric.units import Unit
from calib.judge.numeric.words import WEAK

EQUALS = frozenset("=≈→")
OPERATORS = frozenset("+-*/×·^")
FUNCTIONS = frozenset("log ln lg sin cos tan exp lim √ arcsin arccos arctan".split())
LABELS = frozenset(
    "figure fig table equation eq page question problem section part chapter example line "
    "no option case method version abbildung frage pregunta".split()
)
STEPS = frozenset("step schritt étape paso passo stap krok шаг".split())
DENIALS = frozenset("not isn't nicht no pas keine non никак не".split())
# "more like 12 than 10"
CLOSER = re.compile(r"\b(?:more like|closer to|rather) [^.\n]*than $", re.I)
ORDINALS = frozenset(("st", "nd", "rd", "th"))
# "2 hours and 30 minutes" is one quantity; "5 m and 30 cm" are two lengths.
COMPOUND = frozenset("hour hr h minute min day foot feet ft pound lb year".split())

FIRM, BOUND, BRACKETED, FEEBLE, DENIED = range(5)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts; ``strict`` as in Phrase. ``value`` has no percent applied."""

    value: Decimal
    unit: Unit | None = None
    strict: bool = False
    bound: str = ""
    """"<", "<=", ">" or ">=" where the number is a bound."""


Readings = tuple[Quantity, ...]
"""The ways to read one number."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Numbers from token ``start`` up to ``end``: one, several of a range, or none (opaque)."""

    start: int
    end: int
    numbers: tuple[Readings, ...]
    rank: int = FIRM
    whole: Readings | None = None
    """The number where the dashes of a seeming range are minus signs."""


class Numbers:
    """A text's tokens and ``candidates``, the numbers in them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: Sequence[Token] = tokens_of(text)
        self.expressions = Expressions(self.tokens)
        self.phrases = Phrases(self.tokens)
        self.candidates = self.without_asides(compounds(self.read_all(), self.tokens))

    def kind(self, index: int) -> str:
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else ""

    def word(self, index: int) -> str:
        return self.tokens[index].text if self.kind(index) == "word" else ""

    def without_asides(self, candidates: list[Candidate]) -> list[Candidate]:
        """The candidates, asides ranked as if they stood in brackets."""
        spans = [(self.tokens[c.start].start, self.tokens[c.end - 1].end) for c in candidates]
        lower = asides(candidates, spans, self.text)
        return [
            replace(candidate, rank=max(candidate.rank, BRACKETED)) if i in lower else candidate
            for i, candidate in enumerate(candidates)
        ]

    def read_all(self) -> list[Candidate]:
        found: list[Candidate] = []
        open_brackets = index = 0
        while index < len(self.tokens):
            kind = self.kind(index)
            candidate = self.read(index, bool(open_brackets))
            if candidate is not None:
                found.append(candidate)
                index = candidate.end
                continue
            if kind in ("(", "["):
                open_brackets += 1
            elif kind in (")", "]"):
                open_brackets = max(0, open_brackets - 1)
            elif kind == "line":
                open_brackets = 0
            index += 1
        return found

    def read(self, index: int, bracketed: bool) -> Candidate | None:
        start, negative, currency = index, False, ""
        if self.kind(index) in ("+", "-") and self.is_sign(index):
            negative, index = self.kind(index) == "-", index + 1
        if self.kind(index) in CURRENCIES:
            currency, index = self.tokens[index].text, index + 1
            if self.kind(index) == "-" and self.expressions.begins(index + 1):
                negative, index = True, index + 1
        if not self.expressions.begins(index) and self.kind(index) not in ("(", "{"):
            return None
        if self.word(start - 1).casefold() in STEPS:
            return None
        several = self.several(index)
        if several is not None:
            return Candidate(start, index + 1, tuple((Quantity(v),) for v in several))
        parsed = self.expressions.sum(index)
        if parsed is None:
            return None if self.kind(index) != "number" else Candidate(start, index + 1, ())
        if self.kind(index) in ("(", "{"):
            if (parsed.literal and not negative) or self.kind(parsed.end - 1) == "}":
                return None
            bracketed = bracketed or self.closes(index, parsed.end)
        if parsed.literal and (ratio := self.ratio(parsed)):
            parsed = ratio
        value = CONTEXT.minus(parsed.value) if negative else parsed.value
        phrases, end = self.phrases.after(self.tolerance(parsed.end), currency)
        rank = self.rank(start, index, parsed, bracketed)
        if self.opaque(start, negative) or not usable(value):
            return Candidate(start, end, (), rank)
        bound = self.bound(start, parsed.end, end)
        if bound:
            rank = max(rank, BOUND)
        whole = readings(value, phrases, bound)
        if parsed.literal and (total := self.out_of(end)) is not None:
            end += 3
            whole = (*whole, Quantity(CONTEXT.divide(value, total)))
        if self.kind(start - 1) == "±":
            opposite = readings(CONTEXT.minus(value), phrases)
            return Candidate(start, end, (whole, opposite), rank)
        if parsed.terms:
            return Candidate(
                start,
                end,
                tuple(readings(term, phrases, bound) for term in parsed.terms),
                rank,
                whole,
            )
        return Candidate(start, end, (whole,), rank)

    def bound(self, start: int, number_end: int, end: int) -> str:
        first, last = self.tokens[start].start, self.tokens[end - 1].end
        number = self.tokens[number_end - 1].end
        before = self.text[max(0, first - AROUND) : first]
        return bound_of(before, self.text[number : number + AROUND]) or bound_of(
            "", self.text[last : last + AROUND]
        )

    def out_of(self, index: int) -> Decimal | None:
        """The number of "out of 4" at ``index``."""
        if (self.word(index), self.word(index + 1)) != ("out", "of"):
            return None
        total = self.expressions.primary(index + 2, 0) if self.kind(index + 2) == "number" else None
        return total.value if total is not None and total.value > 0 else None

    def tolerance(self, index: int) -> int:
        """The token after "± 0.2"."""
        if self.kind(index) == "±" and self.kind(index + 1) == "number":
            return index + 2
        return index

    def is_sign(self, index: int) -> bool:
        """Whether a plus or dash is a sign rather than an operator, a hyphen or a bullet."""
        following = index + 1
        begins = self.expressions.begins(following) or self.kind(following) in ("(", *CURRENCIES)
        if not begins:
            return False
        before = self.kind(index - 1)
        apart = index == 0 or self.tokens[index - 1].end < self.tokens[index].start
        if self.expressions.adjacent(following):
            return before != "number" and (
                apart or before in ("", "line", "(", "[", "{", "=", "≈", "→", ":", ",", "±")
            )
        if before == "":
            return "\n" not in self.text
        return before in ("=", "≈", "→", "(", "[", ":") or self.word(index - 1).lower() in (
            "is",
            "are",
            "equals",
        )

    def several(self, index: int) -> tuple[Decimal, ...] | None:
        """The numbers of a token that is a list (1,2,3) or no number (1.2.3)."""
        if self.kind(index) != "number":
            return None
        values = read_digits(re.split("[eE]", self.tokens[index].text)[0])
        return values if len(values) != 1 else None

    def ratio(self, parsed: Parsed) -> Parsed | None:
        """3:4, 3:30, 1 : 2."""
        terms, end = [parsed.value], parsed.end
        while self.kind(end) == ":" and self.kind(end + 1) == "number" and len(terms) < 6:
            before, after = self.expressions.adjacent(end), self.expressions.adjacent(end + 1)
            values = read_digits(re.split("[eE]", self.tokens[end + 1].text)[0])
            if before != after or len(values) != 1:
                break
            terms, end = [*terms, values[0]], end + 2
        return Parsed(parsed.value, end, tuple(terms)) if len(terms) > 1 else None

    def closes(self, start: int, end: int) -> bool:
        """Whether the bracket at ``start`` is the one that closes right before ``end``."""
        depth = 0
        for index in range(start, end):
            depth += (self.kind(index) in "({") - (self.kind(index) in ")}")
            if depth == 0:
                return index == end - 1
        return False

    def rank(self, start: int, index: int, parsed: Parsed, bracketed: bool) -> int:
        before = self.word(start - 1).casefold()
        if before in DENIALS or (before, self.word(start - 2).casefold()) in (
            ("than", "rather"),
            ("of", "instead"),
        ):
            return DENIED
        at = self.tokens[start].start
        if before == "than" and CLOSER.search(self.text[max(0, at - AROUND) : at]):
            return DENIED
        following = self.word(parsed.end)
        ordinal = following in ORDINALS and self.expressions.adjacent(parsed.end)
        label = before in LABELS or self.kind(start - 1) == "#" or self.is_mark(index, parsed)
        if ordinal or label or self.kind(index) == WEAK:
            return FEEBLE
        return BRACKETED if bracketed else FIRM

    def is_mark(self, index: int, parsed: Parsed) -> bool:
        """Whether the number is the mark of a list: "2. " or "2) " before text on its line."""
        return (
            parsed.literal
            and self.kind(index - 1) in ("", "line")
            and self.kind(parsed.end) in (".", ")")
            and self.expressions.adjacent(parsed.end)
            and self.kind(parsed.end + 1) not in ("", "line")
        )

    def opaque(self, start: int, negative: bool) -> bool:
        """Whether the number stands beside a variable or a function: x + 4, log 5."""
        before, further = self.kind(start - 1), self.word(start - 2)
        if self.word(start - 1).casefold() in FUNCTIONS or before in ("√", "^"):
            return True
        if before in ("+", "*", "×", "/", "·"):
            return before != "*" or bool(further)
        if before == "-" and not negative:
            return len(further) == 1 or self.kind(start - 2) == ")"
        return False


def readings(value: Decimal, phrases: tuple[Phrase, ...], bound: str = "") -> Readings:
    return tuple(Quantity(value * p.scale, p.unit, p.strict, bound) for p in phrases)


def compounds(candidates: list[Candidate], tokens: Sequence[Token]) -> list[Candidate]:
    """The same with "5 ft 3 in" and "2 hours and 30 minutes" as one quantity."""
    merged: list[Candidate] = []
    for candidate in candidates:
        last = merged[-1] if merged else None
        total = last and added(last, candidate, tokens)
        if last and total:
            merged[-1] = replace(last, end=candidate.end, numbers=((total,),))
        else:
            merged.append(candidate)
    return merged


def added(large: Candidate, small: Candidate, tokens: Sequence[Token]) -> Quantity | None:
    if len(large.numbers) != 1 or len(small.numbers) != 1:
        return None
    between = [token.text for token in tokens[large.end : small.start]]
    first, second = large.numbers[0][0], small.numbers[0][0]
    if first.unit is None or second.unit is None or not first.unit.base:
        return None
    if first.unit.base != second.unit.base or first.unit.factor <= second.unit.factor:
        return None
    if second.value < 0 or second.value * second.unit.factor >= first.unit.factor:
        return None
    mixed = between in (["and"], [","], ["."]) and bool(first.unit.words & COMPOUND)
    joined = not between or mixed
    if not joined or first.value != first.value.to_integral_value():
        return None
    part = second.value * second.unit.factor / first.unit.factor
    return Quantity(first.value + (part if first.value >= 0 else -part), first.unit)
