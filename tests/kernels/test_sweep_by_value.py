"""temperature_sweep over rows of sixteen bits that the C++ core counts by value before it sums."""

from __future__ import annotations

import math

import pytest
import torch
from calib_kernels import available_backends, temperature_sweep, use_backend
from torch import Tensor

from bench.gate import compare_sweeps, row_labels, sweep_truth_of
from tests.kernels.test_contract import rows_of

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
# Of no grid, of one, and two that are summed in double, logit by logit.
MANY = [*(0.3 * 1.05**k for k in range(40)), *(1 / (0.25 * k) for k in range(1, 9)), 1e-9, 1e12]
# Enough columns for rows to be counted at so many temperatures (worth_counting in sweep.cpp).
COLUMNS = {torch.bfloat16: 8001, torch.float16: 30001}


def every_value(dtype: torch.dtype) -> Tensor:
    """All 65,536 patterns of bits but NaN and +inf, in an order of their own."""
    x = torch.arange(1 << 16).to(torch.uint16).view(dtype)
    x = x[~x.isnan() & (x != math.inf)]
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(2))]


def check(x: Tensor, labels: Tensor, name: str) -> None:
    with use_backend("native"):
        sweep = temperature_sweep(x, labels, MANY, derivatives=2)
    assert not list(compare_sweeps(sweep, sweep_truth_of(x, labels, MANY), MANY, name))


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_hard_rows(dtype: torch.dtype) -> None:
    """R1-R6, R9, R17, R37."""
    names, x = rows_of(COLUMNS[dtype], dtype)
    labels = row_labels(*x.shape)
    for i, name in enumerate(names):
        check(x[i : i + 1], labels[i : i + 1], name)


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_rows_of_few_values_and_of_all(dtype: torch.dtype) -> None:
    columns = COLUMNS[dtype]
    rare = torch.full((1, columns), -math.inf, dtype=dtype)
    rare[0, 7::1000] = torch.linspace(-3, 4, len(rare[0, 7::1000])).to(dtype)
    signs = torch.zeros(1, columns, dtype=dtype)
    signs[0, ::2] = -0.0
    below = -torch.rand(1, columns, generator=torch.Generator().manual_seed(3)).to(dtype) - 5
    rows = {"one value": torch.full_like(signs, 2.5), "rare": rare, "zeros": signs, "below": below}
    for name, x in rows.items():
        for label in (0, 7, columns - 1):
            check(x, torch.tensor([label]), f"{name}, label {label}")
    whole = every_value(dtype)[None]
    check(whole, torch.tensor([11]), "every value")
    moderate = whole[whole.abs() < 30][None]
    check(moderate, torch.tensor([11]), "every moderate value")


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_the_first_of_equal_maxima_is_predicted(dtype: torch.dtype) -> None:
    x = torch.randn(4, COLUMNS[dtype], generator=torch.Generator().manual_seed(4)).to(dtype)
    x[:, 6000] = x[:, 6500] = 9.0
    x[1, 10], x[2, 7000] = 9.0, 9.5
    labels = torch.tensor([6000, 6000, 7000, 6500])
    with use_backend("native"):
        sweep = temperature_sweep(x, labels, MANY, bins=10)
    assert sweep.histograms is not None
    assert all(h.correct.sum() == 2 for h in sweep.histograms)


def test_rows_after_an_odd_one_start_from_nothing() -> None:
    """A thread counts all its rows in the same tables, whatever one of them holds."""
    x = torch.randn(6, 8001, generator=torch.Generator().manual_seed(5)).bfloat16()
    odd = x.clone()
    odd[0, 5], odd[2, 9], odd[3, 1], odd[3, 2] = math.nan, math.inf, math.inf, math.inf
    odd[4] = -math.inf
    labels = torch.arange(6)
    with use_backend("native"):
        last = temperature_sweep(odd, labels, MANY, derivatives=2)
        kept = temperature_sweep(odd[[1, 2, 5]], labels[[1, 2, 5]], MANY, derivatives=2)
    assert last.count == kept.count == 3
    for a, b in zip(last[:3], kept[:3], strict=True):
        assert torch.equal(a, b)
