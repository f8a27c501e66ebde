"""The signs and brackets of a text that carry meaning, and the words that each belongs to.

"-" alone is a minus in "5 - 3", a sign in "-3", a charge in "O-", and nothing in "x-ray"; brackets
are kept around an argument, a term or an interval, and dropped around a remark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from calib.judge.whole import is_spaceless

# Signs that stand right before what they are about, right behind it, or between two parts of it.
PREFIXES = frozenset("√¬∂∇∫∑∏∀∃∠△#$€£¥₹₩₽¢@")
POSTFIXES = frozenset("%‰°†‡♯♭")
# Punctuation that may say something.
SPEAKING = frozenset("%‰#@*/†‡-⋅,;:!'\"")
# Signs that make a formula of a text.
FORMAL = frozenset("=<>≤≥≠≈~^×÷∗*+±√∫∑→∈∪∩∧∨¬|")
FUNCTIONS = re.compile(r"sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|lim|max|min|det")


class Place(Enum):
    """Where a token stands: by itself, joined to what is on a side of it, or nowhere."""

    ALONE = "alone"
    POSTFIX = "postfix"
    PREFIX = "prefix"
    JOINT = "joint"
    DROPPED = "dropped"


@dataclass(slots=True)
class Token:
    """A piece of a text; ``kind`` is word, number, sign, open, close or mark (that says nothing).

    ``before`` and ``after``: whether white space stands there.
    """

    kind: str
    text: str
    before: bool = True
    after: bool = True

    @property
    def single(self) -> bool:
        """Whether it may be the name of a quantity."""
        return self.kind == "word" and len(self.text) == 1 and not is_spaceless(self.text)

    @property
    def long_word(self) -> bool:
        return self.kind == "word" and not self.single

    @property
    def quantity(self) -> bool:
        return self.kind in ("number", "open", "close") or self.single

    @property
    def ends_something(self) -> bool:
        return self.kind in ("word", "number", "close") or self.text in POSTFIXES | {"'", "!", "''"}

    @property
    def begins_something(self) -> bool:
        return self.kind in ("word", "number", "open") or self.text in PREFIXES | {"∞"}


NOTHING = Token("mark", "")


@lru_cache(4096)
def kind_of(char: str) -> str:
    """The kind of a character that is no part of a word or number, or "space"."""
    if char in "([{":
        return "open"
    if char in ")]}":
        return "close"
    category = unicodedata.category(char)[0]
    if char in SPEAKING or category == "S":
        return "sign"
    return "space" if category in "ZC" else "mark"


def placed(tokens: Sequence[Token]) -> list[tuple[str, Place]]:
    """Each token's text in the folded form, and its place beside its neighbours."""
    brackets = meaningful_brackets(tokens)
    formal = any(t.kind == "sign" and t.text[0] in FORMAL for t in tokens)
    places: list[tuple[str, Place]] = []
    before, depth = NOTHING, 0
    for number, token in enumerate(tokens):
        after = tokens[number + 1] if number + 1 < len(tokens) else NOTHING
        text, place = token.text, Place.ALONE
        if token.kind == "mark" or (token.kind in ("open", "close") and number not in brackets):
            place = Place.DROPPED
        elif token.kind == "open":
            depth += 1
            touches = (
                (not token.before and before.text != ",")
                or before.quantity
                or before.text in ("^", "√")
            )
            place = Place.JOINT if touches and before.kind != "mark" else Place.PREFIX
        elif token.kind == "close":
            depth -= 1
            place = Place.POSTFIX
        elif token.kind == "sign":
            text, place = sign(token, before, after, formal=formal, inside=depth > 0)
        elif token.text == "x" and before.kind == after.kind == "number":
            text = "×"
        elif before.kind == "close" and (not token.before or token.quantity):
            place = Place.POSTFIX
        places.append((text, place))
        if place is Place.DROPPED:
            if before.ends_something and after.text == "-" and not after.after:
                text, place = ",", Place.ALONE  # "x: -4" is not "x - 4"
            before = Token("mark", "")
        else:
            before = token if text == token.text else Token("sign", text)
    return places


def sign(
    token: Token, before: Token, after: Token, *, formal: bool, inside: bool
) -> tuple[str, Place]:
    """How a sign is written and where; ``inside``: within brackets that are kept."""
    text = token.text
    numbers = before.kind == after.kind == "number"
    if text[0] in "+-":
        return text, plus_or_minus(token, before, after, formal=formal)
    if text in ",;":
        parts = before.ends_something and not before.long_word and (
            after.quantity or after.text[:1] in "+-" or after.begins_something
        ) and not after.long_word  # fmt: skip
        names = (before.single and after.single) or after.kind in ("sign", "open")
        return ",", Place.ALONE if parts and after.text and (inside or names) else Place.DROPPED
    if text == ":":
        names = before.single and after.single and not (token.before or token.after)
        return text, Place.JOINT if numbers or names else Place.DROPPED
    if text in "!'":
        behind = not token.before and (before.quantity or before.text in ("'", "!"))
        joins = (
            behind
            and before.kind != "open"
            and (token.after or after.kind != "word" or after.single)
        )
        return text, Place.POSTFIX if joins else Place.DROPPED
    if text == '"':
        inches = not token.before and before.kind == "number"
        return "''", Place.POSTFIX if inches else Place.DROPPED
    if text in "*⋅":
        return product(token, before, after)
    if text == "÷" and numbers:
        return "/", Place.ALONE
    if text == "^":
        joins = before.ends_something and after is not NOTHING
        return text, Place.JOINT if joins else Place.ALONE
    if text in POSTFIXES:
        unit = text == "°" and after.text in ("c", "f") and not after.long_word
        if before.ends_something:
            return text, Place.JOINT if unit else Place.POSTFIX
        return text, Place.PREFIX
    if text in PREFIXES:
        if token.before or not before.ends_something:
            return text, Place.PREFIX
        goes_on = after.begins_something and not token.after
        return text, Place.JOINT if goes_on else Place.POSTFIX  # "user@x", "C# is"
    return text, Place.ALONE


def product(token: Token, before: Token, after: Token) -> tuple[str, Place]:
    """ "*" and "·": one sign between numbers; else "·" joins names as well, "*" anything."""
    around = before.ends_something and after.begins_something
    if around and (before.kind == "number" or (token.text == "*" and after.kind == "number")):
        return "×", Place.ALONE
    if around and (before.quantity or after.quantity) and token.before == token.after:
        return "∗" if token.text == "*" else "⋅", Place.ALONE
    star = token.text == "*" and not token.before and before.ends_something
    return "∗", Place.POSTFIX if star else Place.DROPPED


def plus_or_minus(token: Token, before: Token, after: Token, *, formal: bool) -> Place:
    minus = token.text[0] == "-"
    spaced = token.before and token.after
    if not before.ends_something:
        if (after.quantity and after.kind != "close") or (
            after.begins_something and not after.long_word
        ):
            same = token.text == "+" and after.kind == "number"
            return Place.DROPPED if same and before.text != "," else Place.PREFIX
        if after.long_word:
            return Place.DROPPED if token.after and before.kind == "mark" else Place.PREFIX
        return Place.ALONE
    if not after.begins_something:
        dash = minus and token.before and before.long_word and after.kind == "mark"
        return Place.DROPPED if dash else Place.POSTFIX
    words = before.long_word or after.long_word
    if minus and not token.before and not token.after and words:
        numbered = "number" in (before.kind, after.kind)
        short = max(len(t.text) for t in (before, after) if t.kind == "word") < 3
        term = FUNCTIONS.fullmatch(after.text) is not None or (formal and numbered and short)
        return Place.ALONE if term else Place.DROPPED
    if minus and spaced and before.long_word and after.long_word and not formal:
        return Place.DROPPED
    if not token.before and token.after and not (before.quantity and after.quantity):
        return Place.POSTFIX
    if minus and token.before and not token.after and before.long_word:
        return Place.PREFIX
    return Place.ALONE


def meaningful_brackets(tokens: Sequence[Token]) -> set[int]:
    """The brackets that carry meaning, by their place among the tokens."""
    brackets: set[int] = set()
    opened: list[int] = []
    for number, token in enumerate(tokens):
        if token.kind == "open":
            opened.append(number)
        elif token.kind == "close" and opened:
            start = opened.pop()
            if speaks(tokens, start, number):
                brackets |= {start, number}
    return brackets


def speaks(tokens: Sequence[Token], start: int, end: int) -> bool:
    before = tokens[start - 1] if start else NOTHING
    after = tokens[end + 1] if end + 1 < len(tokens) else NOTHING
    if tokens[start].text != "(" or tokens[end].text != ")":
        return True
    touches = not tokens[start].before and (before.ends_something or before.text in ("^", "√"))
    touched = not tokens[end].after and after.begins_something
    operated = before.kind == "sign" and before.text[0] not in ",;:!'\"#@"
    operates = after.kind == "sign" and after.text[0] in FORMAL | {"-", "/", "!", "'", "⋅"}
    inside = tokens[start + 1 : min(end, start + 40)]
    listing = any(t.text in (",", ";") for t in inside) and not any(t.long_word for t in inside)
    return bool(inside) and (touches or touched or operated or operates or listing)
