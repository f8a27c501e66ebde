"""One rule for when two texts are the same: ``normalized_text``.

It removes case, English articles, punctuation, superfluous white space, accents of Latin letters
and the markup that ``plain`` removes. It keeps what changes the meaning: signs of comparison and
arithmetic, powers, brackets around more than a remark, points and signs of numbers, ``%``, ``#``,
``°``, currencies, primes, and marks in scripts where a mark makes another letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from calib.judge.plain import plain
from calib.judge.signs import Place, Token, kind_of, placed
from calib.judge.whole import is_spaceless

DASHES = str.maketrans({"–": "-", **dict.fromkeys("—―⸺", " \u2014 ")})

ARTICLES = frozenset(("a", "an", "the"))
# Words after which "a" is the article; elsewhere it may be a name, as in "vitamin a deficiency".
BEFORE_A = re.compile(
    r"about|after|against|along|among|and|around|as|at|be|become|becomes|been|before|behind|"
    r"being|below|beneath|beside|between|but|by|can|by|describes|depicts|did|does|during|for|"
    r"from|gave|get|gets|got|had|has|have|if|in|inside|into|is|it|its|just|like|made|make|"
    r"makes|near|no|not|of|off|on|once|only|onto|or|out|over|per|quite|such|than|that|there|"
    r"theres|this|through|to|toward|towards|under|until|upon|was|were|what|when|where|which|"
    r"while|with|within|without|you"
)
# Words before which "a" is the name of a note or a type: "A minor", "A positive".
AFTER_A_NAME = re.compile(r"major|minor|flat|sharp|positive|negative|and|or|level|levels")

# "U.S.A.", "Ph.D." and, with spaces, "J. K."
ABBREVIATION = re.compile(
    r"(?<![\w.])[^\W\d_]{1,2}\.(?:(?:[^\W\d_]{1,2}\.)+|(?:[^\W\d_]{1,2}\.)*[^\W\d_]{1,2}\b)"
    r"|(?<![\w.])[^\W\d_]\.(?: [^\W\d_]\.)+"
)
# In a word it separates parts; between digits it gives the base of a number.
UNDERSCORE = re.compile(r"(?<![0-9])_+|_+(?![0-9a-z])|__+")
# "don't", "1950's"; but "f'g" is a product.
APOSTROPHE = re.compile(
    r"(?<=[^\W_])'(?=[^\W\d_])(?!(?<=(?<![^\W_])[^\W_]')[^\W\d_stdm](?![^\W_]))"
)
QUOTED = re.compile(r"(?<![\w)\]'\"])(['\"])(?=[^\s'\"])([^'\"]{0,300}?)(?<=\S)\1(?!\w)")
MINUS = re.compile(r"\b(?:minus|negative)\s+(?=\d)")
WORD_SIGNS = re.compile(r"(?<=\d)\s?(?:(percent|per cent)|degrees?)\b(?!\s+of\b)")
# Vowel signs and other marks belong to the word, and so do the joiners of Indic and Persian.
COMBINING = "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.combining(c)
                    or unicodedata.category(c)[0] == "M") + "\u200c\u200d"  # fmt: skip
IN_WORD = rf"[\w{COMBINING}]"
# A unit may stand right behind its number; "1st", "3d", "1990s" and "5ht2a" are words.
TOKEN = re.compile(
    rf"(?P<space>\s+)"
    rf"|(?P<number>(?:\d+(?:\.\d+)*|(?<![^\s(])\.\d+)(?!(?:st|nd|rd|th|d|s)(?!{IN_WORD}))"
    rf"(?=[^\W\d_]*(?!{IN_WORD}|\.\d)))"
    rf"|(?P<word>{IN_WORD}+)|(?P<other>.)",
    re.S,
)

ROUNDS = 8
"""A text is folded at most so many times, until folding changes it no more."""
LONG = 5000
"""A text of more characters is folded only once, since it is no gold text."""
PLAIN_WORDS = re.compile(r"(?:[a-z]{3,}|\d+)(?: (?:[a-z]{3,}|\d+))*")


@lru_cache(1024)
def normalized_text(text: str) -> str:
    """``text`` without what carries no meaning; see the module.

    A text of nothing but articles or punctuation keeps them: "A" becomes "a", and "?" stays "?".
    """
    folded = fold(text)
    for _ in range(ROUNDS):
        if len(folded) > LONG or PLAIN_WORDS.fullmatch(folded) or (again := fold(folded)) == folded:
            break
        folded = again
    return folded


def fold(text: str) -> str:
    flat = unaccented(unicodedata.normalize("NFKC", plain(text).casefold())).translate(DASHES)
    flat = ABBREVIATION.sub(lambda m: re.sub(r"[. ]", "", m[0]) + " ", flat)
    flat = APOSTROPHE.sub("", QUOTED.sub(r" \2 ", flat))
    flat = MINUS.sub("-", flat)
    flat = WORD_SIGNS.sub(lambda m: "%" if m[1] else "°", flat)
    tokens = tokens_of(UNDERSCORE.sub(" ", flat))
    return " ".join(without_articles(put_together(tokens))) or " ".join(flat.split())


def unaccented(text: str) -> str:
    """Latin letters without their accents, but for those that stand alone: x̄ is not x.

    Digits of every script become those of ASCII.
    """
    if text.isascii():
        return text
    words = re.split(r"(\s+)", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", "".join(map(bare_word, words)))


def bare_word(word: str) -> str:
    characters, latin, letters = [], False, sum(c.isalpha() for c in word)
    for c in word:
        if not unicodedata.combining(c):
            latin = "LATIN" in unicodedata.name(c, "") if not c.isascii() else c.isalpha()
        elif latin and letters > 1 and "\u0300" <= c <= "\u036f" and c != "\u0338":
            continue
        characters.append(str(unicodedata.decimal(c, c)))
    return "".join(characters)


def tokens_of(text: str) -> list[Token]:
    tokens: list[Token] = []
    space = True
    for match in TOKEN.finditer(text):
        kind, piece = match.lastgroup or "", match[0]
        if kind == "other":
            kind = kind_of(piece)
        if kind == "space":
            space = True
            if tokens:
                tokens[-1].after = True
            continue
        if kind == "number" and piece.startswith("."):
            piece = f"0{piece}"
        elif piece == "&":
            kind, piece = "word", "and"
        elif tokens and not space and piece in "+-=" and tokens[-1].text[-1] == piece:
            tokens[-1].text += piece  # "C++", "--", "=="
            continue
        tokens.append(Token(kind, piece, before=space, after=False))
        space = False
    if tokens:
        tokens[-1].after = True
    return tokens


def put_together(tokens: list[Token]) -> list[str]:
    """The words of the folded text: its tokens, joined where they belong together."""
    words: list[str] = []
    joined = False  # to what comes next
    for text, place in placed(tokens):
        if place is Place.DROPPED:
            joined = False
            continue
        behind = joined or place in (Place.POSTFIX, Place.JOINT)
        if words and (behind or (is_spaceless(words[-1][-1]) and is_spaceless(text[0]))):
            words[-1] += text
        else:
            words.append(text)
        joined = place in (Place.PREFIX, Place.JOINT)
    return words


def without_articles(words: list[str]) -> list[str]:
    remaining: list[str] = []
    for number, word in enumerate(words):
        before, after = remaining[-1] if remaining else None, words[number + 1 : number + 2]
        if not (word in ARTICLES and after and (word != "a" or is_article(before, after[0]))):
            remaining.append(word)
    return remaining if any(word not in ARTICLES for word in remaining) else words


def is_article(before: str | None, after: str) -> bool:
    """Whether "a" between two words is the article."""
    if len(after) < 2 or not after[0].isalpha() or AFTER_A_NAME.fullmatch(after):
        return False
    if before is None or BEFORE_A.fullmatch(before):
        return True
    return before.endswith("ing") and len(before) > 4
