"""Checks of sampled answers: their tokens, their log-probabilities, and the way they were decoded.

A token that calib draws is a function of (seed, item, sample, step) and of the logits, so an answer
is drawn again from the logits by hand, token by token, and must come out the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from calib_kernels import sample
from torch import Tensor

import calib
from calib import Item
from calib.hf.model import Model
from calib.hf.prefix import Rows
from calib.tasks import Task
from tests.conformance.hand import Hand, Tokens, apart
from tests.conformance.questions import ONE, TEXTS, TWO, WIDE
from tests.conformance.records import BOUND, Check, Unsettled, checked, told

SEED = 3
SAMPLES, LENGTH = 3, 8
# Float32 logits up to 30, a sum of up to LENGTH log-probabilities.
SUM_BOUND = 2 * BOUND


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


@dataclass(frozen=True)
class Drawn:
    """An answer drawn by hand."""

    text: str
    tokens: int
    logprob: float
    ids: Tokens = ()


def drawn_by_hand(hand: Hand, item: Item, number: int, ends: Sequence[int]) -> Drawn:
    """Sample ``number`` of ``item``, from the logits of full forwards."""
    address = int.from_bytes(hashlib.blake2b(item.id.encode(), digest_size=8).digest()) >> 1
    inputs = hand.inputs([item])
    tokens: Tokens = ()
    total = 0.0
    while len(tokens) < LENGTH and not (tokens and tokens[-1] in ends):
        try:
            logits = hand.whole(inputs, tokens)[-1:]
        except Exception as error:
            raise Unsettled(f"the forward by hand: {told(error)}") from error
        found = sample(
            logits, seed=SEED, item=torch.tensor([address]), sample=torch.tensor([number]),
            step=len(tokens),
        )  # fmt: skip
        tokens = (*tokens, int(found.token))
        total += float(found.logprob)
    hand.logits(item, tokens[:-1])  # raises where the answer is not settled
    text = str(hand.tokenizer.decode(list(tokens), skip_special_tokens=True))
    return Drawn(text.strip(), len(tokens), total, tokens)


def answer_checks(
    model: Model, hand: Hand, items: Sequence[Item], ends: list[int], folder: Path
) -> Iterator[Check]:
    """`Model.sample` and `calib.sample`, planned and packed: answers that end early."""
    model.hf.generation_config.eos_token_id = ends
    expected: dict[str, list[Drawn]] = {}

    def again() -> dict[str, list[Drawn]]:
        if not expected:
            for item in items:
                expected[item.id] = [drawn_by_hand(hand, item, n, ends) for n in range(SAMPLES)]
        return expected

    settings: dict[str, Any] = {"seed": SEED, "max_new_tokens": LENGTH}

    def alone() -> dict[str, list[Drawn]]:
        rows = model.sample(items, n=SAMPLES, **settings)
        return {
            item.id: [Drawn(a.text, a.tokens, float(a.logprob or 0.0)) for a in answers]
            for item, answers in zip(items, rows, strict=True)
        }

    def run(batching: str) -> dict[str, list[Drawn]]:
        task = Task("items", tuple(items))
        made = calib.sample(
            model, task, out=folder / batching, batching=batching, samples=SAMPLES,
            rows=2 * SAMPLES, **settings,
        )  # fmt: skip
        found: dict[str, list[Drawn]] = {}
        for row in made.answers().to_dict("records"):
            found.setdefault(row["id"], []).append(
                Drawn(row["text"], int(row["tokens"]), float(row["logprob"]))
            )
        return found

    yield checked("sample: Model.sample", same_answers, hand, items, again, alone)
    for batching in ("plan", "packed"):
        yield checked(f"sample: {batching}", same_answers, hand, items, again, run, batching)


def same_answers(
    hand: Hand,
    items: Sequence[Item],
    by_hand: Callable[[], dict[str, list[Drawn]]],
    draw: Callable[..., dict[str, list[Drawn]]],
    *how: str,
) -> tuple[float, float, str]:
    expected = by_hand()
    with ways() as made:
        found = draw(*how)
    way = told_ways(made)
    if {name: len(rows) for name, rows in found.items()} != dict.fromkeys(expected, SAMPLES):
        return float("inf"), SUM_BOUND, f"{way}: answers are lacking"
    error, other = 0.0, 0
    for name, rows in expected.items():
        for a, b in zip(rows, found[name], strict=True):
            other += (a.text, a.tokens) != (b.text, b.tokens)
            error = max(error, abs(a.logprob - b.logprob))
    if other or error > SUM_BOUND:
        refuse_batches(hand, items, expected)
    if other:
        return (
            float("inf"),
            SUM_BOUND,
            f"{way}: {other} of {SAMPLES * len(expected)} answers differ",
        )
    return error, SUM_BOUND, way


def refuse_batches(hand: Hand, items: Sequence[Item], expected: dict[str, list[Drawn]]) -> None:
    """Unsettled where plain generation cannot decode several answers to one prompt together."""
    for item in items:
        answers = [drawn.ids for drawn in expected[item.id]]
        rows = [[*ids, *[0] * (LENGTH - len(ids))] for ids in answers]
        plain = hand.decoded(hand.inputs([item]), rows, SAMPLES)
        own = furthest(plain, [hand.logits(item, ids[:-1]) for ids in answers])
        if own > BOUND:
            raise Unsettled(f"plain generation of {SAMPLES} answers is {own:.0e} off in the logits")
