"""Equivalence within a margin: against scipy's one-sided tests, by hand, where there is none."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

import calib
from calib import metrics
from calib.intervals import mean_of, paired_difference, paired_equivalence

GAP = mean_of(lambda confidence, correct: np.asarray(confidence, float) - correct)


def two(n: int, seed: int = 0, noise: float = 0.1):
    """Two models of the same questions, whose confidences differ by noise."""
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.3, 0.95, n)
    d = np.clip(c + rng.normal(0, noise, n), 0, 1)
    return (c, rng.random(n) < c), (d, rng.random(n) < c)


@pytest.mark.parametrize("n", [40, 1500])
@pytest.mark.parametrize("margin", [0.02, 0.1])
def test_a_mean_is_tested_by_two_paired_t_tests(n, margin):
    first, second = two(n)
    found = paired_equivalence(metrics.brier, first, second, margin=margin)
    a, b = ((c - right) ** 2 for c, right in (first, second))
    above = stats.ttest_rel(a, b - margin, alternative="greater").pvalue
    below = stats.ttest_rel(a, b + margin, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), rel=1e-9)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)
    assert found.value == pytest.approx((a - b).mean(), rel=1e-9)
    assert (found.p < 0.05) == (-margin < found.low and found.high < margin)
    spread = np.std(a - b, ddof=1)
    at_least = math.log(0.05) / math.log1p(-margin / 2 * 0.999)  # what identical runs would need
    # Both tests of level 0.05 reject four times of five: each misses once in ten.
    power = (spread * (stats.norm.ppf(0.95) + stats.norm.ppf(0.9)) / margin) ** 2
    assert found.needs == math.ceil(max(at_least, power))


def test_clusters_are_left_out_whole():
    """Equally large clusters: the t tests of their means."""
    first, second = two(1200)
    clusters = np.arange(1200) // 6
    found = paired_equivalence(GAP, first, second, clusters=clusters)
    d = ((first[0] - first[1]) - (second[0] - second[1])).reshape(-1, 6).mean(axis=1)
    p = max(
        stats.ttest_1samp(d, -0.02, alternative="greater").pvalue,
        stats.ttest_1samp(d, 0.02, alternative="less").pvalue,
    )
    assert found.p == pytest.approx(p, rel=1e-9)
    order = np.random.default_rng(1).permutation(1200)
    mixed = [tuple(x[order] for x in side) for side in (first, second)]
    again = paired_equivalence(GAP, *mixed, clusters=clusters[order])
    assert again.p == pytest.approx(found.p, rel=1e-9)


def test_uneven_clusters_are_a_jackknife():
    first, second = two(600)
    clusters = np.minimum(np.arange(600) // 5, 60)  # the last holds half of the rows
    d = (first[0] - first[1]) ** 2 - (second[0] - second[1]) ** 2
    without = np.array([d[clusters != each].mean() for each in np.unique(clusters)])
    error = math.sqrt(60 / 61 * ((without - without.mean()) ** 2).sum())
    found = paired_equivalence(metrics.brier, first, second, clusters=clusters)
    reach = stats.t.ppf(0.95, 60) * error
    assert (found.low, found.high) == pytest.approx((d.mean() - reach, d.mean() + reach), rel=1e-9)


def test_two_sides_turn():
    first, second = two(500)
    for metric in (GAP, metrics.brier, metrics.debiased_rmsce):
        there = paired_equivalence(metric, first, second)
        back = paired_equivalence(metric, second, first)
        assert back.p == pytest.approx(there.p, rel=1e-9) and back.needs == there.needs
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=1e-9)


@pytest.mark.parametrize(("n", "shown"), [(298, False), (299, True), (5000, True)])
def test_identical_runs_take_299_questions(n, shown):
    """Of 298 none may differ once in 20 though one in 100 does, and by 2 each: the margin."""
    first, _ = two(n)
    for metric in (GAP, metrics.brier):
        found = paired_equivalence(metric, first, first)
        assert found.value == 0 and (found.p < 0.05) is shown and found.needs == 299
        # A thousandth of the margin is set aside for differences that do not count.
        assert found.p == pytest.approx((1 - 0.01 * 0.999) ** n, rel=1e-9)
        assert (found.high < 0.02) is shown and found.low == -found.high
        nudged = (first[0] * (1 - 1e-9), first[1])
        assert paired_equivalence(metric, nudged, first).p == pytest.approx(found.p, rel=1e-9)


def test_few_that_differ_are_counted_exactly():
    first, _ = two(2000)
    changed = np.array(first[1])
    changed[:9] = ~changed[:9]
    found = paired_equivalence(GAP, (first[0], changed), first)
    assert found.p == pytest.approx(stats.binom.cdf(9, 2000, 0.01 * 0.999), rel=1e-9)
    assert "of which 9 differ" in found.method
    share = stats.binomtest(9, 2000, alternative="less").proportion_ci(0.95, "exact").high
    assert found.high == pytest.approx(2 * share + 0.02 / 1000, rel=1e-9)
    changed[9] = ~changed[9]
    assert "t tests" in paired_equivalence(GAP, (first[0], changed), first).method


def test_few_clusters_that_differ_may_be_the_large_ones():
    """One cluster in 11 holds half of the rows: it alone could make up any margin."""
    first, _ = two(200)
    clusters = np.minimum(np.arange(200) // 10, 10)
    assert paired_equivalence(GAP, first, first, clusters=clusters).p > 0.9


def test_calibration_errors_are_bounded_by_their_own_intervals():
    """The bounds are those of the intervals of a report; p is where they meet the margin."""
    rng = np.random.default_rng(0)
    sides = []
    for over in (0.1, 0.11):
        c = rng.uniform(0.3, 1, 9000)
        sides.append((c, rng.random(9000) < c - over))
    one, other = (calib.bootstrap(metrics.debiased_rmsce, *side) for side in sides)
    found = paired_equivalence(metrics.debiased_rmsce, *sides)
    assert found.value == pytest.approx(one.value - other.value, abs=1e-12)
    assert found.low == pytest.approx(one.low - other.high, abs=1e-12)
    assert found.high == pytest.approx(one.high - other.low, abs=1e-12)
    for factor, shown in ((1 + 1e-6, True), (1 - 1e-6, False)):
        margin = factor * max(-found.low, found.high)
        again = paired_equivalence(metrics.debiased_rmsce, *sides, margin=margin)
        assert (again.p < 0.05) is shown
        assert again.p == pytest.approx(0.05, rel=1e-3)
    far = paired_equivalence(metrics.debiased_rmsce, *sides, margin=abs(found.value) / 2)
    assert far.p == 1


def test_more_bins_are_those_of_the_metric():
    first, second = two(3000)
    few, many = (
        paired_equivalence(partial(metrics.debiased_rmsce, bins=bins), first, second)
        for bins in (5, 50)
    )
    assert few.needs < many.needs


def test_identical_runs_may_have_unknown_calibration_errors():
    """Their intervals do not know that they are paired."""
    first, _ = two(400)
    found = paired_equivalence(metrics.debiased_rmsce, first, first)
    assert found.value == 0 and found.p > 0.05 and found.needs > 4000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c, a: (c, np.ones(len(c))), "fewer than 5 wrong answers"),
        (lambda c, a: (c, np.zeros(len(c))), "fewer than 5 right answers"),
        (lambda c, a: (a.astype(float), a), "no spread"),
    ],
)
def test_no_calibration_error_of_answers_of_one_kind(change, reason):
    first, _ = two(300)
    side = change(*first)
    found = paired_equivalence(metrics.debiased_rmsce, side, first)
    assert found.p is found.low is found.high is found.needs is None and reason in found.method


def test_fewer_than_ten_clusters_show_nothing():
    first, second = two(900)
    for metric in (GAP, metrics.brier, metrics.debiased_rmsce):
        found = paired_equivalence(metric, first, second, clusters=np.arange(900) // 100)
        assert found.p is None and "fewer than 10 clusters" in found.method


def test_the_same_difference_on_every_row_has_no_spread():
    first, _ = two(900)
    found = paired_equivalence(GAP, (first[0] + 0.01, first[1]), first)
    assert found.value == pytest.approx(0.01) and found.p is None and "no spread" in found.method


def test_a_difference_may_be_shown_and_be_small():
    first, _ = two(4000)
    second = (first[0] + np.random.default_rng(0).normal(0.005, 0.01, 4000), first[1])
    assert paired_difference(GAP, first, second, n=2).p < 0.05
    assert paired_equivalence(GAP, first, second).p < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: paired_equivalence(GAP, a, b, margin=0), "^margin must be a number above 0"),
        (lambda a, b: paired_equivalence(GAP, a, b, margin=math.nan), "^margin must be a number"),
        (lambda a, b: paired_equivalence(metrics.ece, a, b), "mean over rows .* got ece$"),
        (lambda a, b: paired_equivalence(metrics.auroc, a, b), "mean over rows .* got auroc$"),
        (lambda a, b: paired_equivalence(metrics.nll, a, ([1e-9] * 50, b[1])), "span at most 2"),
        (lambda a, b: paired_equivalence(GAP, a, (b[0][:9], b[1][:9])), "equally many, got 50 and"),
        (lambda a, b: paired_equivalence(GAP, a, b, clusters=[1] * 50), "at least two clusters"),
        (lambda a, b: paired_equivalence(GAP, a, (b[0],)), "^second must be a pair"),
    ],
)
def test_what_has_no_test_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(*two(50))
