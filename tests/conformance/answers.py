"""Checks of sampled answers: their tokens, their log-probabilities, and the way they were decoded.

A token that calib draws is a function of (seed, item, sample, step) and of the logits, so an answer
is drawn again from the logits by hand, token by token, and must come out the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from calib_kernels import sample

import calib
from calib import Item
from calib.hf.model import Model
from calib.tasks import Task
from tests.conformance.hand import Hand, Tokens
from tests.conformance.records import BOUND, Check, Unsettled, checked, told
from tests.conformance.sampling import LENGTH, SAMPLES, SEED, furthest, told_ways, ways

# A sum of up to LENGTH log-probabilities.
SUM_BOUND = 2 * BOUND
# Where logits that are so little off, as other sums round, draw another token, either is right.
TIES, OFF = 64, 3e-5


@dataclass(frozen=True)
class Drawn:
    """An answer; ``ids`` are known of one that is drawn by hand."""

    text: str
    tokens: int
    logprob: float
    ids: Tokens = ()


Answers = dict[str, list[Drawn]]  # by item, one for each sample


def answer_checks(
    model: Model, hand: Hand, items: Sequence[Item], ends: list[int], folder: Path
) -> Iterator[Check]:
    """`Model.sample` and `calib.sample`, planned and packed: answers that end early."""
    model.hf.generation_config.eos_token_id = ends
    settings: dict[str, Any] = {"seed": SEED, "max_new_tokens": LENGTH}

    def alone() -> Answers:
        rows = model.sample(items, n=SAMPLES, prompt="options", **settings)
        return {
            item.id: [Drawn(a.text, a.tokens, float(a.logprob or 0.0)) for a in answers]
            for item, answers in zip(items, rows, strict=True)
        }

    def run(batching: str) -> Answers:
        task = Task("items", tuple(items))
        made = calib.sample(
            model, task, out=folder / batching, batching=batching, samples=SAMPLES,
            rows=2 * SAMPLES, **settings,
        )  # fmt: skip
        answers: Answers = {}
        for row in made.answers().to_dict("records"):
            one = Drawn(row["text"], int(row["tokens"]), float(row["logprob"]))
            answers.setdefault(row["id"], []).append(one)
        return answers

    by_hand = ByHand(hand, items, ends)
    yield checked("sample: Model.sample", same_answers, by_hand, alone)
    for batching in ("plan", "packed"):
        yield checked(f"sample: {batching}", same_answers, by_hand, run, batching)


class ByHand:
    """The answers by hand, once they are asked for."""

    def __init__(self, hand: Hand, items: Sequence[Item], ends: Sequence[int]) -> None:
        self.hand, self.items, self.ends = hand, items, set(ends)
        self.drawn: dict[str, list[list[Drawn]]] = {}

    def answers(self) -> dict[str, list[list[Drawn]]]:
        """By item, for each sample the answers that are right: one, but for ties."""
        for item in self.items:
            if item.id not in self.drawn:
                self.drawn[item.id] = [self.draw(item, number) for number in range(SAMPLES)]
        return self.drawn

    def draw(self, item: Item, number: int) -> list[Drawn]:
        inputs = self.hand.inputs([item])
        answers = []
        for ids, logprob in self.drawn_behind(inputs, address(item), number, (), 0.0):
            self.hand.logits(item, ids[:-1])  # raises where the answer is not settled
            text = str(self.hand.tokenizer.decode(list(ids), skip_special_tokens=True))
            answers.append(Drawn(text.strip(), len(ids), logprob, ids))
        return answers

    def drawn_behind(
        self, inputs: dict[str, Any], item: int, number: int, tokens: Tokens, total: float
    ) -> Iterator[tuple[Tokens, float]]:
        """(tokens, their log-probability) of answers that begin with ``tokens``."""
        if len(tokens) == LENGTH or self.ends & set(tokens):
            yield tokens, total
            return
        try:
            logits = self.hand.whole(inputs, tokens)[-1:]
        except Exception as error:
            raise Unsettled(f"the forward by hand: {told(error)}") from error
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand((TIES, logits.shape[1]), generator=generator) - 0.5
        near = torch.cat([logits, logits + 2 * OFF * noise])  # (1 + TIES, V)
        drawn = sample(
            near, seed=SEED, item=torch.full((len(near),), item),
            sample=torch.full((len(near),), number), step=len(tokens),
        )  # fmt: skip
        logprob = logits[0].double().log_softmax(-1)
        for token in dict.fromkeys(drawn.token.tolist()):
            more = total + float(logprob[token])
            yield from self.drawn_behind(inputs, item, number, (*tokens, token), more)

    def refuse_batches(self) -> None:
        """Unsettled where plain generation cannot decode several answers to one prompt together."""
        for item in self.items:
            answers = [ties[0].ids for ties in self.answers()[item.id]]
            rows = [[*ids, *[0] * (LENGTH - len(ids))] for ids in answers]
            plain = self.hand.decoded(self.hand.inputs([item]), rows, SAMPLES)
            own = furthest(plain, [self.hand.logits(item, ids[:-1]) for ids in answers])
            if own > BOUND:
                raise Unsettled(
                    f"plain generation of {SAMPLES} answers is {own:.0e} off in the logits"
                )


def address(item: Item) -> int:
    """The number that addresses an item's draws: 63 bits of its id."""
    return int.from_bytes(hashlib.blake2b(item.id.encode(), digest_size=8).digest()) >> 1


def same_answers(
    by_hand: ByHand, draw: Callable[..., Answers], *how: str
) -> tuple[float, float, str]:
    expected = by_hand.answers()
    with ways() as made:
        answers = draw(*how)
    way = told_ways(made)
    if {name: len(rows) for name, rows in answers.items()} != dict.fromkeys(expected, SAMPLES):
        return float("inf"), SUM_BOUND, f"{way}: answers are lacking"
    error, other = 0.0, 0
    for name, samples in expected.items():
        for ties, one in zip(samples, answers[name], strict=True):
            same = [t for t in ties if (t.text, t.tokens) == (one.text, one.tokens)]
            other += not same
            error = max(error, *(abs(t.logprob - one.logprob) for t in same), 0.0)
    if other or error > SUM_BOUND:
        by_hand.refuse_batches()
    if other:
        all_of_them = SAMPLES * len(expected)
        return float("inf"), SUM_BOUND, f"{way}: {other} of {all_of_them} answers differ"
    return error, SUM_BOUND, way
