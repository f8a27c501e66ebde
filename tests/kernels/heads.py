"""Heads whose logits are exact, and what float64 says of their losses and gradients.

``head`` makes hidden states and weights whose products are exact in every dtype, bfloat16's eight
digits included, so that logits carry no rounding and the contract's own tolerances hold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from calib_kernels import reference, tiles
from torch import Tensor

# One of each; one row; a row more than a chunk of ``few_at_once`` holds; odd; H of one; no tile
# and no chunk divides anything.
SIZES = [(1, 1, 1), (1, 16, 101), (5, 16, 101), (6, 1, 64), (23, 13, 257)]


class Head(NamedTuple):
    hidden: Tensor  # (N, H)
    weight: Tensor  # (V, H)
    bias: Tensor  # (V,)
    labels: Tensor  # (N,)

    def to(self, dtype: torch.dtype) -> Head:
        return Head(*(f.to(dtype) for f in self[:3]), self.labels)

    def leaves(self) -> Head:
        return Head(*(f.detach().clone().requires_grad_() for f in self[:3]), self.labels)


def head(n: int = 17, hidden: int = 16, columns: int = 101, dtype: Any = torch.float32) -> Head:
    """Logits are multiples of 1/4 below 32; some rows are confident, and right."""
    g = torch.Generator().manual_seed(n + columns)
    h = torch.randint(-2, 3, (n, hidden), generator=g)
    w = torch.randint(-2, 3, (columns, hidden), generator=g) / 4
    b = torch.randint(-3, 4, (columns,), generator=g) / 4
    labels = torch.randint(0, columns, (n,), generator=g)
    likely = (h.float() @ w.T + b).argmax(1)
    return Head(h, w, b, torch.where(torch.arange(n) % 2 == 0, likely, labels)).to(dtype)


def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows of 101 logits, none stored; tiles of a few columns and rows; sums in groups."""
    for name in ("cpu", "cpu, bfloat16"):
        monkeypatch.setitem(tiles.FORMED_BYTES, name, 4 * 128 * 4 + 3)
    monkeypatch.setattr(tiles, "STORED_BYTES", 0)
    few = tiles.Budget(*[4 * 101 * 4 + 3] * 2, weight=9 * 16 * 4, hidden=6 * 16 * 4)
    monkeypatch.setitem(tiles.BUDGETS, "cpu", few)


def truth(given: Head, t: float | Tensor = 1.0, ignore_index: int = -100) -> Tensor:
    wide = given.to(torch.float64)
    t = t.double() if isinstance(t, Tensor) else t
    return reference.linear_cross_entropy(
        wide.hidden, wide.weight, wide.labels, wide.bias, t, ignore_index, 0
    )[0]


def true_gradients(
    given: Head, sent: Tensor, t: float | Tensor = 1.0, ignore_index: int = -100
) -> tuple[Tensor, ...]:
    wide = given.to(torch.float64)
    t = t.double() if isinstance(t, Tensor) else t
    return reference.linear_cross_entropy_backward(
        wide.hidden, wide.weight, wide.labels, wide.bias, t, ignore_index, sent.double()
    )


def near(found: Tensor, wanted: Tensor) -> None:
    """The contract's tolerance of a log-probability."""
    torch.testing.assert_close(found.double(), wanted, rtol=4e-7, atol=2e-6, equal_nan=True)


def gradients_near(found: Head, given: Head, sent: Tensor, t: float | Tensor = 1.0) -> None:
    """Within what the roundings that cannot be helped may cost.

    float32: sums of float32 products. bfloat16: the gradient of the logits is rounded once before
    it is multiplied, a CPU's GEMM rounds the part of a tile, and the result is rounded: each half a
    unit of what is rounded. float16: the result alone; its operands are widened.
    """
    dtype = given.hidden.dtype
    wide = given.to(torch.float64)
    x = wide.hidden @ wide.weight.T + wide.bias
    own = t.double()[:, None] if isinstance(t, Tensor) else t
    size = ((x / own).softmax(1) + torch.nn.functional.one_hot(given.labels, x.shape[1])) / own
    size = size * sent.double().abs()[:, None]
    sizes = (size @ wide.weight.abs(), size.T @ wide.hidden.abs(), size.sum(0))
    half = torch.finfo(dtype).eps / 2
    for leaf, wanted, of in zip(found[:3], true_gradients(given, sent, t), sizes, strict=False):
        assert leaf.grad is not None and leaf.grad.dtype == dtype
        error = (leaf.grad.double() - wanted).abs()
        bound = 3e-6 * of + 1e-7
        if dtype != torch.float32:
            bound = bound + half * wanted.abs() + 2.0**-25
        if dtype == torch.bfloat16:
            bound = bound + 2 * half * of
        assert (error <= bound).all(), (error / bound).max()
