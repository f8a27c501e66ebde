"""Bins and curves as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from calib.intervals import wilson
from calib.summary.curves import diagram, risk_coverage
from calib.summary.rows import Scored


def scored(confidence, correct) -> Scored:
    n = len(confidence)
    return Scored(
        confidence=np.array(confidence, float),
        correct=np.array(correct, bool),
        answer=np.zeros(n, np.int64),
        logprob=np.zeros((n, 2)),
        mass=np.ones(n),
        parsed=np.ones(n, bool),
        cluster=np.arange(n),
        group=np.array(["g"] * n),
        task=np.array(["t"] * n),
        classes=np.zeros((n, 2), np.int64),
        vocabulary=False,
    )


def test_edges_belong_to_the_bin_above_and_one_to_the_last():
    # The counts of the hand-worked case: left-closed bins, 0 in the first and 1 in the last.
    bins = diagram(scored([0, 0.05, 0.25, 0.5, 0.5, 0.7, 0.9, 1], [0, 0, 1, 1, 0, 1, 1, 1]), 10)
    assert [row["n"] for row in bins] == [2, 0, 1, 0, 0, 2, 0, 1, 0, 2]
    assert bins[5]["accuracy"] == 0.5
    assert bins[5]["confidence"] == 0.5
    assert bins[1]["confidence"] is None
    assert bins[9]["high"] == 1.0


def test_float32_just_below_an_edge_stays_below():
    bins = diagram(scored([np.float32(0.7)], [1]), 10)
    assert bins[6]["n"] == 1


@pytest.mark.parametrize(("right", "n"), [(0, 10), (5, 10), (10, 10), (98, 100), (1, 1)])
def test_wilson_agrees_with_scipy(right, n):
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_equal_confidences_are_one_point_of_the_curve():
    curve = risk_coverage(scored([0.9, 0.9, 0.5, 0.4], [1, 0, 1, 0]))
    assert curve["points"] == [[0.5, 0.5], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]
    assert curve["overall"] == 0.5
    assert curve["best"] == 0.5


def test_a_long_curve_is_thinned_but_ends_at_everything():
    c = np.linspace(0, 1, 5000)
    curve = risk_coverage(scored(c, c > 0.5))
    assert len(curve["points"]) < 300
    assert curve["points"][-1] == [1.0, curve["overall"]]
