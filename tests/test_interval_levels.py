"""Over many draws: intervals cover what they say, and tests reject as seldom as they say."""

from __future__ import annotations

import numpy as np
import pytest

import calib
from calib import metrics
from calib.intervals import (
    nulls,
    under_calibration,
    wilson_of_clusters,
)
from calib.intervals.clusters import members_of
from tests.deserved import deserved


def test_a_calibrated_model_is_rarely_called_miscalibrated():
    """True error 0: the lower bound stays at 0, which no percentile bootstrap manages."""
    rng = np.random.default_rng(2)
    lows = [calib.bootstrap(metrics.debiased_rmsce, *deserved(400, rng)).low for _ in range(200)]
    assert sum(low > 0 for low in lows) <= 14  # 2.5 % nominal, 5 in 200; 14 has a chance < 1e-3
    p = [under_calibration(metrics.ece, *deserved(200, rng), n=99).p for _ in range(200)]
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 0.07  # three standard errors
    assert abs(np.mean(p) - 0.5) < 0.065


def test_a_miscalibrated_model_is_found():
    rng = np.random.default_rng(3)
    c = rng.beta(4, 1.5, 1000)
    a = rng.random(1000) < c - 0.15 * c
    found = calib.bootstrap(metrics.debiased_rmsce, c, a)
    assert 0.05 < found.low < found.high < 0.2
    null = under_calibration(metrics.ece, c, a)
    assert null.p < 0.01
    assert null.expected < metrics.ece(c, a)


def test_sharpness_is_no_difference_in_calibration():
    """Two calibrated models, one sharper: plug-in ECEs differ, the paired test stays quiet."""
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(150):
        sharp = rng.beta(0.5, 0.5, 400)
        a = rng.random(400) < sharp
        blunt = np.full(400, 0.5)
        pair = calib.paired_difference(metrics.debiased_rmsce, (sharp, a), (blunt, a))
        rejected += pair.p < 0.05
    assert rejected <= 17  # nominal 7.5; 17 has a chance below 1e-3


@pytest.mark.parametrize("shared", [0.5, 1.0])
def test_the_null_of_clusters_keeps_its_level(shared):
    """60 clusters of 10 that go together: of independent rows p would be small 9 times of 10."""
    rng = np.random.default_rng(3)
    of = np.arange(600) // 10
    ps, alone = [], []
    for _ in range(60):
        c = np.repeat(0.5 + rng.random(60) / 2, 10)
        together = rng.random(600) < shared
        luck = np.where(together, rng.random(60)[of], rng.random(600))
        ps.append(under_calibration(metrics.ece, c, luck < c, clusters=of, n=99).p)
        alone.append(under_calibration(metrics.ece, c, luck < c, n=99).p)
    # The 99.9 % limit of a binomial of 60 at 0.05 is 9.
    assert sum(p <= 0.05 for p in ps) <= 9 < sum(p <= 0.05 for p in alone)


def test_the_share_of_luck_is_found():
    rng = np.random.default_rng(4)
    members = members_of(np.arange(8000) // 4, 8000)
    for share in (0.0, 0.4, 0.8):
        c = 0.5 + rng.random(8000) / 2
        luck = np.where(rng.random(8000) < share, rng.random(2000)[members.of], rng.random(8000))
        found = nulls.share_of_luck(c, (luck < c).astype(float), members)
        # Its square has a standard error of about 0.01.
        assert found**2 == pytest.approx(share**2, abs=0.04)


@pytest.mark.parametrize(
    ("count", "each", "luck", "least"),
    # 0.95 less three standard errors of 400 sets; 0.9 of 15 clusters with 15 wrong answers in all,
    # of which the variance between clusters is poorly known.
    [(50, 4, 0.5, 0.917), (15, 10, 0.5, 0.855), (8, 10, 0.7, 0.917)],
)
def test_shares_of_clusters_are_covered(count, each, luck, least):
    rng = np.random.default_rng(5)
    of = np.repeat(np.arange(count), each)
    held = 0
    for _ in range(400):
        together = rng.random(len(of)) < luck
        right = np.where(together, rng.random(count)[of], rng.random(len(of))) < 0.9
        low, high = wilson_of_clusters(right, of)
        held += low <= 0.9 <= high
    assert held >= least * 400
