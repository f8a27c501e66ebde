"""Several conversations about one picture as one row: the picture is read once.

A row is ``prefix, branch 1, branch 2, ...``. A mask lets each branch see the prefix and itself,
and each branch's positions start where the prefix ends, so every branch gets the logits it would
get alone (``tests/test_training.py`` holds this to 1e-4).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Branch:
    """A question and the reply to learn, as token ids."""

    question: list[int]
    reply: list[int]


@dataclass(frozen=True)
class Packed:
    """A batch of packed rows: R rows of L tokens, A reply tokens in all."""

    input_ids: Tensor  # (R, L) int64
    position_ids: Tensor  # (R, L) int64
    attention_mask: Tensor  # (R, 1, L, L) bool, True where a query may look
    read: Tensor  # (A,) flat positions whose hidden state predicts a reply token
    target: Tensor  # (A,) those tokens
    weight: Tensor  # (A,) one over the reply's length: every reply counts once


def pack(rows: list[tuple[list[int], list[Branch]]], pad: int) -> Packed:
    """Pack (prefix ids, branches) rows, padded on the right with ``pad``."""
    length = max(len(p) + sum(len(b.question) + len(b.reply) for b in bs) for p, bs in rows)
    ids = torch.full((len(rows), length), pad)
    positions = torch.zeros(len(rows), length, dtype=torch.long)
    owner = torch.full((len(rows), length), -1)  # 0 prefix, 1.. branches, -1 padding
    read, target, weight = [], [], []
    for r, (prefix, branches) in enumerate(rows):
        tokens, places, owners = list(prefix), list(range(len(prefix))), [0] * len(prefix)
        for number, branch in enumerate(branches, start=1):
            text = branch.question + branch.reply
            first = len(tokens) + len(branch.question)
            for offset, token in enumerate(branch.reply):
                read.append(r * length + first + offset - 1)
                target.append(token)
                weight.append(1 / len(branch.reply))
            tokens += text
            places += range(len(prefix), len(prefix) + len(text))
            owners += [number] * len(text)
        ids[r, : len(tokens)] = torch.tensor(tokens)
        positions[r, : len(tokens)] = torch.tensor(places)
        owner[r, : len(tokens)] = torch.tensor(owners)
    same = owner[:, :, None] == owner[:, None, :]
    allowed = (same | (owner[:, None, :] == 0)).tril()
    return Packed(
        ids,
        positions,
        allowed[:, None],
        torch.tensor(read),
        torch.tensor(target),
        torch.tensor(weight),
    )
