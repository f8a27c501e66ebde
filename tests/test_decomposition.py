"""Brier split into calibration and refinement: by hand, over many draws, and its jackknife."""

from __future__ import annotations

import math

import numpy as np
import pytest

import calib
from calib import metrics
from calib.intervals.decomposition import brier_parts, paired_refinement


def by_hand(c, a, bins=15):
    """Calibration without the bias of chance, bin by bin, and Brier less that."""
    where = np.minimum((np.asarray(c) * bins + 1e-12).astype(int), bins - 1)
    calibration = 0.0
    for each in np.unique(where):
        inside = where == each
        n, right = inside.sum(), a[inside].mean()
        if n > 1:
            gap = c[inside].mean() - right
            calibration += n / len(c) * (gap**2 - right * (1 - right) / (n - 1))
    return calibration, ((c - a) ** 2).mean() - calibration


def over_confident(n: int, seed: int, over: float = 0.1):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.3, 1, n)
    return c, (rng.random(n) < c - over).astype(float)


def test_four_answers_by_hand():
    """Two bins of two: gaps .8 - .5 and .3 - .5, each with noise .25 / 1."""
    found = brier_parts([0.8, 0.8, 0.3, 0.3], [1, 0, 1, 0], bins=2)
    assert found.calibration.value == pytest.approx((0.3**2 - 0.25 + 0.2**2 - 0.25) / 2)
    assert found.brier == pytest.approx((0.04 + 0.64 + 0.49 + 0.09) / 4)
    assert found.refinement.value == pytest.approx(found.brier - found.calibration.value)
    assert found.refinement.low is None and "fewer than 10" in found.refinement.method


@pytest.mark.parametrize("bins", [10, 15])
def test_parts_add_up(bins):
    c, a = over_confident(500, 0)
    found = brier_parts(c, a, bins=bins)
    parts = (found.calibration.value, found.refinement.value)
    assert parts == pytest.approx(by_hand(c, a, bins), rel=1e-9)
    assert sum(parts) == pytest.approx(metrics.brier(c, a), rel=1e-12)
    root = metrics.debiased_rmsce(c, a, bins=bins)
    assert math.sqrt(max(0, parts[0])) == pytest.approx(root, rel=1e-9)
    low, high = found.calibration.low, found.calibration.high
    shown = calib.bootstrap(lambda c, a: metrics.debiased_rmsce(c, a, bins=bins), c, a)
    assert low < parts[0] < high and shown.value == pytest.approx(root)


def test_the_parts_have_no_bias_of_chance():
    """The true calibration is .1 squared; a plug-in of 150 rows is a quarter too high."""
    found, plug_in, held = [], [], 0
    for seed in range(600):
        c, a = over_confident(150, seed)
        parts = brier_parts(c, a)
        found.append(parts.calibration.value)
        plug_in.append(metrics.rmsce(c, a) ** 2)
        # E (c - a)^2 = .1 squared + E q (1 - q), q = c - .1 uniform in [.2, .9]
        true = 0.55 - (0.9**3 - 0.2**3) / 3 / 0.7
        held += parts.refinement.low <= true <= parts.refinement.high
    error = np.std(found) / math.sqrt(600)
    assert abs(np.mean(found) - 0.01) < 4 * error < 0.003 < np.mean(plug_in) - 0.01
    assert held >= 0.92 * 600  # 95 % less three standard errors


def test_a_sharper_model_has_less_refinement_and_the_same_calibration():
    rng = np.random.default_rng(0)
    sharp = rng.beta(0.5, 0.5, 4000)
    blunt = np.full(4000, 0.5)
    a = (rng.random(4000) < sharp).astype(float)
    found = paired_refinement((sharp, a), (blunt, a))
    assert found.high < 0 and found.p < 1e-6
    assert calib.paired_difference(metrics.debiased_rmsce, (sharp, a), (blunt, a)).p > 0.01


def test_the_difference_is_a_jackknife_of_clusters():
    first, second = over_confident(240, 1), over_confident(240, 2, 0.0)
    clusters = np.arange(240) // 4
    value = by_hand(*first)[1] - by_hand(*second)[1]
    without = []
    for each in range(60):
        rest = clusters != each
        sides = [by_hand(c[rest], a[rest])[1] for c, a in (first, second)]
        without.append(sides[0] - sides[1])
    error = math.sqrt(59 / 60 * ((np.array(without) - np.mean(without)) ** 2).sum())
    found = paired_refinement(first, second, clusters=clusters)
    reach = 1.959963984540054 * error
    assert found.value == pytest.approx(value, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach), rel=1e-9)
    assert found.p == pytest.approx(math.erfc(abs(value) / error / math.sqrt(2)), rel=1e-9)


def test_both_differences_are_that_of_brier():
    first, second = over_confident(400, 1), over_confident(400, 2, 0.0)
    parts = (
        calib.paired_difference(metrics.debiased_rmsce, first, second).value,
        paired_refinement(first, second).value,
    )
    assert sum(parts) == pytest.approx(metrics.brier(*first) - metrics.brier(*second), rel=1e-9)


def test_a_model_against_itself():
    first = over_confident(400, 1)
    found = paired_refinement(first, first)
    assert found.value == 0 and found.p == 1 and found.low is None


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_answers_of_one_kind_have_parts_without_intervals(right):
    c = np.linspace(0.3, 1, 50)
    found = brier_parts(c, np.full(50, right))
    assert found.calibration.low is found.refinement.low is None
    assert "fewer than 5" in found.refinement.method
    assert found.calibration.value + found.refinement.value == pytest.approx(found.brier)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brier_parts([], []), "empty|at least one|no rows"),
        (lambda: brier_parts([0.5, 2.0], [1, 0]), "0, 1|between 0 and 1"),
        (lambda: brier_parts([0.5, 0.5], [1, 0], clusters=[1, 1]), "at least two clusters"),
        (lambda: paired_refinement(([0.5], [1]), ([0.5, 0.5], [1, 0])), "equally many, got 1 and"),
    ],
)
def test_what_has_no_parts_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_interval_holds_its_value():
    """The debiased error of few answers may lie far below 0, where no interval of errors does."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.2, 0.9, 30)
        found = brier_parts(confidence, rng.uniform(size=30) < confidence, bins=5).calibration
        if found.low is not None:
            assert found.low <= found.value <= found.high
