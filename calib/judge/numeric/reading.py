"""Which number does a text give as its answer?

1. The first number after the last "answer is" (result, total, value; ``\\boxed``, ``####``), else
   the last one. Numbers in brackets, labels ("Step 1", "[2]", "2."), ordinals, "one" and "half",
   and what is denied ("not 5") count only where there is no other.
2. Of a chain "3 + 4 = 7" its last side counts, and arithmetic is done: 3 + 4 is 7, 2√3 is 3.46.
3. Numbers that "and", "or", "to", commas, dashes or colons join are several: a list, a range, a
   ratio, a time, a date. They are equal to the same several, and to no single number.
4. How sure the text is ("Confidence: 90") and what only says more of an earlier number ("3 of
   which", "out of 100", "at 25 °C") counts only where there is no other.
5. A bound ("at least 15") equals the same bound only; what is denied is no number.
6. What stands beside a variable ("x + 4") or a function ("log 5") is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from calib.judge.numeric.candidates import (
    BRACKETED,
    DENIED,
    EQUALS,
    FIRM,
    OPERATORS,
    Candidate,
    Numbers,
    Quantity,
    Readings,
)
from calib.judge.numeric.phrases import ENDS
from calib.judge.numeric.plain import plainly
from calib.judge.numeric.reworded import without_confidence
from calib.judge.numeric.words import in_other_languages

NOUN = (
    r"(?:(?:\b|_)(?:answer|result|total|value|Antwort|Ergebnis|Lösung|respuesta|resultado|réponse|"
    r"résultat|risposta|risultato|resposta|antwoord|odpowiedź|wynik|ответ|результат|cevap|sonuç)\b"
    r"|答案|结果|答え|正解|정답|답|الجواب|الإجابة|उत्तर)"
)
VERB = (
    r"(?:[\"']? ?[:=≈] ?| (?:is|are|equals|ist|lautet|es|est|è|é|jest|равен|dir) "
    r"|(?<=odpowiedź) to |(?<=wynik) to "
    r"| ?(?:是|为|为:|は|은|는) ?"
    r"| हे | है )"
)
CUE = re.compile(rf"{NOUN}(?:{VERB})+|####", re.I)
DIGIT = re.compile("[0-9π]")
BOXED = re.compile(r"\\boxed")

JOINS = frozenset("and or to through & , ; ~ - / und oder bis et ou à y o a e и или".split())

MANY = 200
"""Numbers of a list that is none of those an answer is compared with."""
WINDOW = 4000
"""Characters of a long text that are read first: enough wherever they hold the answer's number."""


def numbers_of(text: str) -> tuple[Readings, ...]:
    """What the text gives as its number; several for a range or list, none where it gives none."""
    plain = without_confidence(plainly(text))
    readers = [*cued(plain), *uncued(plain)]
    for reader in readers:
        if reader.candidates:
            return reader.answer()
    number = in_other_languages(text)
    return ((Quantity(number),),) if number is not None else ()


def cued(text: str) -> Iterator[Reader]:
    """A reader of what follows the last cue with a number behind it."""
    last = max(text.rfind(digit) for digit in "0123456789π")
    for cues in (BOXED, CUE):
        begun = [cue for cue in cues.finditer(text) if cue.end() <= last]
        if begun:
            start, size = begun[-1].start(), begun[-1].end() - begun[-1].start()
            reader = Reader(text[start : start + WINDOW], cue=size)
            if len(text) - start > WINDOW and not reader.settled(-1):
                reader = Reader(text[start:], cue=size)
            yield reader


def uncued(text: str) -> Iterator[Reader]:
    if not DIGIT.search(text):
        return
    reader = Reader(text[-WINDOW:])
    if len(text) > WINDOW and not reader.settled(0):
        reader = Reader(text)
    yield reader


class Reader(Numbers):
    """The candidates of a text, and the one that is the answer: after the ``cue`` that begins the
    text in so many characters, else the last."""

    def __init__(self, text: str, *, cue: int = 0) -> None:
        super().__init__(text)
        self.cue = cue
        self.at = {candidate.start: i for i, candidate in enumerate(self.candidates)}

    def answer(self) -> tuple[Readings, ...]:
        index = self.chosen()
        candidate = self.candidates[index]
        if candidate.rank == DENIED and self.word(candidate.start - 1).casefold() != "no":
            return ()
        group = [self.candidates[i] for i in self.group(index)]
        if len(group) == 1 and self.in_chain(candidate) and candidate.whole is not None:
            return (candidate.whole,)
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
        first = self.candidates[index].start
        named = [token.text.casefold() for token in self.tokens[max(0, first - 2) : first]]
        if len(named) == 2 and named[1] == "=" and between[-2:] == named:  # x = 2 or x = 3
            between = between[:-2]
        if len(between) == 2 and between[0] == ",":
            between = between[1:]
        return " ".join(between) if len(between) < 2 else "..."
