"""What holds for every op that reads rows of logits, asked of all of them in one way.

``CALLS`` gives each op (N, V) logits and labels, and takes what comes back apart into tensors, one
row of each for one row of logits. Ops whose tests ask the same more closely are asked again here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    cross_entropy,
    linear_cross_entropy,
    linear_option_scores,
    linear_sample,
    option_scores,
    row_stats,
    sample,
    temperature_sweep,
)
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.gate.row_stats import laid_out
from tests.kernels.cases import DTYPES, rows_of

Call = Callable[..., list[Tensor]]


def tensors(found: Any) -> list[Tensor]:
    return [field for field in found if isinstance(field, Tensor)]


def loss(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    """With the gradient."""
    x = x.detach().requires_grad_()
    found = cross_entropy(x, labels, reduction="none", **options)
    found.backward(torch.ones_like(found))
    assert x.grad is not None
    return [found.detach(), x.grad[:, : options.get("vocab_size")]]


def sweep(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    """Each row alone, since a sweep's results are sums over rows."""
    rows = [slice(i, i + 1) for i in range(len(x))]
    found = [
        temperature_sweep(x[r], labels[r], [2.0, 1.0, 0.7], derivatives=2, bins=5, **options)
        for r in rows
    ]
    sums = [torch.stack([h.state_dict()["sums"] for h in f.histograms or ()]) for f in found]
    fields = [[f.nll for f in found], [f.grad for f in found], [f.hess for f in found], sums]
    return [torch.stack([f for f in field if f is not None]) for field in fields]


def draws(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    """Of which the labels are the numbers."""
    places = labels.long().remainder(2**20)[:, None] + torch.arange(3)
    found = sample(x, seed=4, item=7, sample=places, step=2, top_p=0.9, **options)
    return tensors(found)


def scores(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    return tensors(option_scores(x, torch.arange(min(4, x.shape[1])), labels, **options))


def head_loss(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    """The rows are those of the hidden states; of a weight of units they are the logits, too."""
    unit = torch.eye(x.shape[1], dtype=x.dtype)
    return [linear_cross_entropy(x, unit, labels, reduction="none", **options)]


def head_scores(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    unit, ids = torch.eye(x.shape[1], dtype=x.dtype), torch.arange(min(4, x.shape[1]))
    return tensors(linear_option_scores(x, unit, ids, labels, **options))


def head_draws(x: Tensor, labels: Tensor, **options: Any) -> list[Tensor]:
    places = labels.long().remainder(2**20)[:, None] + torch.arange(3)
    unit = torch.eye(x.shape[1], dtype=x.dtype)
    return tensors(linear_sample(x, unit, seed=4, item=7, sample=places, step=2, **options))


CALLS: dict[str, Call] = {
    "option_scores": scores,
    "row_stats": lambda x, labels, **options: tensors(row_stats(x, labels, **options)),
    "cross_entropy": loss,
    "temperature_sweep": sweep,
    "sample": draws,
    "linear_cross_entropy": head_loss,
    "linear_option_scores": head_scores,
    "linear_sample": head_draws,
}
# A row of a GEMM may be summed in another order where it lies otherwise; with a weight of units
# there is nothing to sum, but NaN and infinities meet zeros.
READERS = ["option_scores", "row_stats", "cross_entropy", "temperature_sweep", "sample"]


def example(dtype: torch.dtype = torch.float32, columns: int = 300) -> tuple[Tensor, Tensor]:
    """Rows made to break kernels, labels of every kind."""
    names, x = rows_of(columns, dtype)
    labels = torch.arange(len(names)) * 11 % columns
    labels[3::7], labels[5::11], labels[9::13] = -100, columns, -1
    return x, labels


def plain(dtype: torch.dtype = torch.float32, columns: int = 33) -> tuple[Tensor, Tensor]:
    """Rows of finite logits, exact in every dtype."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(-20, 21, (7, columns), generator=generator) / 4
    return x.to(dtype), torch.randint(0, columns, (7,), generator=generator)


def given(op: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Four options are the first four columns."""
    x, labels = example(dtype) if op in READERS else plain(dtype)
    return x, labels.where(labels < 0, labels % 5) if "option" in op else labels


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("op", CALLS)
def test_any_layout_gives_the_same_bits(backend: str, op: str, dtype: torch.dtype) -> None:
    """R9, R10, R29: odd strides and offsets, columns apart, one row for all, columns of padding."""
    if backend == "reference" and dtype != torch.float32:
        pytest.skip("PyTorch reads the dtypes there")
    x, labels = given(op, dtype)
    columns = x.shape[1]
    whole = CALLS[op](x, labels)
    for stride, offset in ((columns, 1), (columns + 1, 3), (columns + 7, 7)):
        same_bits(CALLS[op](laid_out(x, stride, offset, "cpu"), labels), whole)
    same_bits(CALLS[op](x.T.contiguous().T, labels), whole)
    one = CALLS[op](x[:1].clone().expand(3, -1), labels[:3])
    same_bits(one, CALLS[op](x[:1].repeat(3, 1), labels[:3]))
    if op in READERS:
        padded = torch.cat((x, torch.full((len(x), 13), 50.0, dtype=dtype)), 1)
        padded[:, -1] = torch.nan
        found = CALLS[op](padded, labels, vocab_size=columns)
        same_bits([f[:, :columns] if f.shape == padded.shape else f for f in found], whole)


@pytest.mark.parametrize("op", CALLS)
def test_labels_of_both_widths_at_any_address(backend: str, op: str) -> None:
    """R11, R12, R13: also one element past an aligned address; a positive ignore_index."""
    x, labels = given(op)
    whole = CALLS[op](x, labels)
    for dtype in (torch.int32, torch.int64):
        shifted = torch.cat((labels[:1], labels)).to(dtype)[1:]
        assert shifted.data_ptr() % 16
        same_bits(CALLS[op](x, shifted), whole)
    if op not in ("sample", "linear_sample"):  # which have none
        labels = labels.where(labels != 2, 3)
        same_bits(
            CALLS[op](x, labels.where(labels != -100, 2), ignore_index=2), CALLS[op](x, labels)
        )


@pytest.mark.parametrize("op", CALLS)
def test_a_row_alone_and_again(backend: str, op: str) -> None:
    """R20, R21: the bits of a row, wherever it stands, and each time."""
    x, labels = given(op)
    whole = CALLS[op](x, labels)
    same_bits(CALLS[op](x, labels), whole)
    for i in range(0, len(x), 3):
        alone = CALLS[op](x[i : i + 1], labels[i : i + 1])
        same_bits(alone, [field[i : i + 1] for field in whole])
    order = torch.arange(len(x)).flip(0)
    same_bits(CALLS[op](x[order], labels[order]), [field[order] for field in whole])


@pytest.mark.parametrize("op", CALLS)
def test_no_rows(backend: str, op: str) -> None:
    """R32."""
    x, labels = torch.empty(0, 33), torch.empty(0, dtype=torch.int64)
    if op == "temperature_sweep":
        found = temperature_sweep(x, labels, [1.0, 2.0], derivatives=2)
        assert found.count == 0 and not any(f.any() for f in (found.nll, found.grad, found.hess))
    else:
        assert all(len(field) == 0 for field in CALLS[op](x, labels))


@pytest.mark.parametrize("op", CALLS)
def test_the_first_of_equal_maxima(backend: str, op: str) -> None:
    """R22: across lanes and blocks; what is right of it moves neither result nor bin."""
    columns = 40 if op.startswith("linear") else 9000
    x = torch.zeros(3, columns)
    ties = ((5, columns - 1), (0, 39), (17, 18))
    for row, places in zip(x, ties, strict=True):
        row[list(places)] = 9.0
    firsts = torch.tensor([places[0] for places in ties])
    if op == "sample":
        found = sample(x, seed=1, item=0, sample=firsts, step=0, greedy=True).token
    elif op == "linear_sample":
        unit = torch.eye(columns)
        found = linear_sample(x, unit, seed=1, item=0, sample=firsts, step=0, greedy=True).token
    elif op == "temperature_sweep":
        swept = temperature_sweep(x, firsts, [1.0], bins=1)
        assert swept.histograms is not None and int(swept.histograms[0].correct) == 3
        return
    elif op == "linear_option_scores":
        found = linear_option_scores(x, torch.eye(columns), torch.arange(2)).token
    elif op == "option_scores":
        found = option_scores(x, torch.arange(2)).token
    elif op == "row_stats":
        found = row_stats(x).prediction
    else:
        histogram = CalibrationHistogram(1)
        CALLS[op](x, firsts, histogram=histogram)
        assert int(histogram.correct) == 3
        return
    assert found is not None and torch.equal(found, firsts)
