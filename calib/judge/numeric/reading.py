"""Which number does a text give as its answer?

1. The first number after the last "answer is" (result, total, value; ``\\boxed``, ``####``), else
   the last one. Numbers in brackets, labels ("Step 1", "[2]", "2."), ordinals, "one" and "half",
   and what is denied ("not 5") count only where there is no other.
2. Of a chain "3 + 4 = 7" its last side counts, and arithmetic is done: 3 + 4 is 7, 2√3 is 3.46.
3. Numbers that "and", "or", "to", commas, dashes or colons join are several: a list, a range, a
   ratio, a time, a date. They are equal to the same several, and to no single number.
4. What stands beside a variable ("x + 4") or a function ("log 5") is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from calib.judge.numeric.decimals import CONTEXT, read_digits, usable
from calib.judge.numeric.expressions import Expressions, Parsed
from calib.judge.numeric.phrases import ENDS, Phrase, Phrases
from calib.judge.numeric.plain import plainly
from calib.judge.numeric.tokens import Token, tokens_of
from calib.judge.numeric.unit_names import CURRENCIES
from calib.judge.numeric.units import Unit
from calib.judge.numeric.words import WEAK, in_other_languages

NOUN = (
    r"(?:\b(?:answer|result|total|value|Antwort|Ergebnis|Lösung|respuesta|resultado|réponse|"
    r"résultat|risposta|risultato|resposta|antwoord|odpowiedź|wynik|ответ|результат|cevap|sonuç)\b"
    r"|答案|结果|答え|正解|정답|답|الجواب|الإجابة|उत्तर)"
)
VERB = (
    r"(?: ?[:=≈] ?| (?:is|are|equals|ist|lautet|es|est|è|é|jest|to|равен|dir) "
    r"| ?(?:是|为|为:|は|은|는) ?"
    r"| हे | है )"
)
CUE = re.compile(rf"{NOUN}(?:{VERB})+|####", re.I)
BOXED = re.compile(r"\\boxed")

EQUALS = frozenset("=≈→")
OPERATORS = frozenset("+-*/×·^")
FUNCTIONS = frozenset("log ln lg sin cos tan exp lim √ arcsin arccos arctan".split())
LABELS = frozenset(
    "figure fig table equation eq page question problem section part chapter example line "
    "no option case method version abbildung frage pregunta".split()
)
STEPS = frozenset("step schritt étape paso passo stap krok шаг".split())
DENIALS = frozenset("not isn't nicht no pas keine non никак не".split())
ORDINALS = frozenset(("st", "nd", "rd", "th"))
JOINS = frozenset("and or to through & , ; ~ - / und oder bis et ou à y o a e и или".split())
BOTH = frozenset("and und et y e и".split())
# "2 hours and 30 minutes" is one quantity; "5 m and 30 cm" are two lengths.
COMPOUND = frozenset("hour hr h minute min day foot feet ft pound lb year".split())

FIRM, BRACKETED, FEEBLE, DENIED = range(4)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts; ``strict`` as in Phrase. ``value`` has no percent applied."""

    value: Decimal
    unit: Unit | None = None
    strict: bool = False


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


MANY = 200
"""Numbers of a list that is none of those an answer is compared with."""
WINDOW = 4000
"""Characters of a long text that are read first: enough wherever they hold the answer's number."""


def numbers_of(text: str) -> tuple[Readings, ...]:
    """What the text gives as its number; several for a range or list, none where it gives none."""
    plain = plainly(text)
    readers = [*cued(plain), *uncued(plain)]
    for reader in readers:
        if reader.candidates:
            return reader.answer()
    number = in_other_languages(text)
    return ((Quantity(number),),) if number is not None else ()


def cued(text: str) -> Iterator[Reader]:
    """A reader of what follows the last cue with a number behind it."""
    last = max((text.rfind(digit) for digit in "0123456789√π"), default=-1)
    for cues in (BOXED, CUE):
        begun = [cue for cue in cues.finditer(text) if cue.end() <= last]
        if begun:
            start, size = begun[-1].start(), begun[-1].end() - begun[-1].start()
            reader = Reader(text[start : start + WINDOW], cue=size)
            if len(text) - start > WINDOW and not reader.settled(-1):
                reader = Reader(text[start:], cue=size)
            yield reader


def uncued(text: str) -> Iterator[Reader]:
    reader = Reader(text[-WINDOW:])
    if len(text) > WINDOW and not reader.settled(0):
        reader = Reader(text)
    yield reader


class Reader:
    """The candidates of a text, and the one that is the answer: after the ``cue`` that begins the
    text in so many characters, else the last."""

    def __init__(self, text: str, *, cue: int = 0) -> None:
        self.text, self.cue = text, cue
        self.tokens: Sequence[Token] = tokens_of(text)
        self.expressions = Expressions(self.tokens)
        self.phrases = Phrases(self.tokens)
        self.candidates = compounds(self.read_all(), self.tokens)
        self.at = {candidate.start: i for i, candidate in enumerate(self.candidates)}

    def kind(self, index: int) -> str:
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else ""

    def word(self, index: int) -> str:
        return self.tokens[index].text if self.kind(index) == "word" else ""

    # Which candidate is the answer.

    def answer(self) -> tuple[Readings, ...]:
        index = self.chosen()
        candidate = self.candidates[index]
        if self.in_chain(candidate) and candidate.whole is not None:
            return (candidate.whole,)
        group = [self.candidates[i] for i in self.group(index)]
        if not all(member.numbers for member in group):
            return ()
        return tuple(number for member in group for number in member.numbers)

    def settled(self, edge: int) -> bool:
        """Whether the answer is firm and does not touch the candidate at an edge of the text."""
        if not self.candidates:
            return False
        index = self.chosen()
        at_edge = range(len(self.candidates))[edge]
        group = self.group(index)
        inside = at_edge not in group or len(group) > MANY
        return self.candidates[index].rank == FIRM and inside

    def chosen(self) -> int:
        if self.cue:
            return self.end_of_chain(self.first())
        best = min(candidate.rank for candidate in self.candidates)
        return max(i for i, candidate in enumerate(self.candidates) if candidate.rank == best)

    def first(self) -> int:
        """The first candidate of the best rank; one in brackets right behind the cue counts too."""
        between = self.text[self.cue : self.tokens[self.candidates[0].start].start]
        if self.candidates[0].rank == BRACKETED and not re.search(r"\w", between[:WINDOW]):
            return 0
        return min(range(len(self.candidates)), key=lambda i: (self.candidates[i].rank, i))

    def end_of_chain(self, index: int) -> int:
        """From a candidate over "+ 4 = 7" to the last side of its chain."""
        ahead, reached = index, index
        while True:
            end = self.candidates[ahead].end
            sign = self.kind(end)
            if sign not in EQUALS and sign not in OPERATORS:
                return reached
            following = next((self.at[i] for i in range(end + 1, end + 4) if i in self.at), None)
            if following is None or self.word(end + 1):
                return reached
            ahead = following
            reached = ahead if sign in EQUALS else reached

    def in_chain(self, candidate: Candidate) -> bool:
        return self.kind(candidate.start - 1) in EQUALS or self.kind(candidate.end) in EQUALS

    def group(self, index: int) -> range:
        """The candidates that a list or range around ``index`` joins."""
        first = last = index
        while first > 0 and self.joined(first - 1):
            first -= 1
        while last + 1 < len(self.candidates) and self.joined(last):
            last += 1
        members = range(first, last + 1)
        if len(members) == 2 and self.word_between(first) == ",":
            end = self.kind(self.candidates[last].end)
            if end not in ENDS or self.candidates[last].numbers[0][0].unit is not None:
                return range(index, index + 1)
        return members

    def joined(self, index: int) -> bool:
        """Whether a list goes on from one candidate to the next."""
        here, following = self.candidates[index], self.candidates[index + 1]
        if not here.numbers or not following.numbers or here.rank != following.rank:
            return False
        units = [number[0].unit for number in (here.numbers[0], following.numbers[0])]
        if units[0] is not None and not units[0].base:
            return False
        between = self.word_between(index)
        return between in JOINS or (not between and units == [None, None])  # a phone number

    def word_between(self, index: int) -> str:
        start, end = self.candidates[index].end, self.candidates[index + 1].start
        between = [token.text.casefold() for token in self.tokens[start:end]]
        if len(between) == 2 and between[0] == ",":
            between = between[1:]
        return " ".join(between) if len(between) < 2 else "..."

    # All candidates of a text.

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
        whole = readings(value, phrases)
        if parsed.terms:
            return Candidate(
                start, end, tuple(readings(term, phrases) for term in parsed.terms), rank, whole
            )
        return Candidate(start, end, (whole,), rank)

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


def readings(value: Decimal, phrases: tuple[Phrase, ...]) -> Readings:
    return tuple(Quantity(value * p.scale, p.unit, p.strict) for p in phrases)


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
