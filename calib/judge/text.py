"""Is an answer the gold text, letter by letter or but for case, articles and punctuation?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from calib.judge.refusal import is_refusal
from calib.judge.said import text_of
from calib.records import Answer, Item, Verdict

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
CUE = re.compile(r"^(?:(?:the|my) )?(?:final |correct )?answer(?: is)?\s*:?\s*", re.I)


def gold_texts(item: Item) -> tuple[str, ...]:
    """Every text that counts as the answer: ``meta["aliases"]``, and the right option's spellings.

    Empty where the answer is not known.
    """
    found: dict[str, None] = dict.fromkeys(map(str, item.meta.get("aliases", ())))
    if item.answer is not None and item.options:
        found[item.options[item.answer]] = None
        found.update(dict.fromkeys(spellings_of(item)[item.answer]))
    return tuple(found)


def spellings_of(item: Item) -> tuple[tuple[str, ...], ...]:
    """Per option, the texts that count as it."""
    given = item.meta.get("spellings")
    if given is None:
        return tuple((option,) for option in item.options)
    return tuple(
        (option, *(text for text in texts if text != option))
        for option, texts in zip(item.options, given, strict=True)
    )


def normalized_text(text: str) -> str:
    """Without case, accents, articles, punctuation and superfluous whitespace.

    A text of nothing but articles or punctuation keeps what it has, so that "A" stays "a" and "+"
    stays "+"; signs and decimal points of numbers stay.
    """
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    base = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("\u2212", "-")
    base = re.sub(r"['’‘`´]", "", base)
    base = re.sub(r"(?<=\d),(?=\d{3}\b)", "", base)
    # A point or sign that belongs to a number stays; every other mark parts words.
    kept = re.sub(r"(?<!\d)\.|\.(?!\d)|(?<![\s(])-|-(?!\d)|[^\w\s.\-]|_", " ", f" {base} ")
    bare = " ".join(ARTICLES.sub(" ", kept).split())
    return bare or " ".join(kept.split()) or " ".join(base.split())


def exact(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer is one of the gold texts, outer whitespace apart."""
    return match(text_of(answer), item, str.strip, "exact")


def normalized(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer is one of the gold texts but for what ``normalized_text`` drops.

    A leading "The answer is" and everything after the first line are left out.
    """
    return match(
        text_of(answer), item, lambda text: normalized_text(first_line(text)), "normalized"
    )


def contains(answer: Answer | str, item: Item) -> Verdict:
    """Correct when a gold text stands in the answer as whole words, as in "It is Paris."

    The texts are compared as ``normalized`` does. An answer that names several things counts as
    right if one of them is, and one that says it does not know is a refusal whatever else it says.
    """
    text, gold = text_of(answer), gold_texts(item)
    if is_refusal(text):
        return Verdict(False if gold else None, None, True, "refusal")
    said = normalized_text(text)
    right = any(f" {normalized_text(alias)} " in f" {said} " for alias in gold)
    return Verdict(right if gold else None, said or None, False, "contains")


def first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return CUE.sub("", lines[0].strip(" *#")) if lines else ""


def match(text: str, item: Item, fold: Callable[[str], str], how: str) -> Verdict:
    said = fold(text)
    gold = gold_texts(item)
    right = said in {fold(alias) for alias in gold} if said else False
    refused = not right and is_refusal(text)
    parsed = said if said and not refused else None
    return Verdict(right if gold else None, parsed, refused, "refusal" if refused else how)
