"""Where an answer ends: the model's end tokens, and options that only an end distinguishes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Spelling = tuple[int, ...]

END = -1
"""Stands behind a spelling's tokens for any of the model's end tokens."""


def end_tokens(hf: Any) -> tuple[int, ...]:
    """The tokens that end an answer of this model; none where it names none."""
    ends = hf.generation_config.eos_token_id
    return (ends,) if isinstance(ends, int) else tuple(ends or ())


def nested(options: Sequence[Sequence[Spelling]]) -> tuple[Spelling, Spelling] | None:
    """Two spellings of a question of which the first begins the second, if there are such."""
    # In order, a spelling stands right before one that it begins, or before another such.
    ordered = sorted({ids for option in options for ids in option})
    for first, second in pairwise(ordered):
        if second[: len(first)] == first:
            return first, second
    return None


def closed(
    options: Sequence[Sequence[Spelling]], ends: Sequence[int]
) -> Sequence[Sequence[Spelling]]:
    """The options of a question, each with END behind it where one of them begins another.

    Raises ValueError where that is so and there is no token in ``ends``.
    """
    if (pair := nested(options)) is None:
        return options
    if not ends:
        raise ValueError(
            f"tokens {list(pair[0])} begin the other spelling {list(pair[1])}, and this model has "
            "no end token to tell the two answers apart by"
        )
    return [[(*ids, END) for ids in option] for option in options]
