"""Does an answer say that it does not know?

By a list of phrases, after case and punctuation are gone: "I don't know" and "i dont know" are
one.
"""

from __future__ import annotations

import re

from calib.records import Item

NOT_KNOWING = (
    "i dont know",
    "i do not know",
    "i am not sure",
    "im not sure",
    "im unsure",
    "i am unsure",
    "i have no idea",
    "idk",
    "dont know and dont want to guess",
)
UNKNOWABLE = (
    "cannot be determined",
    "can not be determined",
    "cant be determined",
    "could not be determined",
    "impossible to determine",
    "impossible to say",
    "impossible to tell",
    "not possible to determine",
    "not possible to answer",
    "impossible to answer",
    "not enough information",
    "insufficient information",
)
UNABLE = re.compile(
    r"\b(?:i|we) (?:am |are )?(?:sorry )?(?:but )?(?:i )?"
    r"(?:cannot|can not|cant|could not|couldnt|unable to|not able to|am unable to|wont)"
    r"(?: accurately| reliably| definitively| really| directly)?"
    r" (?:answer|determine|identify|tell|say|see|view|assist|help|provide|give|analyze|interpret)\b"
    r"|\bim (?:unable|not able) to\b"
    r"|\b(?:unable|not able) to (?:answer|determine|identify|assist|provide)\b"
    r"|\bim sorry (?:but )?i (?:cant|cannot)\b"
)
PHRASES = re.compile(r"\b(?:" + "|".join(NOT_KNOWING + UNKNOWABLE) + r")\b")
IDK_OPTION = re.compile(
    r"(?:i )?(?:dont|do not) know(?: (?:and|the answer|dont|want|to|guess))*"
    r"|(?:im |i am )?(?:not sure|unsure)|i have no idea|idk"
)


def words_of(text: str) -> str:
    """Lower-case words with single spaces; apostrophes vanish, other punctuation parts words."""
    joined = re.sub(r"['’‘`´]", "", text.casefold())
    return " ".join(re.findall(r"\w+", joined))


def is_refusal(text: str) -> bool:
    """Whether ``text`` says that it does not know or cannot answer."""
    said = words_of(text)
    return bool(PHRASES.search(said) or UNABLE.search(said))


def idk_option(item: Item) -> int | None:
    """The index of the option that means "I don't know": ``meta["idk"]``, or the one so worded."""
    if item.meta.get("idk") is not None:
        return int(item.meta["idk"])
    worded = [i for i, o in enumerate(item.options) if IDK_OPTION.fullmatch(words_of(o))]
    return worded[0] if worded else None
