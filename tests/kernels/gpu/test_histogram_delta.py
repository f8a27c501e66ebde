"""The histogram kernel in Triton's interpreter: the bin rule at every edge, exact sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from calib_kernels import reference


def edges_and_neighbours(bins: int) -> torch.Tensor:
    """Every k/B rounded to float32, one float above and below, and random values between."""
    k = (np.arange(bins + 1, dtype=np.float64) / bins).astype(np.float32)
    near = [k, np.nextafter(k, np.float32(2)), np.nextafter(k, np.float32(-1))]
    values = np.concatenate([*near, np.random.default_rng(bins).random(200, dtype=np.float32)])
    return torch.from_numpy(values[(values >= 0) & (values <= 1)])


@pytest.mark.parametrize("bins", [1, 2, 10, 15, 100, 4096])
def test_the_bin_rule(interpreted: Any, bins: int) -> None:
    """R23: c >= k/B in float64, against a count that uses no table."""
    c = edges_and_neighbours(bins)
    correct = torch.rand(c.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    order = torch.randperm(len(c), generator=torch.Generator().manual_seed(1))
    seen = interpreted("histogram_delta", c, correct, None, bins)
    quotients = torch.from_numpy(np.arange(1, bins, dtype=np.float64) / bins)
    expected = (c.double()[:, None] >= quotients).sum(1)
    assert torch.equal(seen[:bins], torch.bincount(expected, minlength=bins))
    assert torch.equal(seen[bins : 2 * bins], torch.bincount(expected[correct], minlength=bins))
    fixed = torch.zeros(bins, dtype=torch.int64)
    fixed.index_add_(0, expected, (c.double() * 2**32).long())
    assert torch.equal(seen[2 * bins : -1], fixed)
    permuted = interpreted("histogram_delta", c[order], correct[order], None, bins)
    assert torch.equal(permuted, seen)


def test_what_cannot_be_binned_is_counted_apart(interpreted: Any) -> None:
    c = torch.tensor([float("nan"), -0.1, 1.1, float("inf"), 0.0, 1.0, 0.5, -0.0])
    correct = torch.ones(len(c), dtype=torch.bool)
    valid = torch.tensor([True] * 6 + [False, True])
    seen = interpreted("histogram_delta", c, correct, valid, 15)
    assert seen[-1] == 5
    assert torch.equal(seen, reference.histogram_delta(c, correct, valid, 15, None))


def test_parts_add_up_to_the_whole(interpreted: Any) -> None:
    c = edges_and_neighbours(50)
    correct = c > 0.5
    parts = [
        interpreted("histogram_delta", c[part].clone(), correct[part].clone(), None, 50)
        for part in (slice(0, 7), slice(7, 300), slice(300, None))
    ]
    assert torch.equal(sum(parts), interpreted("histogram_delta", c, correct, None, 50))
