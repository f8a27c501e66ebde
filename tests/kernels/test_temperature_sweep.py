"""temperature_sweep: the contract on every backend that can run here, against float64.

A sum over one row is that row, so rows are compared one by one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from calib_kernels import option_scores, row_stats, temperature_sweep, use_backend
from calib_kernels.histogram import CalibrationHistogram
from torch import Tensor

from tests.gate.agreement import compare_sweeps, same_bits
from tests.gate.row_stats import hard_rows, option_sets, row_labels
from tests.gate.truth import sweep_truth_of
from tests.golden import golden_sets
from tests.kernels.cases import DTYPES, permuted_spellings, rows_of

GRID = [1 / (0.25 * k) for k in range(1, 9)]
OTHERS = [0.4, 0.55, 0.7, 0.93, 1.1, 1.37, 2.2, 3.1]
EXTREME = [1e-3, 1e3, 1.0, 1e-9, 1e12]


def disagreements(
    x: Tensor, labels: Tensor, temperatures: Any, names: list[str], ids: Tensor | None = None
) -> list[str]:
    found = []
    for i, name in enumerate(names):
        own = ids if ids is None or ids.shape[0] == 1 else ids[i : i + 1]
        given = (x[i : i + 1], labels[i : i + 1], temperatures)
        sweep = temperature_sweep(*given, option_ids=own, derivatives=2)
        found += compare_sweeps(sweep, sweep_truth_of(*given, option_ids=own), temperatures, name)
    return found


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", [1, 70, 837, 4097])
@pytest.mark.parametrize("temperatures", [GRID, OTHERS, EXTREME], ids=["grid", "others", "extreme"])
def test_hard_rows(
    backend: str, dtype: torch.dtype, columns: int, temperatures: list[float]
) -> None:
    """R1-R6, R9, R17, R37; each row with three labels."""
    names, x = rows_of(columns, dtype)
    labels = row_labels(len(names), columns)
    for shift in (0, 1, 2) if columns < 1000 else (0,):
        assert not disagreements(x, labels.roll(shift), temperatures, names)


@pytest.mark.parametrize("kind", ["letters", "spellings", "sets per row"])
@pytest.mark.parametrize("temperatures", [GRID, OTHERS, EXTREME], ids=["grid", "others", "extreme"])
def test_options(backend: str, kind: str, temperatures: list[float]) -> None:
    names, x = rows_of(300, torch.float32)
    ids = option_sets(len(names), 300)[kind]
    ids = ids.where(ids < 300, -1)
    labels = torch.arange(len(names)) % ids.shape[1]
    assert not disagreements(x, labels, temperatures, names, ids)


@pytest.mark.parametrize("bits", [0.9, 1.1, 7.9, 16.1, 54.0, 90.0 / 8, 100.0])
def test_a_spike_above_the_first_block(backend: str, bits: float) -> None:
    """R6: at the bound where the reference moves, at the highest power and the lowest."""
    x = torch.randn(1, 9000, generator=torch.Generator().manual_seed(1)) * 3
    for power in (1, 8):
        spiked = x.clone()
        spiked[0, 8500] = x[0, :4096].max() + bits * math.log(2) / (0.25 * power)
        for label in (8500, 3):
            assert not disagreements(spiked, torch.tensor([label]), GRID, [f"{bits} bits"])


def test_histograms_are_those_of_row_stats(backend: str) -> None:
    """Bin by bin, at every temperature, where no confidence lies within rounding of an edge."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(300, 700, generator=generator) * 3
    x[7, 3], x[8, 5:7] = math.nan, math.inf
    labels = x.nan_to_num(0.0).argmax(1)
    labels[::3] = 5
    labels[4::9], labels[11] = -100, 700
    for temperatures in (GRID, OTHERS):
        sweep = temperature_sweep(x, labels, temperatures, bins=15)
        assert sweep.histograms is not None and len(sweep.histograms) == len(temperatures)
        for t, found in zip(temperatures, sweep.histograms, strict=True):
            own = CalibrationHistogram(15)
            stats = row_stats(x, labels, temperature=t, histogram=own)
            assert torch.equal(found.count, own.count) and torch.equal(found.correct, own.correct)
            assert found.invalid == own.invalid == 3
            # The confidences of two computations, each within 2e-6 of the truth.
            assert (found.confidence - own.confidence).abs().max() <= 4e-6 * 300
            assert sweep.count == found.count.sum() == (~stats.label_logprob.isnan()).sum()


def test_histograms_of_options_are_those_of_option_scores(backend: str) -> None:
    x = torch.randn(200, 60, generator=torch.Generator().manual_seed(4)) * 3
    ids = torch.tensor([[0, 5, -1], [1, -1, -1], [2, 7, 9]])
    labels = torch.arange(200) % 3
    sweep = temperature_sweep(x, labels, OTHERS, option_ids=ids, bins=10)
    assert sweep.histograms is not None
    for t, found in zip(OTHERS, sweep.histograms, strict=True):
        own = CalibrationHistogram(10)
        option_scores(x, ids, labels, temperature=t, histogram=own)
        assert torch.equal(found.count, own.count) and torch.equal(found.correct, own.correct)


def test_only_the_options_matter(backend: str) -> None:
    x = torch.randn(5, 40, generator=torch.Generator().manual_seed(5))
    noise = x.clone()
    noise[:, 6:] = math.nan
    ids, labels = torch.arange(6), torch.arange(5)
    same_bits(*(temperature_sweep(v, labels, GRID, option_ids=ids, bins=5) for v in (x, noise)))


def test_ignored_and_impossible_labels(backend: str) -> None:
    x = torch.randn(8, 40, generator=torch.Generator().manual_seed(6))
    for ignore_index in (-100, 2):
        labels = torch.tensor([0, 1, 2, ignore_index, 40, -1, 2**40, -(2**40)])
        sweep = temperature_sweep(x, labels, [1.0, 0.5, 3.0], bins=7, ignore_index=ignore_index)
        kept = labels[(labels >= 0) & (labels < 40) & (labels != ignore_index)]
        assert sweep.count == len(kept) and sweep.histograms is not None
        same = temperature_sweep(x[kept], kept, [1.0, 0.5, 3.0])
        assert torch.equal(sweep.nll, same.nll)
        assert all(int(h.invalid) == 4 for h in sweep.histograms)


def test_no_rows_and_absent_results(backend: str) -> None:
    sweep = temperature_sweep(torch.empty(0, 9), torch.empty(0, dtype=torch.int64), GRID, bins=3)
    assert sweep.count == 0 and (sweep.nll == 0).all() and sweep.grad is sweep.hess is None
    one = temperature_sweep(torch.zeros(1, 2), torch.tensor([0]), [1.0], derivatives=1)
    assert one.hess is None and one.histograms is None and one.grad is not None
    assert one.nll.item() == pytest.approx(math.log(2), abs=1e-7)


def test_a_tensor_of_temperatures_never_raises(backend: str) -> None:
    x = torch.randn(4, 30, generator=torch.Generator().manual_seed(7))
    labels = torch.tensor([1, 2, -100, 4])
    t = torch.tensor([1.0, 0.0, -1.0, math.nan, math.inf, 0.5])
    sweep = temperature_sweep(x, labels, t, derivatives=2, bins=5)
    good = temperature_sweep(x, labels, [1.0, 0.5], derivatives=2, bins=5)
    assert sweep.nll.isnan().tolist() == [False, True, True, True, True, False]
    torch.testing.assert_close(sweep.nll[[0, 5]], good.nll, rtol=1e-6, atol=1e-6)
    assert sweep.histograms is not None and sweep.count == 3
    assert [int(h.invalid) for h in sweep.histograms] == [0, 3, 3, 3, 3, 0]
    with pytest.raises(ValueError, match="temperature must be positive"):
        temperature_sweep(x, labels, [1.0, 0.0])


def test_padding_strides_and_labels_of_32_bits(backend: str) -> None:
    names, x = rows_of(500, torch.float32)
    labels = row_labels(len(names), 500)
    padded = torch.cat((x, torch.full((len(x), 13), 50.0)), 1)
    whole = temperature_sweep(x, labels, GRID, derivatives=2, bins=9)
    same_bits(
        temperature_sweep(padded, labels.int(), GRID, derivatives=2, bins=9, vocab_size=500), whole
    )
    same_bits(temperature_sweep(x.T.contiguous().T, labels, GRID, derivatives=2, bins=9), whole)


@pytest.mark.parametrize("temperatures", [GRID, OTHERS], ids=["grid", "others"])
def test_the_number_of_threads_changes_no_bit(temperatures: list[float]) -> None:
    """Few rows are shared by chunks, many by rows."""
    x = torch.stack(list(hard_rows(70001, 4096).values()))
    labels = row_labels(len(x), 70001)
    before = torch.get_num_threads()
    try:
        for rows in (1, 3, None):
            results = []
            for threads in (1, 2, 5):
                torch.set_num_threads(threads)
                given = (x[:rows], labels[:rows], temperatures)
                results.append(temperature_sweep(*given, derivatives=2, bins=15))
            same_bits(results[0], results[1])
            same_bits(results[0], results[2])
    finally:
        torch.set_num_threads(before)


def test_the_order_of_temperatures_does_not_matter(backend: str) -> None:
    """A grid is found whatever stands between its points."""
    names, x = rows_of(300, torch.float32)
    labels = row_labels(len(names), 300)
    mixed = [GRID[5], 0.37, *GRID[:5], 2.9, *GRID[6:]]
    found = temperature_sweep(x, labels, mixed, derivatives=2)
    alone = temperature_sweep(x, labels, GRID, derivatives=2)
    places = [2, 3, 4, 5, 6, 0, 8, 9]
    same_bits(found.nll[places], alone.nll)


# The definition itself.


@pytest.mark.parametrize("spelled", [False, True])
def test_derivatives_are_those_of_the_likelihood(spelled: bool) -> None:
    """Central differences in float64."""
    x = torch.randn(40, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(8)) * 3
    x[3, 4:9] = -math.inf
    ids = torch.tensor([[0, 1, 2], [3, 9, -1], [10, 11, 10]]) if spelled else None
    labels = torch.arange(40) % 3
    h = 1e-5
    for beta in (0.1, 1.0, 4.0):
        around = [1 / (beta - h), 1 / beta, 1 / (beta + h)]
        sweep = temperature_sweep(x, labels, around, option_ids=ids, derivatives=2)
        assert sweep.grad is not None and sweep.hess is not None
        slope = (sweep.nll[2] - sweep.nll[0]) / (2 * h)
        bend = (sweep.grad[2] - sweep.grad[0]) / (2 * h)
        torch.testing.assert_close(sweep.grad[1], slope, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(sweep.hess[1], bend, rtol=1e-6, atol=1e-6)


def minimum(x: Tensor, labels: Tensor) -> float:
    """T of the least likelihood, by Newton's method in 1/T on the op."""
    beta = 1.0
    for _ in range(50):
        sweep = temperature_sweep(x, labels, [1 / beta], derivatives=2)
        assert sweep.grad is not None and sweep.hess is not None
        step = float(sweep.grad / sweep.hess)
        beta = max(beta - step, beta / 4)
        if abs(step) < 1e-13 * beta:
            break
    return 1 / beta


def test_closed_form_of_the_minimum() -> None:
    """All rows (s, 0, ..., 0) over K classes, a share q of them right: T = s / ln((K-1)q/(1-q))."""
    x = torch.tensor([[4.0, 0.0, 0.0]], dtype=torch.float64).repeat(10, 1)
    labels = torch.tensor([0] * 8 + [1, 2])
    assert minimum(x, labels) == pytest.approx(4 / math.log(8), rel=1e-12)


def test_golden_minima() -> None:
    for _, fitted, z, y in golden_sets():
        assert minimum(torch.from_numpy(z), torch.from_numpy(np.asarray(y))) == pytest.approx(
            fitted, rel=1e-7
        )


def test_float32_minima(backend: str) -> None:
    """In float32 the derivative is known to about 1e-7 a row, and the minimum accordingly."""
    x = torch.randn(2000, 50, generator=torch.Generator().manual_seed(9)) * 3
    labels = torch.distributions.Categorical(logits=x / 1.7).sample()
    with use_backend("reference"):
        truth = minimum(x.double(), labels)
    assert minimum(x, labels) == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("temperatures", [GRID, OTHERS], ids=["grid", "others"])
@pytest.mark.parametrize("columns", [8193, 70001])
def test_nan_far_below_the_maximum_is_not_forgotten(
    backend: str, temperatures: list[float], columns: int
) -> None:
    """R3. Sums about an earlier reference become 0 when a later maximum is far above it."""
    x = torch.zeros(1, columns)
    x[0, 7], x[0, -1] = math.nan, 60_000.0
    swept = temperature_sweep(x, torch.tensor([0]), temperatures, derivatives=2, bins=9)
    assert swept.count == 0 and swept.histograms is not None
    assert [int(histogram.invalid) for histogram in swept.histograms] == [1] * 8
    for field in (swept.nll, swept.grad, swept.hess):
        assert field is not None and (field == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spellings", [5, 17])
def test_the_order_of_spellings_breaks_no_tie(
    backend: str, dtype: torch.dtype, spellings: int
) -> None:
    """R22. Options with the same logits tie at every temperature; the lowest is the prediction."""
    if backend != "reference" and dtype == torch.float64:
        pytest.skip("float64 is for the reference")
    x, ids = permuted_spellings(200, spellings, dtype)
    swept = temperature_sweep(x, torch.zeros(200).long(), GRID, option_ids=ids, bins=5)
    assert swept.histograms is not None
    assert [int(h.correct.sum()) for h in swept.histograms] == [200] * len(GRID)
