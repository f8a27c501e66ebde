"""Run as a process of its own: what one loss with gradients holds at its peak, in MiB.

    linear_peak.py ours|plain DTYPE N V H

Prints the most resident memory during forward and backward, less that before it, which holds the
inputs, and less the gradients that it returns.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from calib_kernels import linear_cross_entropy
from torch import Tensor
from torch.nn import functional

MEMORY = 2**28


def resident(field: str) -> int:
    """VmRSS, or VmHWM: the most since ``forget``. In bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def forget() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def plain(hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor) -> Tensor:
    return functional.cross_entropy(functional.linear(hidden, weight, bias), labels)


def ours(hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor) -> Tensor:
    return linear_cross_entropy(hidden, weight, labels, bias=bias, memory=MEMORY)


def inputs(n: int, columns: int, hidden: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(n, hidden, generator=generator).to(dtype)
    w = torch.empty(columns, hidden, dtype=dtype)
    w.uniform_(-0.05, 0.05, generator=generator)
    labels = torch.arange(n) * 7 % columns
    labels[::5] = -100
    b = torch.zeros(columns, dtype=dtype)
    return h.requires_grad_(), w.requires_grad_(), labels, b.requires_grad_()


def main(which: str, dtype: str, *sizes: str) -> None:
    loss = {"ours": ours, "plain": plain}[which]
    n, columns, hidden = map(int, sizes)
    loss(*inputs(2, 64, hidden, getattr(torch, dtype))).backward()  # what is loaded at first use
    given = inputs(n, columns, hidden, getattr(torch, dtype))
    forget()
    before = resident("VmRSS")
    loss(*given).backward()
    returned = sum(x.grad.nbytes for x in given if x.grad is not None)
    print((resident("VmHWM") - before - returned) / 2**20)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
