"""The bin rule against exact fractions: which c of float32 and float64 lie at or above k/B."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from calib_kernels import bins as binning
from calib_kernels import histogram_delta

CPU = torch.device("cpu")
BINS = [1, 2, 5, 7, 10, 15, 20, 25, 30, 50, 64, 100]


def around(bins: int, kind: type[np.floating]) -> np.ndarray:
    """Every k/B as ``kind`` rounds it, its neighbours, the ends, and random numbers."""
    edges = (np.arange(bins + 1) / bins).astype(kind)
    near = [edges, np.nextafter(edges, kind(2)), np.nextafter(edges, kind(-1))]
    some = np.random.default_rng(bins).random(500).astype(kind)
    c = np.concatenate([*near, some, np.array([0, 1, np.finfo(kind).tiny], dtype=kind)])
    return c[(c >= 0) & (c <= 1)]


def rule(c: np.floating, bins: int) -> int:
    """The number of k in 1..B-1 with c >= k/B, k/B being the rounded float64 quotient."""
    return sum(float(c) >= k / bins for k in range(1, bins))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("bins", BINS)
def test_bins_follow_the_rule(backend: str, bins: int, kind: type[np.floating]) -> None:
    if kind is np.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    c = around(bins, kind)
    expected = np.bincount([rule(x, bins) for x in c], minlength=bins)
    confidence = torch.from_numpy(c)
    delta = histogram_delta(confidence, torch.ones(len(c), dtype=torch.bool), bins=bins)
    assert delta[:bins].tolist() == expected.tolist()
    assert delta[bins : 2 * bins].tolist() == expected.tolist()
    assert delta[-1] == 0
    fixed = sum(int(Fraction(float(x)) * 2**32) for x in c)
    assert int(delta[2 * bins : 3 * bins].sum()) == fixed


@pytest.mark.parametrize("bins", [5, 15, 100, 4096])
def test_edges_are_the_smallest_float32_at_or_above(bins: int) -> None:
    table = binning.edges(bins, torch.float32, CPU).numpy()
    quotients = np.arange(1, bins) / bins
    assert (table.astype(np.float64) >= quotients).all()
    assert (np.nextafter(table, np.float32(0)).astype(np.float64) < quotients).all()


def test_a_value_just_below_an_edge_is_not_rounded_up() -> None:
    """float32(0.7) < 0.7, though float32(0.7) * 10 rounds to 7."""
    delta = histogram_delta(torch.tensor([0.7]), torch.tensor([True]), bins=10)
    assert delta[:10].tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
