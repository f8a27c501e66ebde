"""Which marked option an answer names: "B", "(B)", "B. dog", "The answer is B.", "dog"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from calib.records import InputError
from calib.task_files.values import shown

LETTER = re.compile(
    r"\s*(?:\*\*)?[(\[\uff08]?(?P<letter>[A-Za-z])(?![A-Za-z0-9'\u2019])"
    r"(?P<mark>[)\]\uff09.:,;\uff0e\u3001\uff1a]*)(?:\*\*)?[ \t]*(?P<rest>.*)"
)
# What is said may be long, but the answer stands at its start: this keeps the search linear.
SAID = re.compile(
    r"\b(?:answer|(?:correct|right|best) (?:option|choice))(?: is| would be)?[ \t]*[:\uff1a]?[ \t]*"
    r"(?:(?:option|choice) )?(?=(?P<value>[^\n]{1,400}))",
    re.I,
)
IS_RIGHT = re.compile(r"is (?:the )?(?:correct|right|best)\b", re.I)


def marked_answer(answer: str, letters: Sequence[str], texts: Sequence[str], where: str) -> int:
    """The index of the option that ``answer`` names, by its letter among ``letters`` or its text.

    Raises InputError where it names none, a letter that no option has, or two options.
    """
    said = answer.strip()
    named = readings(said, letters, texts, where)
    if not named:
        for match in SAID.finditer(said):
            named |= readings(match["value"].strip(), letters, texts, where, cued=True)
    if len(named) != 1:
        meant = " and ".join(letters[i] for i in sorted(named)) or "none"
        raise InputError(
            f"{where}: answer {shown(said)} names {meant} of the options "
            f"{listed(letters, texts)}; expected the letter of one, as in (A), or its text"
        )
    return named.pop()


def readings(
    said: str, letters: Sequence[str], texts: Sequence[str], where: str, cued: bool = False
) -> set[int]:
    """The options that ``said`` can mean; ``cued``: it stands after "the answer is"."""
    folded = [plain(text) for text in texts]
    by_text = {i for i, text in enumerate(folded) if text == plain(said)}
    match = LETTER.match(said)
    if match is None:
        return by_text
    rest = plain(match["rest"])
    letter = match["letter"].upper()
    if letter not in letters:
        if by_text or (rest and not match["mark"]):
            return by_text
        raise InputError(
            f"{where}: answer {shown(said)} names {letter}, but the options are marked "
            f"{', '.join(letters)}"
        )
    index = letters.index(letter)
    if not rest:
        return {index} if cued else {index, *by_text}
    own = rest == folded[index] or (
        rest.startswith(folded[index]) and not rest[len(folded[index])].isalnum()
    )
    if own or IS_RIGHT.match(rest) or (cued and match["mark"] and rest not in folded):
        return {index, *by_text}
    if match["mark"] and not by_text:
        raise InputError(
            f"{where}: answer {shown(said)} names {letter}, but the text of option {letter} "
            f"is {shown(texts[index])}"
        )
    return by_text


def plain(text: str) -> str:
    """A text without regard to case, spaces and a full stop."""
    return " ".join(text.casefold().split()).removesuffix(".")


def listed(letters: Sequence[str], texts: Sequence[str]) -> str:
    return shown(" ".join(f"({a}) {b}" for a, b in zip(letters, texts, strict=True)))
