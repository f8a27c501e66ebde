"""Nouns of English questions, found by where they stand: no tagger, and nothing where it is unsure.

A noun is a word in small letters behind a determiner, with one word at most between them, and
before a punctuation mark, a preposition or a form of to be. What a picture as a whole is called,
and places and orders in it, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

DETERMINERS = {"the", "a", "an", "this", "that", "these", "those"}
BEHIND = {
    *("in", "on", "at", "with", "behind", "under", "near", "next", "above", "below", "beside"),
    *("between", "inside", "into", "from", "by", "is", "are", "was", "were", "and", "or"),
    *("present", "shown", "visible", "there", "seen", "here"),
}
"""Words that end what a determiner begins. Not "of": the colour of the car is no thing."""
NO_THINGS = {
    *("image", "images", "picture", "pictures", "photo", "photos", "photograph", "photographs"),
    *("figure", "figures", "diagram", "diagrams", "scene", "color", "colour", "colors", "colours"),
    *("number", "name", "type", "kind", "answer", "question", "following", "left", "right", "top"),
    *("bottom", "front", "back", "side", "middle", "center", "centre", "background", "foreground"),
    *("one", "ones", "other", "others", "same", "most", "first", "second", "last", "size", "day"),
}
TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[^\w\s]|\d+")
MODIFIERS = 1


class Noun(NamedTuple):
    """A noun where it stands: ``text[start:end]``; ``article`` is the place of an a or an right
    before it."""

    text: str
    start: int
    end: int
    article: tuple[int, int] | None


def words_in(text: str) -> set[str]:
    """The words of a text in small letters."""
    return {token.casefold() for token in TOKEN.findall(text) if token[0].isalpha()}


def nouns_in(question: str) -> Iterator[Noun]:
    """The nouns of ``question`` in their order."""
    tokens = list(TOKEN.finditer(question))
    for place, token in enumerate(tokens):
        if token[0].casefold() not in DETERMINERS:
            continue
        for head in range(place + 1, min(place + 2 + MODIFIERS, len(tokens))):
            word = tokens[head]
            behind = tokens[head + 1][0] if head + 1 < len(tokens) else "?"
            if not word[0].isalpha() or word[0].casefold() in DETERMINERS | BEHIND:
                break
            if behind in BEHIND or not behind[0].isalnum():
                if is_thing(word[0]):
                    beside = head == place + 1 and token[0].casefold() in ("a", "an")
                    yield Noun(word[0], *word.span(), token.span() if beside else None)
                break


def is_thing(word: str) -> bool:
    """Whether a word at a noun's place is taken for a thing: no name, and no form of a verb."""
    small = word.islower() and len(word) > 2 and not word.endswith(("ing", "ed"))
    return small and word not in NO_THINGS


def alike(one: str, other: str) -> bool:
    """Whether both look like one thing or both like several."""
    return one.endswith("s") == other.endswith("s")


def forms(word: str) -> set[str]:
    """The word, and how it may be written of one and of several."""
    return {word, word + "s", word + "es", word.removesuffix("s"), word.removesuffix("es")}


def replaced(question: str, noun: Noun, word: str) -> str:
    """``question`` with ``word`` in place of ``noun``, and the article that goes with it."""
    text = question[: noun.start] + word + question[noun.end :]
    if noun.article is None:
        return text
    start, end = noun.article
    article = "an" if word[0] in "aeiou" else "a"
    if question[start].isupper():
        article = article.capitalize()
    return text[:start] + article + text[end:]
