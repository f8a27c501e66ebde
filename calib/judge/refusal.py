"""Does an answer say that it does not know or cannot answer?

By the phrases of ``refusal_phrases``, sentence by sentence, after case, accents, punctuation and
filling words are gone: "I don't know", "i dont know" and "I really do not know" are one. Someone
else's words are left out: what stands in quotation marks, and "he said I don't know".

A hedge is a refusal ("I'm not sure, but I think it is Paris"); what the speaker wonders about
beside the answer is none ("I don't know why people say B, but it is A").
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

from calib.judge.refusal_phrases import (
    ADDED,
    ALONE,
    BUT,
    CLAUSES,
    CONCLUDES,
    CONTRACTIONS,
    FILLERS,
    OTHERS,
    PHRASES,
    REPORTED,
    UNSPACED,
)
from calib.judge.said import text_of
from calib.records import InputError, Item

SHORT = 4
"""Sentences of an answer in which the weak phrases count."""
# Accents and vowel signs, and two letters of Turkish and Polish without a decomposition.
MARKS: dict[int, str | None] = dict.fromkeys([*range(0x300, 0x370), *range(0x64B, 0x656)]) | {
    0x131: "i",
    0x142: "l",
}
SENTENCE = re.compile(r"(?<!\bN)[.!?;:。！？；।؟\n]+(?=\s|$|[^\x00-\x7f])|[。！？；।]|\n")
# Not after "the answer is": that is the speaker's own answer.
QUOTED = re.compile(
    r"(?<!answer is )(?<!nswer: )(?:“[^”\n]{0,300}”|«[^»\n]{0,300}»"
    r"|「[^」\n]{0,300}」|『[^』\n]{0,300}』|„[^“”\n]{0,300}[“”]"
    r"|\"[^\"\n]{0,300}\"|(?<!\w)['‘](?:[^'‘’\n]|(?<=\w)['’](?=\w)){1,200}['’](?!\w))"
)
APOSTROPHES = re.compile(r"['’‘`´ʼ]")
WORD = re.compile(r"[\u0900-\u0dff]+|\w+(?:-\w+)*")
# "Unable to read, the child asked": of someone in the sentence.
PARTICIPLE = re.compile(
    r"\s*(?:Unable|Not able) to \w+(?: \w+){0,3}, (?:the|a|an|he|she|they|his|her|its|their)\b"
)
SODIUM = re.compile(r"\bNa\b|[+⁺]")
"""Of a text that is no "n/a"."""
KINDS = ("not_knowing", "unable", "unknowable")
NOT_KNOWING = ("not_knowing", "elliptical")
WHOLE = ("not_knowing", "elliptical", "unknowable", "unknown")
"""Kinds of which a phrase says all that a text says; of English ``ALONE`` has more of them."""
ONLY = re.compile("|".join(f"(?:{phrase})" for phrase in ALONE))
ONLY_ADDED = re.compile(rf"{ADDED}$")
CANT = re.compile(r"\bcant\b")
NEGATION = re.compile(r"\b(?:not |un|in|im(?=p))(?=\w{4})")


@functools.cache
def phrases(language: str, kinds: tuple[str, ...]) -> re.Pattern[str] | None:
    """The phrases of a language, None where it has none of these kinds."""
    every = [phrase for kind in kinds for phrase in PHRASES[language].get(kind, ())]
    # Words are parted by single spaces, and every phrase begins a word.
    joined = "|".join(f"(?:{phrase})" for phrase in every)
    return re.compile(rf"(?:^|(?<= ))(?:{joined})") if every else None


@functools.cache
def unspaced(kinds: tuple[str, ...]) -> re.Pattern[str]:
    every = [p for tables in UNSPACED.values() for kind in kinds for p in tables.get(kind, ())]
    return re.compile("|".join(f"(?:{phrase})" for phrase in every) or "(?!)")


HINTS = {language: re.compile("|".join(tables["hints"])) for language, tables in PHRASES.items()}


@functools.lru_cache(maxsize=1 << 16)
def hinted(word: str) -> frozenset[str]:
    """The languages of which a word is a hint."""
    return frozenset(language for language, hint in HINTS.items() if hint.fullmatch(word))


def patterns(said: str, kinds: tuple[str, ...]) -> Iterator[re.Pattern[str]]:
    """The phrases of every language of which ``said`` holds a hint."""
    languages = frozenset().union(*map(hinted, set(re.split("[ -]", said))))
    for language in PHRASES:
        pattern = phrases(language, kinds) if language in languages else None
        if pattern is not None:
            yield pattern


CONTRACTED = tuple((re.compile(pattern), short) for pattern, short in CONTRACTIONS)
ASIDE = re.compile(rf"\s*(?:{CLAUSES})\b.{{0,200}}\b(?:{BUT})\b")
SOMEONE_ELSE = re.compile(rf"\b(?:{REPORTED})\s*$")
CONCLUDING = re.compile(rf"\b(?:{CONCLUDES})\b|^(?:yes|no)\b")
SOMEONE_ELSE_UNSPACED = re.compile(OTHERS)


def folded(text: str) -> str:
    """Lower case, without accents and apostrophes."""
    decomposed = unicodedata.normalize("NFD", text.casefold()).translate(MARKS)
    return APOSTROPHES.sub("", unicodedata.normalize("NFC", decomposed))


def words_of(text: str) -> str:
    """The folded words of a text, contracted and without fillers, one space between them."""
    said = " ".join(word for word in WORD.findall(folded(text)) if word not in FILLERS)
    for pattern, short in CONTRACTED:
        said = pattern.sub(short, said)
    return said


def is_refusal(text: str) -> bool:
    """Whether ``text`` says, outside of its thoughts, that it does not know or cannot answer."""
    text = text_of(text)
    own = QUOTED.sub(" ", text)
    if not re.search(r"\w", own):
        own = text
    sentences = [s for s in SENTENCE.split(own) if s.strip() and not PARTICIPLE.match(s)]
    if is_not_knowing(own) or any(refuses(sentence, KINDS) for sentence in sentences):
        return True
    if len(sentences) > SHORT:
        return False
    if is_whole(own, ("whole",)) or any(refuses(s, ("short", "elliptical")) for s in sentences):
        return True
    return not CONCLUDING.search(words_of(own)) and any(refuses(s, ("weak",)) for s in sentences)


def refuses(sentence: str, kinds: tuple[str, ...]) -> bool:
    said = words_of(sentence)
    for match in (m for pattern in patterns(said, kinds) for m in pattern.finditer(said)):
        if not ASIDE.match(said, match.end()) and not SOMEONE_ELSE.search(
            said[max(0, match.start() - 20) : match.start()]
        ):
            return True
    if said.isascii():
        return False
    close = re.sub(r"\s+", "", folded(sentence))
    return bool(unspaced(kinds).search(close)) and not SOMEONE_ELSE_UNSPACED.search(close)


def is_whole(text: str, kinds: tuple[str, ...]) -> bool:
    """Whether a phrase of these kinds is all that the text says."""
    if SODIUM.search(text):
        return False
    said = words_of(text)
    close = re.sub(r"[\W_]+", "", folded(text))
    whole = any(pattern.fullmatch(said) for pattern in patterns(said, kinds))
    return whole or bool(unspaced(kinds).fullmatch(close))


def is_not_knowing(text: str) -> bool:
    """Whether all that ``text`` says is that one does not know, or that nobody can know it.

    Of options and answers alike; every such text is a refusal (``is_refusal``), and no other text
    of an option counts as one. Compared without case, accents, apostrophes and punctuation:
    "I don't know", "Cannot tell", "It is impossible to say from the picture", "unknown". What says
    more is none ("Unknown Pleasures"), nor is what speaks of the options ("none of the above").
    """
    said = words_of(text)
    if ONLY.fullmatch(said) or is_whole(text, WHOLE):
        return True
    matches = (pattern.match(said) for pattern in patterns(said, NOT_KNOWING))
    return any(match and ONLY_ADDED.match(said, match.end()) for match in matches)


def idk_options(item: Item) -> tuple[int, ...]:
    """The indices of the options that mean "I don't know": ``meta["idk"]`` first, and all that
    say so (``is_not_knowing``), unless another option says the opposite ("known", "unknown").

    InputError: ``meta["idk"]`` is no index of an option.
    """
    index = item.meta.get("idk")
    if index is not None and (type(index) is not int or not 0 <= index < len(item.options)):
        raise InputError(
            f"item {item.id!r}: meta['idk'] must be the index of an option, 0 to "
            f"{len(item.options) - 1}, and is {repr(index)[:80]}"
        )
    named = () if index is None else (index,)
    worded = [i for i, option in enumerate(item.options) if is_not_knowing(option)]
    said = {words_of(option) for option in item.options} if worded else set()
    return *named, *(
        i for i in worded if i != index and affirmed(words_of(item.options[i])) not in said
    )


def idk_option(item: Item) -> int | None:
    """The first of ``idk_options``, None where there is none."""
    return next(iter(idk_options(item)), None)


def affirmed(said: str) -> str:
    """What the words of a text would be without its "not"."""
    without = NEGATION.sub("", CANT.sub("can", said))
    return without if without != said else ""
