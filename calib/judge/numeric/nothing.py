"""Answers that say zero in words: "none", "There are no dogs in the picture"."""

from __future__ import annotations

import re

NOTHING = re.compile(
    r"\W*(?:(?:the )?answer(?: is|:) |there (?:are|is|were|was) |i (?:can )?(?:see|count) "
    r"|it has )?"
    r"(?:none|nil|zilch|nothing|no(?! (?:one|idea|clue|answer|comment|way|doubt|problem|image|more|"
    r"information|sense|matter|longer|need)\b)(?: [a-z'-]{1,20}){0,8})\W*",
    re.I,
)
LONGEST = 120


def says_none(text: str) -> bool:
    return len(text) <= LONGEST and bool(NOTHING.fullmatch(text))
