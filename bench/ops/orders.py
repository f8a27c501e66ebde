"""A question in K orders of its options, end to end: what all orders share is read once.

Ours is ``calib score --orders 4``. The plain way reads each order's prompt whole; ``one order`` is
what scoring without orders costs. Prompts have 512 tokens, of which an order's own end, from the
first option on, is about 66. A case's rows are questions.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import Any

import torch

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close
from bench.ops import scoring
from calib.hf.model import Model
from calib.models.orders import planned
from calib.models.protocol import Scoring
from calib.records import Item

ORDERS = 4
TOKENS = 512
WORDS = 13  # of an option
MODES = ("SmolLM2-135M", "Qwen2.5-0.5B", "tiny")


class Words:
    """A tokenizer to which each word is a token, of a vocabulary of ``columns``."""

    chat_template = bos_token = None
    bos_token_id = eos_token_id = pad_token_id = 0

    def __init__(self, columns: int) -> None:
        self.columns, self.init_kwargs = columns, {"padding_side": "left"}

    def ids(self, text: str) -> list[int]:
        return [1 + zlib.crc32(word.encode()) % (self.columns - 1) for word in text.split()]

    def __call__(self, text: str | Sequence[str], **how: Any) -> dict[str, Any]:
        if isinstance(text, str):
            return {"input_ids": self.ids(text)}
        rows = [self.ids(one) for one in text]
        width = max(map(len, rows))
        padded = [[0] * (width - len(row)) + row for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        return {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(mask)}


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """The model with random weights, and questions of ``TOKENS`` words."""
    hf = scoring.model(case.mode, case.columns, case.dtype, device)
    draw = random.Random(int(torch.randint(2**31, (1,), generator=generator, device=device)))

    def text(words: int) -> str:
        return " ".join(f"w{draw.randrange(10**6)}" for _ in range(words))

    own = ORDERS * (WORDS + 1) + len(["Answer", "with", "the", "option's", "letter.", "Answer:"])
    items = [
        Item(
            f"q{i}",
            text(TOKENS - own),
            options=tuple(text(WORDS) for _ in range(ORDERS)),
            answer=i % ORDERS,
        )
        for i in range(case.rows)
    ]
    return Model(case.mode, hf, Words(case.columns), None), items


def asked(orders: int) -> Run:
    """Questions in so many orders; their rows."""

    def run(model: Model, items: Sequence[Item]) -> list[dict[str, Any]]:
        plan = planned(model, items, Scoring("letters", batch_size=10**6, orders=orders))
        return [row for batch in plan.run(range(len(plan.batches))) for row in batch.rows]

    return run


def ours(case: Case) -> Run:
    return asked(ORDERS)


def plain(case: Case, compiled: Compiler) -> Run:
    def run(model: Model, items: Sequence[Item]) -> list[dict[str, Any]]:
        # As where a trial has shown that the cache cannot be divided.
        other = Model(model.name, model.hf, model.tokenizer, None)
        other.reader.learned.update({**model.reader.learned, ("orders", False, False): False})
        return asked(ORDERS)(other, items)

    return run


def one_order(case: Case) -> Run:
    return asked(1)


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    for mine, other in zip(found, expected, strict=True):
        close(mine["prob"], other["prob"], atol=1e-4 if case.dtype == torch.float32 else 2e-2)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    modes=MODES,
    compiles=False,  # texts go in
    copies=1,
    rivals={"one order": Rival(one_order, checked=False)},
    waits=True,
)
