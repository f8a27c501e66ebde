"""Intervals cover what they say, and the paired test does not see what is not there."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

import calib
from calib import metrics
from calib.intervals import under_calibration


def deserved(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Perfectly calibrated rows: true error 0."""
    c = rng.beta(4, 1.5, n)
    return c, rng.random(n) < c


def brute_force(c, a, members, bins=15):
    """CE2 and its jackknife error, one group at a time, in plain loops."""

    def square(kept):
        total = 0.0
        for b in range(bins):
            lower, upper = b / bins, (b + 1) / bins
            inside = kept & (c >= lower) & ((c < upper) | (b == bins - 1))
            n = inside.sum()
            if n > 1:
                r = (c - a)[inside]
                total += (r.sum() ** 2 - (r**2).sum()) / (n - 1)
        return total / kept.sum()

    names = np.unique(members)
    left_out = np.array([square(members != name) for name in names])
    g = len(names)
    return square(members == members), math.sqrt(
        (g - 1) / g * ((left_out - left_out.mean()) ** 2).sum()
    )


def test_the_jackknife_is_the_loop():
    rng = np.random.default_rng(0)
    c, a = deserved(300, rng)
    a = a & (rng.random(300) < 0.8)
    members = rng.integers(60, size=300)
    estimate, error = brute_force(c, a, members)
    found = calib.bootstrap(metrics.ece, c, a, groups=members)
    assert found.value == metrics.ece(c, a)
    assert found.low == pytest.approx(math.sqrt(max(0, estimate - 1.959963985 * error)), abs=1e-9)
    assert found.high == pytest.approx(math.sqrt(estimate + 1.959963985 * error), abs=1e-9)
    assert "jackknife" in found.method


def test_the_paired_jackknife_is_the_loop():
    rng = np.random.default_rng(1)
    c, a = deserved(200, rng)
    other = c**0.7
    found = calib.paired_difference(metrics.ece, (c, a), (other, a))
    first, second = brute_force(c, a, np.arange(200))[0], brute_force(other, a, np.arange(200))[0]
    assert (found.low + found.high) / 2 == pytest.approx(first - second, abs=1e-12)
    assert found.value == metrics.ece(c, a) - metrics.ece(other, a)


def test_a_calibrated_model_is_rarely_called_miscalibrated():
    """True error 0: the lower bound stays at 0, which no percentile bootstrap manages."""
    rng = np.random.default_rng(2)
    left_zero = sum(calib.bootstrap(metrics.ece, *deserved(400, rng)).low > 0 for _ in range(200))
    assert left_zero <= 14  # nominal 5 in 200 on this side; 14 has a chance below 1e-3
    p = [under_calibration(metrics.ece, *deserved(200, rng), n=99).p for _ in range(200)]
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 0.07  # three standard errors
    assert abs(np.mean(p) - 0.5) < 0.065


def test_a_miscalibrated_model_is_found():
    rng = np.random.default_rng(3)
    c = rng.beta(4, 1.5, 1000)
    a = rng.random(1000) < c - 0.15 * c
    found = calib.bootstrap(metrics.ece, c, a)
    assert 0.05 < found.low < found.high < 0.2
    null = under_calibration(metrics.ece, c, a)
    assert null.p < 0.01
    assert null.expected < found.value


def test_sharpness_is_no_difference_in_calibration():
    """Two calibrated models, one sharper: plug-in ECEs differ, the paired test stays quiet."""
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(150):
        sharp = rng.beta(0.5, 0.5, 400)
        a = rng.random(400) < sharp
        blunt = np.full(400, 0.5)
        rejected += calib.paired_difference(metrics.ece, (sharp, a), (blunt, a)).p < 0.05
    assert rejected <= 17  # nominal 7.5; 17 has a chance below 1e-3


def test_percentile_bootstrap_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    c, a = deserved(500, rng)
    ours = calib.bootstrap(metrics.brier, c, a, n=4000)
    theirs = stats.bootstrap(
        (c, a), metrics.brier, paired=True, vectorized=False, method="percentile", n_resamples=4000
    ).confidence_interval
    width = theirs.high - theirs.low
    # Ends of two runs of 4,000 resamples differ by some 2 % of the width.
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * width)


def test_groups_are_drawn_whole():
    """Ten copies of every row carry no more than the rows themselves."""
    rng = np.random.default_rng(6)
    c, a = deserved(200, rng)
    alone = calib.bootstrap(metrics.brier, c, a)
    copied = calib.bootstrap(
        metrics.brier, np.repeat(c, 10), np.repeat(a, 10), groups=np.repeat(np.arange(200), 10)
    )
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=1e-9)


def test_group_names_may_be_text():
    c, a = [0.9, 0.8, 0.2, 0.4], [1, 1, 0, 0]
    by_text = calib.bootstrap(metrics.brier, c, a, groups=["x", "x", "y", "z"])
    assert by_text == calib.bootstrap(metrics.brier, c, a, groups=[0, 0, 1, 2])


def test_the_seed_rules():
    c, a = deserved(50, np.random.default_rng(7))
    first = calib.bootstrap(metrics.brier, c, a, seed=1, n=200)
    assert first == calib.bootstrap(metrics.brier, c, a, seed=1, n=200)
    assert first != calib.bootstrap(metrics.brier, c, a, seed=2, n=200)


def test_paired_bootstrap_cancels_what_is_common():
    rng = np.random.default_rng(8)
    c, a = deserved(400, rng)
    worse = np.clip(c + 0.1, 0, 1)
    found = calib.paired_difference(metrics.brier, (worse, a), (c, a))
    assert found.low < found.value < found.high
    assert found.p < 0.05
    assert calib.paired_difference(metrics.brier, (c, a), (c, a)).p == 1.0
    assert calib.paired_difference(metrics.ece, (c, a), (c, a)).p == 1.0


def test_classes_have_an_interval_too():
    rng = np.random.default_rng(9)
    p = rng.dirichlet(np.ones(3), 500)
    y = (p.cumsum(axis=1) > rng.random((500, 1))).argmax(axis=1)
    offered = np.ones((500, 3), bool)
    metric = partial(metrics.classwise_ece, bins=10)
    found = calib.bootstrap(metric, p, y)
    assert found.low == 0.0
    assert "jackknife" in found.method
    assert found == calib.bootstrap(partial(metric, offered=offered), p, y)


def test_bins_and_strategy_are_the_metrics_own():
    c, a = deserved(300, np.random.default_rng(10))
    a = a & (c < 0.9)
    by_width, by_mass = (
        calib.bootstrap(partial(metrics.ece, strategy=s), c, a) for s in ("width", "mass")
    )
    assert by_width.high != by_mass.high
    assert calib.bootstrap(metrics.ace, c, a).high == by_mass.high


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="two groups"):
        calib.bootstrap(metrics.ece, [0.5, 0.5], [1, 0], groups=[3, 3])
    with pytest.raises(ValueError, match=r"groups must be \(2,\)"):
        calib.bootstrap(metrics.ece, [0.5, 0.5], [1, 0], groups=[3])
    with pytest.raises(ValueError, match="as many, got 2 and 1"):
        calib.paired_difference(metrics.ece, ([0.5, 0.5], [1, 0]), ([0.5], [1]))
    with pytest.raises(ValueError, match="only one kind"):
        calib.bootstrap(metrics.auroc, [0.5, 0.5], [1, 1])
    with pytest.raises(ValueError, match="resamples only"):
        calib.bootstrap(metrics.auroc, [0.5, 0.4], [1, 0], n=200)
