"""The ECE of deserved confidences in closed form, against redrawn rows and against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest

from calib import metrics
from calib.intervals import under_calibration
from calib.intervals.floor import expected_ece


def by_sum(n: int, p: float) -> float:
    """E|X - n p| of a binomial X, term by term."""
    stats = pytest.importorskip("scipy.stats")
    k = np.arange(n + 1)
    return float(stats.binom.pmf(k, n, p) @ abs(k - n * p))


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.75, 0.999, 1.0])
def test_one_bin_is_the_binomials_mean_deviation(n: int, p: float) -> None:
    # The logarithms of factorials near 1000! lose some of the last digits.
    assert expected_ece([n], [n * p]) == pytest.approx(by_sum(n, p) / n, rel=1e-9, abs=1e-15)


def test_bins_add_up_and_empty_ones_do_not_count() -> None:
    value = expected_ece([10, 0, 30], [4.0, 0.0, 27.0])
    assert value == pytest.approx((by_sum(10, 0.4) + by_sum(30, 0.9)) / 40)


def test_redrawn_rows_have_that_ece_on_average() -> None:
    rng = np.random.default_rng(0)
    c = rng.beta(4, 1, 257)
    null = under_calibration(metrics.ece, c, rng.random(257) < c, n=4000)
    curve = metrics.reliability_curve(c, np.zeros(257))
    value = expected_ece(curve.count, curve.count * curve.confidence)
    # Confidences in a bin of 1/15 differ little; four standard errors of the mean of 4,000 draws
    # of an ECE that varies by a third of itself are 2 %.
    assert value == pytest.approx(null.expected, rel=0.02)


@pytest.mark.parametrize("p", [np.nextafter(1, 0), 1 - 1e-12, 5e-324])
def test_confidences_next_to_certain(p: float) -> None:
    assert 0 <= expected_ece([1000], [1000 * p]) < 1e-11


@pytest.mark.parametrize(
    ("count", "confidence", "words"),
    [
        ([0, 0], [0, 0], "one row or more"),
        ([-1, 3], [0, 1], "no negative"),
        ([2], [2.5], "2.5 of 2 rows in bin 0"),
        ([2, 1], [1.0], "alike"),
        ([2], [float("nan")], "confidence"),
    ],
)
def test_unfit_sums_are_refused(count: list[float], confidence: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        expected_ece(count, confidence)
