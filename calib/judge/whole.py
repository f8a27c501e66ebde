"""Where a text stands in another as whole words, in scripts without spaces too.

Both texts are folded (``normalized_text``). A number or the name of a quantity does not stand alone
where a sign binds it: "4" does not stand in "x < 4" or "2 + 4", nor "x" in "x - y".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Blocks of scripts that write words without spaces between them: Thai and Lao, Tibetan, Burmese,
# Khmer, kana, Chinese characters.
SPACELESS = (
    *((0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF)),
    *((0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)
# What may follow a Korean word without a space.
PARTICLES = re.compile(
    r"은|는|이|가|을|를|의|에|에서|에게|로|으로|와|과|도|만|인|이다|다|입니다|이에요|예요|이며|이고|이라고|라고|이라는|라는|부터|까지|처럼|보다|하고|"
    r"이나|나|이랑|랑|요|이요|야|이야|입니다만|였습니다|이었습니다|였다|이었다|일|임|께서|에는|에도|이지만|지만|인데|이란|란"
)
# Chinese characters that are words by themselves, so that another word may begin or end at them.
FUNCTION_CHARACTERS = frozenset(
    "是为為在有的了和與与或及跟叫即选選像到从從于於就只条條个個张張头頭隻匹位名"
)
# What follows a Japanese name in one run of Chinese characters without changing it.
SUFFIXES = frozenset("都道府県市区町村駅人語国山川湖島氏君様的側製産")
# Signs that bind what stands on either side of them; behind those of the second set stands what
# has been found.
BINDING = frozenset("+-×÷/∗⋅<>≤≥≠=≈~≡±∓^→↔←∈∉∪∩∧∨∝|")
CONCLUDING = frozenset("=≈~→⇒≡:")

# What goes on behind a number ("5 million", "4 x"), a letter ("C minor") or a symbol ("Fe 3+"), and
# what a letter belongs to ("vitamin C"): the shorter text is another thing.
MULTIPLES = frozenset(("hundred", "thousand", "million", "billion", "trillion"))
VARIABLE = re.compile(r"[xyz](?:\^.*)?")
AFTER_A_LETTER = frozenset(("major", "minor", "sharp", "flat"))
NAMES_A_LETTER = frozenset(("vitamin", "vitamins", "vit", "hepatitis"))
CHARGE = re.compile(r"\d[+-]|[+-]\d")


@lru_cache(4096)
def is_spaceless(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in SPACELESS)


def occurrences(part: str, text: str) -> Iterator[int]:
    """The places at which ``part`` begins and stands as a whole."""
    start = text.find(part) if part else -1
    while start >= 0:
        end = start + len(part)
        if begins_at(part, text, start) and ends_at(part, text, end):
            yield start
        # A spaced script has no other place before the next space.
        inner = is_spaceless(part[0]) or is_spaceless(text[start - 1])
        space = text.find(" ", start)
        following = start + 1 if inner or space < 0 else space
        start = text.find(part, following)


def stands_in(part: str, text: str) -> bool:
    return next(occurrences(part, text), None) is not None


def begins_at(part: str, text: str, start: int) -> bool:
    if start == 0:
        return True
    if text[start - 1] != " ":
        return parts(text[start - 1], part[0]) and begins_word(part, text, start)
    before = text[text.rfind(" ", 0, start - 1) + 1 : start - 1]
    if part[0].isalpha() and len(part.split(" ", 1)[0]) == 1 and before in NAMES_A_LETTER:
        return False
    if VARIABLE.fullmatch(part.split(" ", 1)[0]) and before.replace(".", "").isdigit():
        return False
    return before in CONCLUDING or before not in BINDING or is_word(part.split(" ", 1)[0])


def ends_at(part: str, text: str, end: int) -> bool:
    if end == len(text):
        return True
    if text[end] != " ":
        space = text.find(" ", end)
        rest = text[end : space if space >= 0 else len(text)]
        return (parts(part[-1], text[end]) and ends_word(part, rest)) or PARTICLES.fullmatch(
            rest
        ) is not None
    space = text.find(" ", end + 1)
    after = text[end + 1 : space if space >= 0 else len(text)]
    if part[-1].isdigit() and (after in MULTIPLES or VARIABLE.fullmatch(after)):
        return False
    if len(part) == 1 and part.isalpha() and after in AFTER_A_LETTER:
        return False
    if part.isalpha() and len(part) < 4 and (CHARGE.fullmatch(after) or after in ("+", "-")):
        return False
    return after not in BINDING or is_word(part.rsplit(" ", 1)[-1])


def is_word(piece: str) -> bool:
    """Whether a piece is more than a number or the name of a quantity."""
    return piece.isalpha() and (len(piece) > 1 or is_spaceless(piece))


@lru_cache(4096)
def script(char: str) -> str:
    """The script of a letter as far as it tells words apart; numbers are of the Latin one."""
    name = unicodedata.name(char, "")
    if unicodedata.category(char)[0] == "M":
        return "MARK"
    if char == "々":
        return "CJK"
    for own in ("CJK", "KATAKANA", "HIRAGANA", "HANGUL"):
        if name.startswith(own):
            return own
    return "LATIN" if char.isalnum() else "SIGN"


@lru_cache(64)
def has_kana(text: str) -> bool:
    return any(script(char) in ("HIRAGANA", "KATAKANA") for char in text)


def parts(left: str, right: str) -> bool:
    """Whether a word may end between two characters that no space parts."""
    one, other = script(left), script(right)
    if "SIGN" in (one, other) or other == "MARK":
        return False
    spaceless = is_spaceless(left) or is_spaceless(right)
    if one == other:
        return spaceless and one != "KATAKANA"
    return spaceless or "HANGUL" in (one, other)


def begins_word(part: str, text: str, start: int) -> bool:
    """Of Chinese characters in a row: whether a word begins at ``start``."""
    if script(part[0]) != "CJK" or script(text[start - 1]) != "CJK":
        return True
    if text[start - 1] in FUNCTION_CHARACTERS:
        return True
    run = start
    while run and script(text[run - 1]) == "CJK" and start - run < 3:
        run -= 1
    return len(part) > 1 and start - run > 1 and not has_kana(text)


def ends_word(part: str, rest: str) -> bool:
    if script(part[-1]) != "CJK" or script(rest[0]) != "CJK":
        return True
    if len(part) == 1 or has_kana(rest):
        return rest[0] in FUNCTION_CHARACTERS | SUFFIXES
    return True
