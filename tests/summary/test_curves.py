"""Bins and curves as they are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.intervals import wilson
from calib.intervals.band import RESAMPLES
from calib.intervals.clusters import members_of
from calib.intervals.resampling import resamples
from calib.runs import open_run
from calib.summary import summarize
from calib.summary.compare import compare
from calib.summary.curves import diagram, quantiles, risk_coverage, selective, spread
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
    curve = risk_coverage(scored([0.9, 0.9, 0.5, 0.4], [1, 0, 1, 0]), seed=0)
    assert curve["points"] == [[0.5, 0.5], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]
    assert curve["overall"] == 0.5
    assert curve["best"] == 0.5


def test_a_long_curve_is_thinned_but_ends_at_everything():
    c = np.linspace(0, 1, 5000)
    curve = risk_coverage(scored(c, c > 0.5), seed=0)
    assert len(curve["points"]) < 300
    assert curve["points"][-1] == [1.0, curve["overall"]]


def test_quantile_bins_are_equally_full_and_keep_ties_together():
    rng = np.random.default_rng(0)
    c = np.concatenate([rng.uniform(0.5, 0.9, 160), np.full(40, 0.95)])
    correct = rng.random(200) < c
    bins = quantiles(scored(c, correct))
    assert [row["n"] for row in bins] == [20] * 8 + [40]
    assert bins[-1]["low"] == bins[-1]["high"] == bins[-1]["confidence"] == 0.95
    for row in bins:
        here = (c >= row["low"]) & (c <= row["high"])
        assert (row["n"], row["correct"]) == (here.sum(), correct[here].sum())
        assert row["confidence"] == pytest.approx(c[here].mean())
        low, high = wilson(row["correct"], row["n"])
        assert (row["accuracy_low"], row["accuracy_high"]) == (low, high)


@pytest.mark.parametrize(("n", "bins"), [(1, 1), (39, 1), (40, 2), (199, 9), (5000, 10)])
def test_quantile_bins_hold_enough_rows(n, bins):
    c = np.linspace(0.2, 0.8, n)
    found = quantiles(scored(c, c > 0.5))
    assert len(found) == bins and sum(row["n"] for row in found) == n


def test_intervals_of_quantiles_allow_for_clusters():
    c = np.repeat(np.linspace(0.5, 0.9, 40), 10)
    rows = scored(c, np.repeat(np.arange(40) % 2 == 0, 10))
    apart, together = (
        quantiles(replace(rows, cluster=k)) for k in (np.arange(400), np.arange(400) // 10)
    )
    for one, other in zip(apart, together, strict=True):
        assert other["accuracy_high"] - other["accuracy_low"] > 1.5 * (
            one["accuracy_high"] - one["accuracy_low"]
        )


@pytest.mark.parametrize(
    ("low", "high", "right", "first", "last", "bins"),
    [
        (0.0, 1.0, 20, 0.0, 1.0, 20),
        (0.506, 1.0, 700, 0.5, 1.0, 25),
        (0.87, 1.0, 900, 0.87, 1.0, 13),
        (0.0, 0.3, 490, 0.0, 0.5, 25),  # the accuracy lies above every confidence
        (0.5, 1.0, 0, 0.0, 1.0, 20),
        (0.97, 1.0, 980, 0.9, 1.0, 20),  # as wide as it may be narrow
        (0.7, 0.7, 701, 0.65, 0.755, 21),
        (1.0, 1.0, 1001, 0.9, 1.0, 20),
        (0.0, 0.0, 0, 0.0, 0.1, 20),
    ],
)
def test_the_histogram_has_narrow_bins_where_the_confidences_lie(
    low, high, right, first, last, bins
):
    c, correct = np.linspace(low, high, 1001), np.arange(1001) >= 1001 - right
    found = spread(scored(c, correct))
    assert (found[0]["low"], found[-1]["high"], len(found)) == (first, last, bins)
    assert found[0]["low"] <= correct.mean() <= found[-1]["high"]
    assert sum(row["n"] for row in found) == 1001
    assert sum(row["correct"] for row in found) == right
    for row in found[:-1]:
        assert row["n"] == ((c >= row["low"]) & (c < row["high"])).sum()


def by_hand(confidence, correct, coverage):
    """The error rate among the surest share of rows; a tie is answered in proportion."""
    wanted, errors, left = coverage * len(confidence), 0.0, coverage * len(confidence)
    for value in sorted(set(confidence), reverse=True):
        tie = [not right for c, right in zip(confidence, correct, strict=True) if c == value]
        taken = min(left, len(tie))
        errors += taken * sum(tie) / len(tie)
        left -= taken
        if left <= 0:
            break
    return errors / wanted


def test_the_band_is_that_of_resampled_rows_ranked_anew():
    rng = np.random.default_rng(1)
    c = np.round(rng.uniform(0.3, 1, 60), 1)  # ties
    correct, cluster = rng.random(60) < c - 0.2, np.repeat(np.arange(20), 3)
    curve = risk_coverage(replace(scored(c, correct), cluster=cluster), seed=5)
    draws = []
    for weights in resamples(members_of(cluster, 60), RESAMPLES, 5):
        rows = np.repeat(np.arange(60), weights.astype(int))
        draws.append([by_hand(c[rows], correct[rows], share) for share, _ in curve["points"]])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    tested = 0
    for k, (share, risk) in enumerate(curve["points"]):
        assert risk == pytest.approx(by_hand(c, correct, share))
        if min(risk, 1 - risk) * share * 60 >= 4.5:
            # Sums in another order differ in their last bits.
            assert (curve["low"][k], curve["high"][k]) == pytest.approx((low[k], high[k]))
            tested += 1
    assert tested >= 4


def test_a_thinned_band_is_close_to_that_of_every_point():
    rng = np.random.default_rng(2)
    c = rng.uniform(0, 1, 3000)
    correct, cluster = rng.random(3000) < c, np.arange(3000)
    every, thin = (selective(c, correct, cluster, 0, points) for points in (3000, 50))
    at = {tuple(point): k for k, point in enumerate(every["points"])}
    errors = [round(share * risk * 3000) for share, risk in thin["points"]]
    for k, (share, risk) in enumerate(thin["points"][1:-1], start=1):
        same = at[share, risk]
        # Inside a step errors are taken to be evenly spread; they might be all at its end.
        step = max(errors[k] - errors[k - 1], errors[k + 1] - errors[k]) / (share * 3000)
        for end in ("low", "high"):
            assert thin[end][k] == pytest.approx(every[end][same], abs=step)
    assert (thin["low"][-1], thin["high"][-1]) == (every["low"][-1], every["high"][-1])


def test_where_few_are_wrong_the_band_is_wilsons_and_never_certain():
    c = np.linspace(1, 0.5, 100)
    curve = risk_coverage(scored(c, np.arange(100) < 90), seed=0)
    assert curve["points"][49] == [0.5, 0.0]
    assert (curve["low"][49], curve["high"][49]) == pytest.approx(wilson(0, 50))
    clustered = replace(scored(c, np.arange(100) < 90), cluster=np.arange(100) // 5)
    assert risk_coverage(clustered, seed=0)["high"][49] == pytest.approx(wilson(0, 10)[1])


def test_fewer_than_ten_clusters_have_no_band():
    rows = replace(scored(np.linspace(0, 1, 90), np.arange(90) % 2), cluster=np.arange(90) // 10)
    curve = risk_coverage(rows, seed=0)
    assert curve["low"] == curve["high"] == [None] * len(curve["points"])
    assert curve["band"].startswith("none")


def test_results_hold_what_is_drawn(make_run, tmp_path):
    run = open_run(make_run(tmp_path / "one", n=120))
    found = summarize(run)
    for name in ("rows", "quantiles", "spread"):
        assert sum(row["n"] for row in found["diagram"][name]) == 120
        right = sum(row["correct"] for row in found["diagram"][name])
        assert right == round(120 * found["overall"]["accuracy"])
    curve, fitted = found["risk_coverage"], found["temperature"]
    assert len(curve["points"]) == len(curve["low"]) == len(curve["high"])
    for side in ("before", "after"):
        assert sum(row["n"] for row in fitted[f"{side}_quantiles"]) == fitted["n_judged"]
    assert fitted["before_quantiles"] != fitted["after_quantiles"]
    both = compare([run, open_run(make_run(tmp_path / "other", n=120))])
    assert all(sum(row["n"] for row in each["quantiles"]) == 120 for each in both["runs"])
