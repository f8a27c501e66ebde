"""What a place in a file says, such as "q.jsonl, line 3"."""

from __future__ import annotations


def number_in(where: str) -> str:
    """The number that a place ends in."""
    return where.rsplit(" ", 1)[-1]
