"""Coarser bins from a fine histogram: exact where edges coincide, within the stated bound else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from calib_kernels import CalibrationHistogram, CoarseBins
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.metrics import ece, reliability_curve

CELLS = 32  # few, so that cells are often cut, by several edges, and are heavy


def filled(c: np.ndarray, correct: np.ndarray, cells: int) -> CalibrationHistogram:
    h = CalibrationHistogram(cells)
    h.update(c, correct)
    return h


def ece_of(coarse: CoarseBins) -> float:
    return float((coarse.correct - coarse.confidence).abs().sum() / coarse.count.sum())


def hardest(cells: int, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows at both ends of every cell, right at one end and wrong at the other, at random."""
    low = rng.integers(0, cells, n) / cells
    high_end = rng.random(n) < 0.5
    c = np.where(high_end, np.nextafter(low + 1 / cells, 0), low)
    return c, (high_end ^ (rng.random(n) < 0.1)).astype(int)


confidences = st.one_of(
    st.floats(0, 1),
    st.integers(0, CELLS).map(lambda k: k / CELLS),
    st.sampled_from([0.0, 0.5, 1.0, np.nextafter(0.5, 0), np.nextafter(1, 0)]),
)
rows = st.lists(st.tuples(confidences, st.booleans()), min_size=1, max_size=60)


@given(rows=rows, bins=st.integers(1, CELLS))
@settings(deadline=None, max_examples=150)
def test_the_bound_holds(rows: list[tuple[float, bool]], bins: int) -> None:
    c, correct = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    h = filled(c, correct, CELLS)
    for strategy, coarse in (("width", h.equal_width(bins)), ("mass", h.equal_mass(bins))):
        assert int(coarse.count.sum()) == len(c) and int(coarse.correct.sum()) == correct.sum()
        exact = ece(c, correct, bins=bins, strategy=strategy)
        assert abs(ece_of(coarse) - exact) <= coarse.bound + 1e-12, strategy
    assert ece(h, bins=bins, strategy="mass") == pytest.approx(ece_of(h.equal_mass(bins)))


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_on_rows_made_to_break_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    c, correct = hardest(CELLS, rng, 400)
    h = filled(c, correct, CELLS)
    worst = 0.0
    for bins in (2, 3, 5, 7, 15, 30):
        for strategy, coarse in (("width", h.equal_width(bins)), ("mass", h.equal_mass(bins))):
            off = abs(ece_of(coarse) - ece(c, correct, bins=bins, strategy=strategy))
            assert off <= coarse.bound + 1e-12
            worst = max(worst, off / coarse.bound) if coarse.bound > 1e-6 else worst
    assert worst > 0.02  # the rows do test it


def test_two_rows_that_meet_the_bound() -> None:
    """One cell, cut between a wrong row and a right one: the bound is attained in the limit."""
    cells = 10
    c = np.array([0.75, 0.75, 0.75 + 1e-9, 0.75 + 1e-9])
    correct = np.array([0, 0, 1, 1])
    coarse = filled(c, correct, cells).equal_mass(2)
    # Apart, the rows are off by 0.75 and 0.25 on average 0.5; together by |0.5 - 0.75|.
    assert ece(c, correct, bins=2, strategy="mass") == pytest.approx(0.5)
    assert ece_of(coarse) == pytest.approx(0.25)
    assert coarse.bound == pytest.approx(2 * (2 * 0.8) / 4)


@pytest.mark.parametrize("bins", [10, 15, 100])
def test_a_fine_histogram_is_good_for_equal_mass(bins: int) -> None:
    rng = np.random.default_rng(bins)
    c = 1 - rng.random(50_000) ** 3 / 2  # most of them near 1, as models have it
    correct = rng.random(50_000) < c**1.5
    h = filled(c, correct, 4096)
    coarse = h.equal_mass(bins)
    exact = ece(c, correct, bins=bins, strategy="mass")
    assert abs(ece_of(coarse) - exact) <= coarse.bound < 0.05
    assert abs(ece_of(coarse) - exact) < 0.002
    heaviest = h.count.max()
    assert (coarse.count - 50_000 / bins).abs().max() <= heaviest + 1


@pytest.mark.parametrize("bins", [1, 2, 5, 10, 20, 100])
def test_divisors_are_exact(bins: int) -> None:
    rng = np.random.default_rng(3)
    c = rng.random(3000)
    h = filled(c, rng.random(3000) < c, 100)
    coarse, rebinned = h.equal_width(bins), h.rebin(bins)
    assert torch.equal(coarse.count, rebinned.count)
    assert torch.equal(coarse.correct, rebinned.correct)
    assert torch.equal(coarse.confidence, rebinned.confidence)
    assert coarse.bound == 2.0**-32 and coarse.bins == bins
    assert coarse.edges.tolist() == (np.arange(1, bins) / bins).tolist()


def test_edges_go_to_the_nearer_end_of_a_cell() -> None:
    coarse = CalibrationHistogram(10).equal_width(4)
    assert coarse.edges.tolist() == [0.3, 0.5, 0.8]  # 0.25 and 0.75, halfway, go up


def test_as_many_parts_as_rows_at_most() -> None:
    h = filled(np.array([0.2, 0.9]), np.array([0, 1]), 64)
    coarse = h.equal_mass(15)
    assert coarse.bins == 2 and coarse.count.tolist() == [1, 1]
    assert h.equal_mass(1).count.tolist() == [2]
    empty = CalibrationHistogram(64).equal_mass(15)
    assert empty.count.tolist() == [0] and math.isnan(empty.bound)
    with pytest.warns(RuntimeWarning, match="the histogram is empty"):
        assert math.isnan(ece(CalibrationHistogram(64), strategy="mass"))


def test_a_curve_of_equal_mass() -> None:
    c = np.linspace(0.01, 0.99, 99)
    curve = reliability_curve(filled(c, c > 0.5, 1000), bins=3, strategy="mass")
    assert curve.count.tolist() == [33, 33, 33]
    assert (curve.low[0], curve.high[-1]) == (0.0, 1.0)
    assert curve.low[1:].tolist() == curve.high[:-1].tolist() == pytest.approx([0.331, 0.661])


def test_more_bins_than_there_are_is_named() -> None:
    h = CalibrationHistogram(10)
    for derive in (h.equal_mass, h.equal_width):
        with pytest.raises(ValueError, match="bins must be at most the histogram's 10, got 11"):
            derive(11)
    with pytest.raises(ValueError, match="bins must be an integer"):
        h.equal_mass(0)
    with pytest.raises(ValueError, match="bins of equal mass can be made"):
        ece(h, strategy="quantile")
