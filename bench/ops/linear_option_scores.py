"""``linear_option_scores``: option scores from hidden states, without the whole logits."""

from __future__ import annotations

from typing import Any

import calib_kernels
import torch
import torch.nn.functional as F
from calib_kernels import option_scores
from torch import Tensor

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close
from bench.ops.linear_cross_entropy import head
from bench.ops.option_scores import OPTIONS, option_ids, plain_scores, result_bytes


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Hidden states (N, H), weight (V, H), option ids (O,) and labels (N,)."""
    hidden, weight = head(case, device, generator)
    labels = torch.randint(OPTIONS, (case.rows,), generator=generator, device=device)
    return hidden, weight, option_ids(case.columns, device), labels


def ours(case: Case) -> Run:
    return lambda *given: calib_kernels.linear_option_scores(*given)


def plain(case: Case, compiled: Compiler) -> Run:
    return compiled(
        lambda hidden, weight, ids, labels: plain_scores(F.linear(hidden, weight), ids, labels)
    )


def whole_logits(case: Case) -> Run:
    """The whole logits, then our ``option_scores``."""

    def run(hidden: Tensor, weight: Tensor, ids: Tensor, labels: Tensor) -> Any:
        return option_scores(F.linear(hidden, weight), ids, labels)

    return run


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    """Options' probabilities; logits in another dtype are rounded to another value."""
    for field in (1, 3):
        close(found[field], expected[field], atol=1e-3 if case.dtype == torch.float32 else 5e-2)


def moved_bytes(case: Case) -> int:
    values = (case.rows + case.columns) * case.hidden
    return values * case.dtype.itemsize + case.rows * 8 + result_bytes(case.rows)


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
