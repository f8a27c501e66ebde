"""temperature_sweep over rows that the C++ core counts in cells before it sums."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from calib_kernels import available_backends, temperature_sweep, use_backend
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.agreement import compare_sweeps
from tests.gate.row_stats import row_labels
from tests.gate.truth import sweep_truth_of
from tests.kernels.cases import rows_of

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built here"
)
# Of no grid, of one, and two that are summed in double, logit by logit.
MANY = [*(0.3 * 1.05**k for k in range(40)), *(1 / (0.25 * k) for k in range(1, 9)), 1e-9, 1e12]
# Enough columns for rows to be counted at so many temperatures (worth_counting in sweep.cpp).
COLUMNS = {torch.bfloat16: 8001, torch.float16: 30001, torch.float32: 12001}


def every_value(dtype: torch.dtype) -> Tensor:
    """All 65,536 patterns of bits but NaN and +inf, in an order of their own."""
    x = torch.arange(1 << 16).to(torch.uint16).view(dtype)
    x = x[~x.isnan() & (x != math.inf)]
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(2))]


def check(x: Tensor, labels: Tensor, name: str, temperatures: Sequence[float] = MANY) -> None:
    with use_backend("native"):
        sweep = temperature_sweep(x, labels, temperatures, derivatives=2)
    truth = sweep_truth_of(x, labels, temperatures)
    assert not list(compare_sweeps(sweep, truth, temperatures, name))


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
    if dtype == torch.float32:
        return
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


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_rows_after_an_odd_one_start_from_nothing(dtype: torch.dtype) -> None:
    """A thread counts all its rows in the same tables, whatever one of them holds."""
    x = torch.randn(6, COLUMNS[dtype], generator=torch.Generator().manual_seed(5)).to(dtype)
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


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_the_order_of_logits_changes_no_bit(dtype: torch.dtype) -> None:
    """What is counted is the same in any order; sums in float would differ."""
    columns = COLUMNS[dtype]
    x = (torch.randn(3, columns, generator=torch.Generator().manual_seed(6)) * 3).to(dtype)
    # The first logits choose what cells lie about.
    order = torch.randperm(columns - 300, generator=torch.Generator().manual_seed(7)) + 300
    mixed = torch.cat((x[:, :300], x[:, order]), 1)
    labels = torch.tensor([5, 6, 7])
    with use_backend("native"):
        before, after = (temperature_sweep(v, labels, MANY[:48]) for v in (x, mixed))
    assert torch.equal(before.nll, after.nll)


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_long_runs(dtype: torch.dtype) -> None:
    """Equal terms all round one way, and their mean is far from the row's maximum."""
    multiples = [1 / (0.25 * k) for k in range(1, 9)]
    for scale, value in ((1.0, 0.1), (3.0, 0.1), (3.0, -0.37)):
        generator = torch.Generator().manual_seed(11)
        x = torch.randn(1, 12_001, generator=generator) * scale
        few = x.where(torch.rand(x.shape, generator=generator) > 0.98, value)
        late = torch.cat((x[:, :700], few[:, 700:]), 1)
        far = x.sort().values + 1e6 / 2**7
        for name, row in {"few": few, "late": late, "sorted": far}.items():
            for temperatures in (multiples, [0.7], MANY):
                check(row.to(dtype), torch.tensor([0]), f"{name} {scale} {value}", temperatures)


# What cells could get wrong.

IN_CELLS = [torch.float32, torch.float16]
COLD = [0.5, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0]
CELL = 1 / 64  # the width of a cell where the coldest temperature is 1/2


def scattered(*parts: Tensor) -> Tensor:
    """These logits and 40,000 normal ones below 0, in an order of their own."""
    generator = torch.Generator().manual_seed(8)
    rest = torch.randn(40_000, generator=generator) * 3 - 12
    x = torch.cat((*parts, rest))
    return x[torch.randperm(len(x), generator=generator)][None]


@pytest.mark.parametrize("dtype", IN_CELLS, ids=str)
@pytest.mark.parametrize("equal", [1, 2, 3, 4080, 4081, 4095, 4096, 8192, 8193])
def test_equal_logits_to_the_last_that_a_cell_counts_and_beyond(
    equal: int, dtype: torch.dtype
) -> None:
    for value in (4.0, 4.0 + CELL / 2, math.nextafter(4.0, 0.0), 3.9987):
        x = scattered(torch.full((equal,), value))
        x[0, 0] = 5.0  # what cells lie about, so that 4.0 stands at the end of one
        check(x.to(dtype), x.argmax(1), f"{equal} of {value}", COLD)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_two_values_at_the_ends_of_a_cell(share: float) -> None:
    """The third moment, which a cell does not keep, is the largest for a share of 0.21."""
    high = int(3000 * share)
    for shift in (0.0, CELL / 3):
        ends = torch.full((3000,), 6.0 + shift)
        ends[:high] += CELL * 0.999
        x = scattered(ends)
        check(x, x.argmax(1), f"{share} of {shift}", COLD)


@pytest.mark.parametrize("dtype", IN_CELLS, ids=str)
@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.01, 0.1, 0.5, 30.0, 300.0])
def test_narrow_and_wide_rows(width: float, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(1, 50_000, generator=generator) * width
    for offset in (0.0, 1000.0, -3e4):
        check((x + offset).to(dtype), x.argmax(1), f"{width} about {offset}", COLD)


@pytest.mark.parametrize("dtype", IN_CELLS, ids=str)
def test_logits_far_from_the_first_ones(dtype: torch.dtype) -> None:
    """Beyond the cells above, and below what weighs anything at some temperatures only."""
    x = scattered(torch.tensor([0.0]))
    for value in (90.0, 400.0, 600.0, 1e5, 3e38, -300.0, -3e38, -math.inf):
        far = x.clone()
        far[0, -3000 if value < 0 else -5 :] = value
        for label in (3, x.shape[1] - 2):
            for temperatures in (COLD, [*COLD, 40.0, 160.0]):
                name = f"{value}, label {label}"
                check(far.to(dtype), torch.tensor([label]), name, temperatures)


@pytest.mark.parametrize("dtype", IN_CELLS, ids=str)
def test_almost_certain_rows_keep_their_digits(dtype: torch.dtype) -> None:
    """What the others add to the largest logit's 1 is not rounded to its last place."""
    x = torch.randn(6, 40_000, generator=torch.Generator().manual_seed(12)) * 3
    labels = torch.tensor([0, 77, 1000, 20_000, 39_936, 39_999])
    x[range(6), labels] = torch.linspace(20, 45, 6)
    x = x.to(dtype)
    for row, label in zip(x, labels, strict=True):
        with use_backend("native"):
            found = temperature_sweep(row[None], label[None], COLD, derivatives=0).nll
        expected = sweep_truth_of(row[None], label[None], COLD).nll
        torch.testing.assert_close(found, expected, rtol=3e-6, atol=1e-15)


def test_cells_are_not_biased() -> None:
    """Errors average out, unless squares are not what they are taken for."""
    x = torch.randn(40, 50_000, generator=torch.Generator().manual_seed(10)) / 2
    labels = torch.arange(40)
    with use_backend("native"):
        sweep = temperature_sweep(x, labels, COLD, derivatives=2)
    truth = sweep_truth_of(x, labels, COLD)
    inverse = 1 / torch.tensor(COLD, dtype=torch.float64)
    for field, power, most in (("nll", 0, 2.5e-7), ("grad", 1, 2e-7), ("hess", 2, 4e-7)):
        error = (getattr(sweep, field) - getattr(truth, field)) * inverse**power / len(x)
        assert error.abs().max() < most, (field, error)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Tensor, Tensor, list[float]]:
    """A row (1, V) to count in cells, anywhere in memory, its label, and temperatures."""
    columns = draw(st.integers(12_000, 40_000))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1 << 30)))
    x = torch.randn(columns, generator=generator) * 10 ** draw(st.floats(-3, 2))
    kind = draw(st.sampled_from(["plain", "rounded", "skewed", "masked", "one", "sorted"]))
    if kind == "rounded":
        x = x.round(decimals=draw(st.integers(0, 2)))
    elif kind == "skewed":
        x = -torch.empty(columns).exponential_(draw(st.floats(0.05, 10)), generator=generator)
    elif kind == "masked":
        share = draw(st.floats(0, 1))
        value = draw(st.sampled_from([-math.inf, -1e9, -3e38, 0.0]))
        x[torch.rand(columns, generator=generator) < share] = value
    elif kind == "one":
        values = [1e3, 1e5, 3e38, math.inf, math.nan, -math.inf]
        x[draw(st.integers(0, columns - 1))] = draw(st.sampled_from(values))
    elif kind == "sorted":
        x = x.sort(descending=draw(st.booleans())).values
    x += draw(st.sampled_from([0.0, 5.5, -1000.0, 1e4, 1e6]))
    start = draw(st.integers(0, 3))
    memory = torch.full((columns + 8,), math.nan, dtype=draw(st.sampled_from(IN_CELLS)))
    memory[start : start + columns] = x
    coldest, widest = draw(st.floats(0.02, 1)), draw(st.sampled_from([4.0, 10.0, 100.0]))
    temperatures = [coldest * widest ** (k / 16) for k in range(16)]
    if draw(st.booleans()):
        temperatures = [coldest * 8 / k for k in range(1, 9)]
    label = draw(st.integers(0, columns - 1))
    return memory[None, start : start + columns], torch.tensor([label]), temperatures


@settings(max_examples=60, deadline=None, derandomize=True, print_blob=True)
@given(rows())
def test_fuzz(case: tuple[Tensor, Tensor, list[float]]) -> None:
    x, labels, temperatures = case
    check(x, labels, "fuzz", temperatures)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, print_blob=True)
@given(rows())
def test_fuzz_long(case: tuple[Tensor, Tensor, list[float]]) -> None:
    x, labels, temperatures = case
    check(x, labels, "fuzz", temperatures)
