"""Is an answer the gold text, exactly or apart from case, articles and punctuation?"""

from __future__ import annotations

import re
from collections.abc import Callable

from calib.judge.cues import NUMBERED, POLAR_CLAUSE
from calib.judge.denials import affirmed, without_compounds
from calib.judge.folding import normalized_text
from calib.judge.options import POLAR, same_word
from calib.judge.plain import plain
from calib.judge.refusal import is_refusal
from calib.judge.said import boxed, text_of, unwrapped
from calib.judge.whole import stands_in
from calib.records import Answer, Item, Verdict

CUE = re.compile(r"^(?:(?:the|my) )?(?:final |correct )?answer\b(?: is\b)?\s*:?\s*", re.I)


def gold_texts(item: Item) -> tuple[str, ...]:
    """Every text that counts as the answer: ``meta["aliases"]``, and the right option's spellings.

    Empty where the answer is not known.
    """
    texts: dict[str, None] = dict.fromkeys(map(str, item.meta.get("aliases", ())))
    if item.answer is not None and item.options:
        texts[item.options[item.answer]] = None
        texts.update(dict.fromkeys(spellings_of(item)[item.answer]))
    return tuple(texts)


def spellings_of(item: Item) -> tuple[tuple[str, ...], ...]:
    """Per option, the texts that count as it."""
    spellings = item.meta.get("spellings")
    if spellings is None:
        return tuple((option,) for option in item.options)
    return tuple(
        (option, *(text for text in texts if text != option))
        for option, texts in zip(item.options, spellings, strict=True)
    )


def exact(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer is one of the gold texts, outer whitespace apart."""
    return match(text_of(answer), item, str.strip, "exact")


def normalized(answer: Answer | str, item: Item) -> Verdict:
    """Correct when the answer is one of the gold texts after both are ``normalized_text``.

    A leading "The answer is" and everything after the first line may be left out; so may everything
    around the last ``\\boxed{...}``.
    """
    return match(text_of(answer), item, normalized_text, "normalized", stated)


def contains(answer: Answer | str, item: Item) -> Verdict:
    """Correct when a gold text stands in the answer as whole words, as in "It is Paris."

    The texts are compared as ``normalized`` does. An answer that names several things counts as
    right if one of them is, and one that says it does not know is a refusal whatever else it says.
    """
    text, gold = unwrapped(text_of(answer)), gold_texts(item)
    said = normalized_text(text)
    same = {normalized_text(alias) for alias in gold}
    if said not in same and is_refusal(text):
        return Verdict(False if gold else None, None, True, "refusal")
    right = said in same or any(says_text(alias, text, said) for alias in same)
    return Verdict(right if gold else None, said or None, False, "contains")


def says_text(alias: str, text: str, said: str) -> bool:
    """Whether the answer ``text`` holds the folded gold text ``alias`` and affirms it.

    ``said`` is ``text``, folded.

    "yes" and "no" must be a clause of their own: there is no "no" in "no doubt".
    """
    if POLAR.fullmatch(alias):
        bare = stated(text)
        words = {same_word(clause[1]) for clause in POLAR_CLAUSE.finditer(bare)}
        return alias in words and not NUMBERED.match(bare)
    if not stands_in(alias, said):
        return False
    whole = without_compounds(text, [alias])
    return (whole is text or stands_in(alias, normalized_text(whole))) and affirmed(alias, whole)


def stated(text: str) -> str:
    """The content of the last box, else the first line that says more than "The answer is"."""
    text = unwrapped(text)
    held = boxed(text)
    if held is not None:
        return held
    lines = (CUE.sub("", line).strip() for line in plain(text).splitlines())
    return next(filter(None, lines), "")


def match(
    text: str,
    item: Item,
    fold: Callable[[str], str],
    how: str,
    part: Callable[[str], str] = str.strip,
) -> Verdict:
    """Whether ``text``, or the part of it that states the answer, is a gold text when folded."""
    said = fold(part(text))
    gold = gold_texts(item)
    same = {fold(alias) for alias in gold}
    right = bool(said) and (said in same or fold(text) in same)
    refused = not right and is_refusal(text)
    parsed = said if said and not refused else None
    return Verdict(right if gold else None, parsed, refused, "refusal" if refused else how)
