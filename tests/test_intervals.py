"""Intervals and paired tests against plain loops, every exchange and other libraries."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

import calib
from calib import intervals, metrics
from calib.intervals import (
    all_under_calibration,
    bootstrap_all,
    debiased,
    under_calibration,
)
from calib.intervals.clusters import members_of
from calib.intervals.matched import matched_bounds
from calib.intervals.weighted import weighted
from calib.metrics.prepared import prepared
from tests.deserved import deserved


def brute_force(c, a, members, bins=15):
    """CE2 and its jackknife error, one cluster at a time, in plain loops."""

    def square(kept):
        total = 0.0
        for b in range(bins):
            lower, upper = b / bins, (b + 1) / bins
            inside = kept & (c >= lower) & ((c < upper) | (b == bins - 1))
            n = inside.sum()
            if n > 1:
                accuracy = a[inside].mean()
                gap = c[inside].mean() - accuracy
                total += n * (gap**2 - accuracy * (1 - accuracy) / (n - 1))
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
    clusters = rng.integers(60, size=300)
    cells = debiased.Cells.of(metrics.debiased_rmsce, c, a)
    found = debiased.jackknife([cells], members_of(clusters, 300))
    assert found == pytest.approx(brute_force(c, a, clusters), abs=1e-14)


@pytest.mark.parametrize("strategy", ["width", "mass"])
def test_value_and_bounds_are_roots_of_one_squared_error(strategy):
    rng = np.random.default_rng(0)
    metric = partial(metrics.debiased_rmsce, strategy=strategy, bins=10)
    for _ in range(50):
        c, a = deserved(150, rng)
        found = calib.bootstrap(metric, c, a)
        assert found.value == metric(c, a)
        assert found.low <= found.value <= found.high
        assert found.method == "root of the debiased squared error, jackknife"


PLUG_IN = ["ece", "mce", "rmsce", "ace", "ence", "smooth_ece", "ks", "classwise_ece"]


@pytest.mark.parametrize("name", PLUG_IN)
def test_a_plug_in_error_has_no_interval_and_no_test(name):
    c, a = deserved(200, np.random.default_rng(1))
    for metric in (getattr(metrics, name), partial(getattr(metrics, name))):
        alone = calib.bootstrap(metric, c, a)
        assert (alone.value, alone.low, alone.high) == (metric(c, a), None, None)
        assert alone.method.startswith("none: ")
        pair = calib.paired_difference(metric, (c, a), (c**0.7, a))
        assert pair.value == metric(c, a) - metric(c**0.7, a)
        assert (pair.low, pair.high, pair.p) == (None, None, None)


def test_a_difference_of_debiased_errors_is_one_of_squares():
    rng = np.random.default_rng(1)
    c, a = deserved(200, rng)
    other = c**0.7
    found = calib.paired_difference(metrics.debiased_rmsce, (c, a), (other, a))
    first, second = brute_force(c, a, np.arange(200))[0], brute_force(other, a, np.arange(200))[0]
    assert found.value == pytest.approx(first - second, abs=1e-14)
    assert (found.low + found.high) / 2 == pytest.approx(found.value, abs=1e-14)
    assert found.method == "difference of debiased squared errors, jackknife"


@pytest.mark.parametrize("metric", [metrics.brier, metrics.auroc])
def test_bca_agrees_with_scipy(metric):
    rng = np.random.default_rng(5)
    c, a = deserved(150, rng)
    a = a & (c > 0.3)
    ours = calib.bootstrap(metric, c, a, n=4000)
    theirs = stats.bootstrap(
        (c, a), metric, paired=True, vectorized=False, method="BCa", n_resamples=4000
    ).confidence_interval
    width = theirs.high - theirs.low
    # Ends of two runs of 4,000 resamples differ by some 2 % of the width.
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * width)
    assert "BCa" in ours.method


def test_a_mean_by_its_sums_is_the_mean_by_its_rows():
    rng = np.random.default_rng(6)
    c, a = deserved(300, rng)
    clusters = rng.integers(80, size=300)
    by_sums = calib.bootstrap(metrics.brier, c, a, clusters=clusters, n=4000)
    by_rows = calib.bootstrap(lambda c, a: metrics.brier(c, a), c, a, clusters=clusters, n=4000)
    width = by_rows.high - by_rows.low
    assert by_sums.low == pytest.approx(by_rows.low, abs=0.1 * width)  # as above
    assert by_sums.high == pytest.approx(by_rows.high, abs=0.1 * width)


def test_accuracy_of_rows_alone_has_wilsons_interval():
    c, a = deserved(200, np.random.default_rng(7))
    found = calib.bootstrap(metrics.accuracy, c, a)
    theirs = stats.binomtest(int(a.sum()), 200).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert found.method == "Wilson"
    clustered = calib.bootstrap(metrics.accuracy, c, a, clusters=np.arange(200) // 4)
    assert "BCa" in clustered.method


def test_right_and_wrong_answers_are_tested_exactly():
    first = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 1] * 3)
    second = np.array([0, 1, 0, 1, 0, 0, 0, 0, 1, 1] * 3)
    c = np.full(30, 0.7)
    found = calib.paired_difference(metrics.accuracy, (c, first), (c, second))
    # 12 gained, 3 lost; both sum the same tail, in another order.
    assert found.p == pytest.approx(stats.binomtest(12, 15).pvalue, rel=1e-12)
    assert "McNemar" in found.method
    assert calib.paired_difference(metrics.accuracy, (c, first), (c, first)).p == 1.0


def paired(gained: int, lost: int, rows: int, each: int = 1):
    """Accuracies that differ so often, of rows in clusters of ``each`` that are alike."""
    first = np.repeat([1, 0, 1], [gained, lost, rows - gained - lost])
    second = np.repeat([0, 1, 1], [gained, lost, rows - gained - lost])
    c, clusters = np.full(rows * each, 0.7), np.arange(rows * each) // each
    return calib.paired_difference(
        metrics.accuracy,
        (c, np.repeat(first, each)),
        (c, np.repeat(second, each)),
        clusters=clusters,
        n=200,
    )


@pytest.mark.parametrize("rows", [25, 40, 300])
def test_where_few_rows_differ_interval_and_exact_p_agree(rows: int):
    """Four answers gained and none lost were +5 … +25 points beside p = 0.125."""
    for gained in range(25):
        for lost in range(0, 25 - gained, 1 + rows // 100):
            if gained + lost:
                found = paired(gained, lost, rows)
                exact = stats.binomtest(gained, gained + lost).pvalue
                assert found.p == pytest.approx(exact, rel=1e-9)
                assert found.low <= found.value <= found.high
                assert (found.low > 0 or found.high < 0) == (exact < 0.05), (gained, lost)


def test_bounds_where_few_rows_differ_are_those_of_draws():
    """Melding by drawing from both confidence distributions, as Fay and Lumley describe it."""
    rng, draws = np.random.default_rng(0), 400_000
    for gained, lost, rows in ((4, 0, 40), (8, 7, 120), (3, 9, 30)):
        found, differing = paired(gained, lost, rows), gained + lost
        for end, more, fewer in ((found.low, gained, lost), (-found.high, lost, gained)):
            share = rng.beta(more, fewer + 1, draws) if more else np.zeros(draws)
            differ = np.where(
                share > 0.5,
                rng.beta(differing, rows - differing + 1, draws),
                rng.beta(differing + 1, rows - differing, draws),
            )
            drawn = np.quantile(differ * (2 * share - 1), 0.025)
            assert end == pytest.approx(drawn, abs=0.002)  # four standard errors of the quantile


@pytest.mark.parametrize(("share_gained", "share_lost"), [(0.1, 0.0), (0.3, 0.05), (0.2, 0.2)])
def test_bounds_where_few_rows_differ_hold_as_often_as_they_say(share_gained, share_lost):
    """Of every outcome of 24 rows, by its probability; where none differs there are no bounds."""
    rest = [share_gained, share_lost, 1 - share_gained - share_lost]
    held = total = 0.0
    for gained, lost in itertools.product(range(25), repeat=2):
        if 0 < gained + lost <= 24:
            chance = stats.multinomial.pmf([gained, lost, 24 - gained - lost], 24, rest)
            low, high = matched_bounds(gained, lost, 24)
            total += chance
            held += chance * (low <= share_gained - share_lost <= high)
    assert held >= 0.95 * total


def test_many_rows_that_differ_are_resampled():
    assert "BCa" in paired(20, 5, 300).method and "melded" in paired(20, 4, 300).method


def test_few_clusters_that_differ_are_not_resampled():
    """Four clusters gained and none lost: p = 0.125 by exchanges, and a bootstrap excluded 0."""
    found = paired(4, 0, 40, each=3)
    assert (found.low, found.high) == (None, None)
    assert "fewer than 10 clusters of rows (4)" in found.method
    assert found.p == pytest.approx(0.125, abs=0.014)  # four standard errors of 10,000 exchanges
    assert paired(8, 2, 40, each=3).low is not None


def test_exchanges_of_clusters_are_all_exchanges():
    """Against every one of the 2^10 exchanges of ten clusters."""
    rng = np.random.default_rng(8)
    c, a = deserved(40, rng)
    other = np.clip(c + rng.normal(0.05, 0.1, 40), 0, 1)
    clusters = np.repeat(np.arange(10), 4)
    found = calib.paired_difference(metrics.brier, (c, a), (other, a), clusters=clusters)
    parts = np.bincount(clusters, (c - a) ** 2 - (other - a) ** 2)
    signs = np.array(list(itertools.product((-1, 1), repeat=10)))
    exact = np.mean(np.abs(signs @ parts) >= abs(parts.sum()) * (1 - 1e-12))
    assert found.p == pytest.approx(exact, abs=0.02)  # four standard errors of 10,000 exchanges
    assert found.least_p == 1 / 10_001


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
    assert calib.paired_difference(metrics.debiased_rmsce, (c, a), (c, a)).p == 1.0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="two clusters"):
        calib.bootstrap(metrics.brier, [0.5, 0.5], [1, 0], groups=[3, 3])
    with pytest.raises(ValueError, match=r"clusters must be \(2,\)"):
        calib.bootstrap(metrics.ece, [0.5, 0.5], [1, 0], groups=[3])
    with pytest.raises(ValueError, match="equally many, got 2 and 1"):
        calib.paired_difference(metrics.brier, ([0.5, 0.5], [1, 0]), ([0.5], [1]))
    with pytest.raises(ValueError, match="only one kind"):
        calib.bootstrap(metrics.auroc, [0.5, 0.5], [1, 1])
    with pytest.raises(ValueError, match="pass one"):
        calib.bootstrap(metrics.brier, [0.5, 0.5], [1, 0], groups=[1, 2], clusters=[1, 2])


def test_groups_is_the_old_name_of_clusters():
    c, a = deserved(60, np.random.default_rng(9))
    names = np.arange(60) // 3
    by_old = calib.bootstrap(metrics.brier, c, a, groups=names)
    assert by_old == calib.bootstrap(metrics.brier, c, a, clusters=names)


def test_a_metric_that_seldom_exists_has_no_interval():
    c, right = np.linspace(0.3, 0.9, 20), np.arange(20) >= 10

    def first_row_alone(confidence, correct):
        if (confidence == c[0]).sum() != 1:
            raise ValueError
        return confidence.mean()

    found = calib.bootstrap(first_row_alone, c, right, n=200)
    assert (found.low, found.high) == (None, None)
    assert "fewer than half" in found.method


@pytest.mark.parametrize(
    ("metric", "confidence", "correct", "clusters", "reason"),
    [
        (metrics.brier, [0.5, 0.6] * 4, [1, 0] * 4, None, "fewer than 10 clusters of rows (8)"),
        (metrics.brier, [0.5, 0.6] * 40, [1, 0] * 40, [1, 2] * 40, "fewer than 10 clusters"),
        (metrics.auroc, np.linspace(0, 1, 40), [0] * 3 + [1] * 37, None, "5 wrong answers (3)"),
        (metrics.aurc, np.linspace(0, 1, 40), [0] * 36 + [1] * 4, None, "5 right answers (4)"),
        (metrics.debiased_rmsce, [0.98] * 30, [1] * 30, None, "fewer than 5 wrong answers (0)"),
        (metrics.auroc, np.linspace(0, 1, 40), [0] * 20 + [1] * 20, None, "same on all"),
        (metrics.nll, [0.0] + [0.9] * 29, [1] * 30, None, "not finite"),
        (
            lambda c, a: 1 - len(np.unique(c)) / len(c),  # above 0 on every resample
            np.linspace(0.5, 1, 200),
            np.arange(200) % 2,
            None,
            "moves the metric away",
        ),
    ],
)
def test_no_interval_where_none_would_be_right(metric, confidence, correct, clusters, reason):
    found = calib.bootstrap(metric, confidence, correct, clusters=clusters, n=200)
    assert (found.low, found.high) == (None, None)
    assert reason in found.method


def test_clusters_that_are_all_right_leave_room():
    found = calib.bootstrap(
        metrics.accuracy, np.full(200, 0.9), np.ones(200), clusters=np.arange(200) // 4
    )
    assert (found.low, found.high) == pytest.approx(intervals.wilson(50, 50))


@pytest.mark.parametrize("metric", [metrics.debiased_rmsce, metrics.auroc, metrics.nll])
def test_no_p_where_nothing_varies_or_is_finite(metric):
    """Answers that are all right once gave p = 0, and one infinite row p = 0.0001."""
    right, sure = np.ones(30), np.full(30, 0.98)
    zero = np.r_[0.0, sure[1:]]
    a = np.r_[np.zeros(15), right[15:]] if metric is metrics.auroc else right
    b = np.linspace(0.1, 0.9, 30) if metric is metrics.auroc else sure
    first = zero if metric is metrics.nll else np.full(30, 0.93)
    found = calib.paired_difference(metric, (first, a), (b, a), n=200)
    assert (found.low, found.high, found.p) == (None, None, None)


@pytest.mark.parametrize("metric", [metrics.auroc, metrics.aurc, metrics.brier, metrics.accuracy])
def test_weights_stand_for_repeated_rows(metric):
    rng = np.random.default_rng(11)
    c = np.round(rng.random(60), 1)  # many ties
    a = rng.random(60) < c
    weights = rng.integers(0, 4, 60).astype(float)
    rows = np.repeat(np.arange(60), weights.astype(int))
    assert weighted(metric, c, a)(weights) == pytest.approx(metric(c[rows], a[rows]), abs=1e-14)


def test_metrics_together_are_metrics_alone():
    c, a = deserved(100, np.random.default_rng(12))
    clusters = np.arange(100) // 3
    cases = {name: (getattr(metrics, name), c, a) for name in ("ece", "auroc", "brier", "accuracy")}
    for name, found in bootstrap_all(cases, clusters=clusters, n=300).items():
        assert found == calib.bootstrap(cases[name][0], c, a, clusters=clusters, n=300)
    errors = {"ece": metrics.ece, "mce": partial(metrics.mce, bins=10), "ks": metrics.ks}
    for name, null in all_under_calibration(errors, c, a, n=100).items():
        assert null == under_calibration(errors[name], c, a, n=100)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.ece,
        partial(metrics.ece, strategy="mass", bins=7),
        partial(metrics.ece, strategy="quantile"),
        partial(metrics.mce, min_count=3, closed="right"),
        metrics.rmsce,
        metrics.debiased_rmsce,
        partial(metrics.ace, bins=5),
        metrics.ence,
        partial(metrics.ence, kind="bernoulli"),
        partial(metrics.ence, kind="bernoulli", strategy="mass", bins=4, min_count=2),
        metrics.smooth_ece,
        metrics.ks,
        metrics.brier,
    ],
)
def test_bins_found_once_are_the_metrics_bins(metric):
    rng = np.random.default_rng(13)
    c = np.append(rng.random(200), [0.0, 1.0, 0.2, 0.4])
    value = prepared(metric, c)
    for _ in range(5):
        a = (rng.random(204) < c).astype(float)
        assert value(a) == metric(c, a)
