"""``linear_sample``: a token of every row of hidden states, without the whole logits."""

from __future__ import annotations

from typing import Any

import calib_kernels
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close
from bench.ops.linear_cross_entropy import head

RESULT_BYTES = 20  # of a row: token, log-probability, entropy


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Hidden states (N, H), weight (V, H), the rows' items (N,) and sample numbers (N,)."""
    items = torch.arange(case.rows, device=device)
    return *head(case, device, generator), items, torch.zeros_like(items)


def ours(case: Case) -> Run:
    def run(hidden: Tensor, weight: Tensor, items: Tensor, number: Tensor) -> Any:
        drawn = calib_kernels.linear_sample(
            hidden, weight, seed=1, item=items, sample=number, step=0
        )
        return drawn.token, drawn.logprob, drawn.entropy

    return run


def plain(case: Case, compiled: Compiler) -> Run:
    def run(hidden: Tensor, weight: Tensor, items: Tensor, number: Tensor) -> Any:
        logp = torch.log_softmax(F.linear(hidden, weight), 1, dtype=torch.float32)
        p = logp.exp()
        token = torch.multinomial(p, 1)
        return token[:, 0], logp.gather(1, token)[:, 0], -(p * logp).sum(1)

    return compiled(run)


def whole_logits(case: Case) -> Run:
    """The whole logits, then our ``sample``."""

    def run(hidden: Tensor, weight: Tensor, items: Tensor, number: Tensor) -> Any:
        drawn = calib_kernels.sample(
            F.linear(hidden, weight), seed=1, item=items, sample=number, step=0
        )
        return drawn.token, drawn.logprob, drawn.entropy

    return run


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """Draws differ from PyTorch's; the log-probability of each and the entropies do not."""
    token = found[0].long()
    assert bool(((token >= 0) & (token < case.columns)).all()), "a token is out of range"
    logp = torch.log_softmax(F.linear(*given[:2]), 1, dtype=torch.float32)
    exact = case.dtype == torch.float32
    close(found[1], logp.gather(1, token[:, None])[:, 0], atol=1e-3 if exact else 5e-2)
    close(found[2], expected[2], atol=1e-3 if exact else 5e-2)


def moved_bytes(case: Case) -> int:
    values = (case.rows + case.columns) * case.hidden
    return values * case.dtype.itemsize + case.rows * (16 + RESULT_BYTES)


def flops(case: Case) -> int:
    return 2 * case.rows * case.columns * case.hidden


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    flops=flops,
    rivals={"whole logits": Rival(whole_logits)},
)
