"""Checks of `calib.shared_prefix`: every step's logits, and the way that was taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import calib
from calib import Item
from calib.hf.decoding.prefix import Rows
from calib.hf.model import Model
from tests.conformance.hand import Hand, Tokens, apart
from tests.conformance.questions import ONE, TEXTS, TWO, WIDE
from tests.conformance.records import BOUND, Check, Unsettled, checked

SEED = 3
SAMPLES, LENGTH = 3, 8


def ends_of(hand: Hand, vocabulary: int) -> list[int]:
    """About a quarter of all tokens, and every special one: fed behind a prompt, a picture's token
    would ask for a picture."""
    special = set(hand.tokenizer.all_special_ids) | set(hand.tokenizer.added_tokens_decoder)
    special |= set(ids_in(hand.model.config.to_dict()))
    return sorted({i for i in special if 0 <= i < vocabulary} | set(range(3, vocabulary, 5)))


def ids_in(config: dict[Any, Any]) -> Iterator[int]:
    """Every number that a configuration names as a token."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from ids_in(value)
        elif isinstance(value, int) and str(name).endswith(("_token_id", "_token_index")):
            yield value


@contextmanager
def ways() -> Iterator[list[Rows]]:
    """The rows that calib decodes meanwhile; each knows its way in the end."""
    made: list[Rows] = []
    begin = Rows.__init__

    def noted(self: Rows, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        begin(self, *args, **kwargs)

    Rows.__init__ = noted  # type: ignore[method-assign]
    try:
        yield made
    finally:
        Rows.__init__ = begin  # type: ignore[method-assign]


def told_ways(made: Sequence[Rows]) -> str:
    names = dict.fromkeys(getattr(rows, "way", "?") for rows in made)
    return ", ".join(names)


def shared_prefix_checks(
    model: Model, hand: Hand, images: bool, ends: list[int]
) -> Iterator[Check]:
    """`calib.shared_prefix` in `generate`: every step's logits, of one prompt and of a batch."""
    groups = {"text alone": TEXTS[:1], "texts, padded": TEXTS[:2]}
    if images:
        groups |= {
            "one picture": (WIDE,),
            "two sizes, padded": (ONE, WIDE),
            "two pictures": (TWO,),
            "one and two, padded": (ONE, TWO),
        }
    for name, items in groups.items():
        yield checked(f"shared_prefix: {name}", every_step, model, hand, items, ends)


def every_step(
    model: Model, hand: Hand, items: Sequence[Item], ends: list[int]
) -> tuple[float, float, str]:
    inputs = hand.inputs(items)
    for item in items:
        hand.logits(item, ())  # raises where the prompt is not settled
    settings = {
        "max_new_tokens": LENGTH, "do_sample": True, "top_k": 0, "eos_token_id": ends,
        "pad_token_id": 0, "output_logits": True, "return_dict_in_generate": True,
    }  # fmt: skip
    with ways() as made:
        found = model.hf.generate(
            **inputs, custom_generate=calib.shared_prefix, n_samples=SAMPLES, seed=SEED, **settings
        )
    rows = found.sequences[:, inputs["input_ids"].shape[1] :].tolist()
    answers = [until_end(row, ends) for row in rows]
    expected = [hand.logits(items[n // SAMPLES], ids[:-1]) for n, ids in enumerate(answers)]
    error = furthest(found.logits, expected)
    if error > BOUND:
        plain = hand.decoded(inputs, rows, SAMPLES)
        if (own := furthest(plain, expected)) > BOUND:
            raise Unsettled(f"plain generation of this batch is {own:.0e} off in the logits")
    return error, BOUND, told_ways(made)


def furthest(steps: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Between the logits of each step (R, V) and of each row (L, V)."""
    return max(
        apart(torch.stack([step[n] for step in steps[: len(row)]]).float(), row)
        for n, row in enumerate(expected)
    )


def until_end(ids: Sequence[int], ends: Sequence[int]) -> Tokens:
    """An answer's tokens, its end counted."""
    end = next((n for n, token in enumerate(ids) if token in set(ends)), len(ids) - 1)
    return tuple(ids[: end + 1])
