"""``temperature_sweep``: the loss at K temperatures, with both derivatives in 1 / T."""

from __future__ import annotations

from typing import Any

import calib_kernels
import torch
from calib_kernels import row_stats
from torch import Tensor

from bench.cases import (
    Case,
    Compiler,
    Given,
    Op,
    Rival,
    Run,
    close,
    normal_logits,
    random_labels,
)

# Inverse temperatures and how many derivatives. A grid is b, 2b, 3b, ...
MODES: dict[str, tuple[tuple[float, ...], int]] = {
    "8 on a grid": (tuple(0.25 * k for k in range(1, 9)), 2),
    "8 arbitrary": ((0.27, 0.51, 0.74, 1.02, 1.23, 1.52, 1.74, 2.03), 2),
    "4 on a grid": (tuple(0.5 * k for k in range(1, 5)), 2),
    "4 on a grid, values": (tuple(0.5 * k for k in range(1, 5)), 0),
    "1, values": ((1.0,), 0),
}


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V) and labels (N,)."""
    logits = normal_logits(case, device, generator)
    return logits, random_labels(case, device, generator)


def ours(case: Case) -> Run:
    inverse, derivatives = MODES[case.mode]
    # On the host, where a grid is recognised.
    temperatures = torch.tensor([1 / b for b in inverse], dtype=torch.float64)
    return lambda logits, labels: calib_kernels.temperature_sweep(
        logits, labels, temperatures, derivatives=derivatives
    )


def plain_sweep(
    logits: Tensor, labels: Tensor, inverse: tuple[float, ...], derivatives: int
) -> tuple[Tensor, ...]:
    """(K,) sums over the rows: nll, first and second derivative in b = 1 / T."""
    x = logits.float()
    x_label = x.gather(1, labels[:, None])[:, 0]
    nll, grad, hess = [], [], []
    for b in inverse:
        logp = torch.log_softmax(x * b, 1)
        nll.append(-logp.gather(1, labels[:, None]).sum())
        if derivatives:
            p = logp.exp()
            mean = (p * x).sum(1)
            grad.append((mean - x_label).sum())
            hess.append((p * (x - mean[:, None]).square()).sum())
    return tuple(torch.stack(sums) for sums in (nll, grad, hess) if sums)


def plain(case: Case, compiled: Compiler) -> Run:
    inverse, derivatives = MODES[case.mode]
    return compiled(lambda logits, labels: plain_sweep(logits, labels, inverse, derivatives))


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    for k in range(3 if MODES[case.mode][1] else 1):
        close(found[k], expected[k], rtol=1e-3, atol=1e-3 * case.rows)


def moved_bytes(case: Case) -> int:
    return case.logit_bytes + case.rows * 8


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    modes=tuple(MODES),
    rivals={"one row_stats": Rival(lambda case: row_stats, checked=False)},
)
