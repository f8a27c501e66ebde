"""Bad input raises with the call in the message; row order and container never matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from calib_kernels import CalibrationHistogram

from calib import metrics

TOP = ["ece", "mce", "rmsce", "debiased_rmsce", "ace", "ence", "smooth_ece", "ks", "aurc", "brier"]
PAIRED = [*TOP, "nll", "auroc", "risk_coverage", "reliability_curve", "classwise_ece"]


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.0000001])
def test_what_is_no_probability_raises(name, value):
    with pytest.raises(ValueError, match=r"\[0, 1\]|probabilities"):
        getattr(metrics, name)([0.5, value, 0.2], [1, 0, 1])


@pytest.mark.parametrize("name", PAIRED)
def test_empty_raises(name):
    with pytest.raises(ValueError, match="empty"):
        getattr(metrics, name)([], [])


@pytest.mark.parametrize("name", PAIRED)
def test_unequal_lengths_raise(name):
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        getattr(metrics, name)([0.5, 0.2], [1, 0, 1])


@pytest.mark.parametrize("name", TOP)
def test_correct_is_zero_or_one(name):
    with pytest.raises(ValueError, match=r"0 and 1, got 2\.0 at row 1"):
        getattr(metrics, name)([0.5, 0.2], [1, 2])


@pytest.mark.parametrize("name", [*TOP, "auroc"])
def test_the_order_of_rows_does_not_matter(name, rows):
    c, a = rows
    order = np.random.default_rng(0).permutation(len(c))
    metric = getattr(metrics, name)
    assert metric(c[order], a[order]) == pytest.approx(metric(c, a), abs=1e-13)


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "ten"])
def test_bins_is_a_positive_integer(bad):
    with pytest.raises(ValueError, match="bins must be a positive integer"):
        metrics.ece([0.5], [1], bins=bad)


def test_bins_are_bounded():
    with pytest.raises(ValueError, match="bins must be at most 1,000,000, got 1000000000"):
        metrics.ece([0.5], [1], bins=10**9)


def test_unknown_words_are_named():
    with pytest.raises(ValueError, match="strategy must be"):
        metrics.ece([0.5], [1], strategy="even")
    with pytest.raises(ValueError, match="closed must be"):
        metrics.ece([0.5], [1], closed="both")
    with pytest.raises(ValueError, match="kind must be"):
        metrics.ence([0.5], [1], kind="gaussian")
    with pytest.raises(ValueError, match="takes strategy"):
        metrics.ence([0.5], [1], kind="bernoulli", strategy="quantile")


def test_auroc_needs_both_kinds():
    with pytest.raises(ValueError, match="right and wrong"):
        metrics.auroc([0.5, 0.6], [1, 1])


def test_classes_are_checked():
    p = [[0.5, 0.5], [0.1, 0.9]]
    with pytest.raises(ValueError, match=r"0\.\.1"):
        metrics.nll(p, [0, 2])
    with pytest.raises(ValueError, match=r"\(N, K\)"):
        metrics.brier(p, [0])
    with pytest.raises(ValueError, match="offered must have"):
        metrics.classwise_ece(p, [0, 1], offered=[True, True])
    assert metrics.nll(p, [0, 1]) == pytest.approx(-(math.log(0.5) + math.log(0.9)) / 2)


def test_an_impossible_outcome_has_infinite_loss():
    assert metrics.nll([0.0, 0.5], [1, 1]) == math.inf


def test_classes_are_judged_where_they_are_offered():
    p = [[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.0, 0.3, 0.7]]
    offered = [[1, 1, 0], [1, 1, 0], [0, 1, 1]]
    parts = [
        metrics.ece([0.8, 0.6], [1, 0]),
        metrics.ece([0.2, 0.4, 0.3], [0, 1, 0]),
        metrics.ece([0.7], [1]),
    ]
    found = metrics.classwise_ece(p, [0, 1, 2], offered=offered)
    assert found == pytest.approx(np.mean(parts))


def test_regression_is_checked():
    with pytest.raises(ValueError, match="negative"):
        metrics.ence_regression([0], [-1], [0])
    with pytest.raises(ValueError, match="empty"):
        metrics.uce([], [], [])
    with pytest.raises(ValueError, match="finite"):
        metrics.uce([0.0], [math.nan], [0.0])
    assert math.isnan(metrics.ence_regression([0, 0], [0, 0], [1, 1]))


def test_sparse_bins_can_be_left_out():
    c, a = np.array([0.05, 0.95, 0.96]), np.array([1, 1, 0])
    assert metrics.mce(c, a, bins=10) == pytest.approx(0.95)
    assert metrics.mce(c, a, bins=10, min_count=2) == pytest.approx(0.455)
    with pytest.raises(ValueError, match="fullest bin holds 2"):
        metrics.mce(c, a, bins=10, min_count=3)


def test_risk_coverage_has_a_point_per_confidence():
    coverage, risk = metrics.risk_coverage([0.9, 0.9, 0.5, 0.4], [1, 0, 1, 0])
    assert coverage.tolist() == [0.5, 0.75, 1.0]
    assert risk.tolist() == [0.5, pytest.approx(1 / 3), 0.5]


def test_tied_rows_count_as_a_random_order_on_average():
    c, a = np.array([0.9, 0.5, 0.5, 0.1]), np.array([1, 1, 0, 0])
    orders = [[0, 1, 2, 3], [0, 2, 1, 3]]
    areas = [np.mean(np.cumsum(1 - a[order]) / np.arange(1, 5)) for order in orders]
    assert metrics.aurc(c, a) == pytest.approx(np.mean(areas))


BY_HISTOGRAM = ["ece", "mce", "rmsce", "debiased_rmsce", "ence"]


@pytest.mark.parametrize("name", BY_HISTOGRAM)
def test_a_histogram_stands_for_the_rows(name, rows):
    c, a = rows
    histogram = CalibrationHistogram(10)
    histogram.update(c, a)
    metric = getattr(metrics, name)
    # Rows are truncated to multiples of 2^-32; ENCE divides by conf_b of a near-empty low bin.
    assert metric(histogram) == pytest.approx(metric(c, a, bins=10), abs=2e-9)
    assert metric(histogram, bins=10) == metric(histogram)
    with pytest.raises(ValueError, match="has 10 bins, bins=15"):
        metric(histogram, bins=15)
    with pytest.raises(ValueError, match="closed='right'"):
        metric(histogram, closed="right")
    with pytest.raises(ValueError, match="brings its own"):
        metric(histogram, a)


@pytest.mark.parametrize("name", BY_HISTOGRAM)
def test_an_empty_histogram_gives_nan_and_says_so(name):
    with pytest.warns(RuntimeWarning, match="empty"):
        assert math.isnan(getattr(metrics, name)(CalibrationHistogram(10)))


def test_what_needs_rows_says_so():
    with pytest.raises(ValueError, match="needs the rows"):
        metrics.ace(CalibrationHistogram(10))
    with pytest.raises(ValueError, match="needs the rows"):
        metrics.ence(CalibrationHistogram(10), kind="bernoulli")


def test_containers_are_the_same_to_it():
    torch = pytest.importorskip("torch")
    c, a = [0.9, 0.8, 0.6], [True, True, False]
    expected = metrics.ece(c, a)
    assert metrics.ece(torch.tensor(c, dtype=torch.float64), torch.tensor(a)) == expected
    assert metrics.ece(np.array(c), np.array(a, dtype=np.int8)) == expected


ROWS = ([0.9, 0.8, 0.6, 0.7], [1, 1, 0, 1])


@pytest.mark.parametrize("name", [*TOP, "nll", "auroc", "accuracy"])
def test_tensors_are_taken_as_they_are(name):
    metric = getattr(metrics, name)
    exact = torch.tensor(ROWS[0], dtype=torch.bfloat16, requires_grad=True)
    same = metric(exact.detach().double().numpy(), ROWS[1])
    assert metric(exact, torch.tensor(ROWS[1])) == same
    assert metric(exact, torch.tensor(ROWS[1]).bool()) == same
    assert metric([torch.tensor(value) for value in exact.tolist()], ROWS[1]) == same


BAD = {
    "masked": np.ma.masked_array(ROWS[0], [False, True, False, False]),
    "complex": np.array(ROWS[0]) + 0j,
    "text": [str(value) for value in ROWS[0]],
    "dates": np.array(["2020-01-01"] * 4, dtype="datetime64[D]"),
    "none": [0.9, None, 0.6, 0.7],
    "generator": iter(ROWS[0]),
}


@pytest.mark.parametrize("name", [*TOP, "nll", "auroc", "accuracy", "risk_coverage"])
@pytest.mark.parametrize("kind", BAD)
def test_what_holds_no_numbers_is_refused(name, kind):
    values = iter(ROWS[0]) if kind == "generator" else BAD[kind]
    with pytest.raises(ValueError, match=r"masked|must hold numbers|must be a sequence"):
        getattr(metrics, name)(values, ROWS[1])


@pytest.mark.parametrize("name", [*TOP, "nll", "auroc", "classwise_ece"])
@pytest.mark.parametrize("one", [0.5, True, np.float32(1)])
def test_one_number_is_no_row(name, one):
    with pytest.raises(ValueError, match=r"\(N,|1-D"):
        getattr(metrics, name)(one, [])


def test_a_mask_that_masks_nothing_is_no_mask():
    c = np.ma.masked_array(ROWS[0], [False] * 4)
    assert metrics.ece(c, ROWS[1]) == metrics.ece(*ROWS)


@pytest.mark.parametrize("name", ["brier", "nll", "classwise_ece"])
def test_rows_of_probabilities_sum_to_one(name):
    metric = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"sum to 1, got 0\.9 in row 1"):
        metric([[0.5, 0.5], [0.5, 0.4]], [0, 1])
    coarse = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.bfloat16)  # sums to 1.0009765625
    metric(coarse, [0])
