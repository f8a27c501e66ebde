"""A plain text as tokens: numbers, words, runs of scripts without spaces, and single signs."""

from __future__ import annotations

import re
from typing import NamedTuple

# Scripts that are written without spaces, or that put endings on digits: a letter of theirs right
# before a number does not make the number part of a name, as it does in "H2O".
SCRIPTS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
LETTER = rf"[^\W\d_{SCRIPTS}]"
TOKEN = re.compile(
    r"(?P<number>(?:[1-9]\d{0,2}(?: \d{3})+(?!\d)(?:[.,]\d+)?(?![.,]?\d)"
    r"|\d+(?:[.,]\d+|['_]\d{3}(?!\d))*|\.\d+)(?:[eE][-+]?\d+(?!\w))?)"
    r"|(?P<command>\\(?:frac|boxed))"
    r"|(?P<sign>[^\s\w]|[_π])"
    rf"|(?P<word>{LETTER}(?:[^\W{SCRIPTS}]|['-](?={LETTER}))*(?:-\d+)?)"
    rf"|(?P<script>[{SCRIPTS}]+)"
    r"|(?P<line>\n+)"
)


class Token(NamedTuple):
    kind: str
    """``number``, ``word``, ``script``, ``line``, or the sign or command itself."""
    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        own = kind in ("sign", "command")
        found.append(Token(match[0] if own else kind, match[0], *match.span()))
    return found
