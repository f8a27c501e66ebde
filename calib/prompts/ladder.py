"""Successive halving: every new wording is asked a few questions, the better half twice as many.

Jamieson and Talwalkar 2016, "Non-stochastic best arm identification". The questions of a rung are
those of the rung before and as many more, so what was asked is not asked again.
"""

from __future__ import annotations

LEAST = 25
"""Questions of the first rung, where there are so many."""


def rungs(questions: int) -> list[int]:
    """How many questions each rung has, rising to all ``questions``, each about half the next."""
    sizes = [questions]
    while sizes[0] // 2 >= LEAST:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def going_on(alive: int, keep: int) -> int:
    """How many of ``alive`` new wordings go on to the next rung: half, but not under ``keep``."""
    return min(alive, max(keep, -(-alive // 2)))
