"""How sure a metric is: intervals, paired differences, and what perfect calibration would give.

An interval belongs to the quantity beside it, or there is none:

* **Plug-in errors** (``PLUG_IN``) are above 0 even under perfect calibration, and resampling adds
  to that, so that no resampling interval covers a true value near 0. They have no interval. What
  stands beside them is ``under_calibration``: their expectation and p when every confidence is
  deserved.
* ``metrics.debiased_rmsce`` has one: value and bounds are roots of one debiased squared error, by
  leaving out one cluster at a time.
* A **share** of rows that each stand for themselves has Wilson's.
* Everything else has a BCa bootstrap over clusters (Efron 1987).

``clusters`` are rows that belong together, such as the questions about one image: they are drawn,
left out and exchanged together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from calib import metrics
from calib.intervals import debiased, resampling
from calib.intervals.clusters import members_of, refuse_one
from calib.intervals.ratios import Ratio, mean_of, ratio_of
from calib.intervals.resampling import LEVEL
from calib.intervals.shares import FLIPS, flips, mcnemar, wilson
from calib.metrics.arrays import numbers

__all__ = [
    "LEVEL",
    "PLUG_IN",
    "Difference",
    "Interval",
    "Null",
    "Ratio",
    "bootstrap",
    "mean_of",
    "paired_difference",
    "under_calibration",
    "wilson",
]

Metric = Callable[[Any, Any], float]

PLUG_IN = (
    metrics.ece,
    metrics.mce,
    metrics.rmsce,
    metrics.ace,
    metrics.ence,
    metrics.smooth_ece,
    metrics.ks,
    metrics.classwise_ece,
)
"""Errors without an interval; ``functools.partial`` of one counts as that one."""

NO_INTERVAL = (
    "none: a plug-in error is above 0 even under perfect calibration; its expectation and p then "
    "stand beside it, and metrics.debiased_rmsce has an interval"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric and its 95 % interval; ``method`` says how, and of what, the bounds were made.

    ``low`` and ``high`` are None where the quantity has no interval, and ``method`` says why.
    """

    value: float
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """First minus second, with the two-sided p of no difference; None where there is no test.

    ``least_p`` is the smallest p that the test could have given: a p that equals it is "at most".
    """

    p: float | None
    least_p: float = 0.0


@dataclass(frozen=True, slots=True)
class Null:
    """A metric under perfect calibration: its mean, and how often it is at least the observed."""

    expected: float
    p: float


def bootstrap(
    metric: Metric,
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of ``metric(confidence, correct)``; see the module for its kind.

    confidence, correct: whatever two arrays the metric takes, N rows each. clusters: (N,) labels of
    rows that belong together; each row for itself by default. ``groups`` is its old name. n:
    resamples, where there are any.

    Raises ValueError as the metric does, and where an interval is due with fewer than two clusters.
    """
    first, second = numbers("confidence", confidence), numbers("correct", correct)
    value = float(metric(first, second))
    members = members_of(clusters, groups, len(second))
    if _base(metric) in PLUG_IN:
        return Interval(value, None, None, NO_INTERVAL)
    refuse_one(members)
    if _base(metric) is metrics.debiased_rmsce:
        cells = debiased.Cells.of(metric, first, second)
        ends = debiased.bounds(cells, *debiased.jackknife([cells], members))
        low, high = (math.sqrt(max(0.0, end)) for end in ends)
        return Interval(value, low, high, "root of the debiased squared error, jackknife")
    ratio = ratio_of(metric)
    if ratio is None:
        low, high = resampling.bca_of_rows(metric, (first, second), members, n, seed)
        return Interval(value, low, high, f"BCa bootstrap, {n:,} resamples")
    rows = ratio.rows(first, second)
    if rows.is_share and members.alone:
        low, high = wilson(round(rows.above.sum()), round(rows.below.sum()))
        return Interval(value, low, high, "Wilson")
    low, high = resampling.bca(rows.per_cluster(members), n, seed)
    return Interval(value, low, high, f"BCa bootstrap, {n:,} resamples")


def paired_difference(
    metric: Metric,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    clusters: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> Difference:
    """``metric(*first) - metric(*second)`` for two models on the same N rows, in the same order.

    first, second: (confidence, correct) of each. A ``PLUG_IN`` error has neither bounds nor p: two
    models can differ in ECE because one is sharper, which is no difference in calibration. For
    ``metrics.debiased_rmsce`` value, bounds and p are those of the difference of the debiased
    *squared* errors, which may be below 0. Means of rows (accuracy, Brier, NLL) are tested by
    exchanging the two models in whole clusters: exactly (McNemar) for right and wrong answers of
    rows that stand for themselves, else by 10,000 random exchanges. Other metrics are tested by a
    paired bootstrap, p being twice the smaller tail. clusters, groups, n, seed and errors as for
    ``bootstrap``.
    """
    a, b = (
        (numbers("confidence", pair[0]), numbers("correct", pair[1])) for pair in (first, second)
    )
    if len(a[1]) != len(b[1]):
        raise ValueError(f"paired rows must be as many, got {len(a[1])} and {len(b[1])}")
    value = float(metric(*a)) - float(metric(*b))
    members = members_of(clusters, groups, len(a[1]))
    if _base(metric) in PLUG_IN:
        return Difference(value, None, None, NO_INTERVAL, None)
    refuse_one(members)
    if _base(metric) is metrics.debiased_rmsce:
        cells = [debiased.Cells.of(metric, *a), debiased.Cells.of(metric, *b)]
        square, error = debiased.jackknife(cells, members)
        reach = debiased.REACH * error
        how = "difference of debiased squared errors, jackknife"
        return Difference(
            square, square - reach, square + reach, how, debiased.two_sided(square, error)
        )
    ratio = ratio_of(metric)
    if ratio is None:
        low, high, p = resampling.paired_of_rows(metric, a, b, members, n, seed)
        how = f"paired BCa bootstrap, {n:,} resamples"
        return Difference(value, low, high, how, p, 2 / (n + 1))
    one, other = ratio.rows(*a), ratio.rows(*b)
    sums = one.per_cluster(members), other.per_cluster(members)
    low, high = resampling.bca_of_pairs(*sums, n, seed)
    how = f"paired BCa bootstrap, {n:,} resamples"
    if members.alone and one.is_right_or_wrong and other.is_right_or_wrong:
        p = mcnemar(one.above, other.above)
        return Difference(value, low, high, f"{how}; p: exact McNemar", p)
    p, least = flips(*sums, seed)
    return Difference(value, low, high, f"{how}; p: {FLIPS:,} exchanges of clusters", p, least)


def under_calibration(
    metric: Metric, confidence: ArrayLike, correct: ArrayLike, *, n: int = 1000, seed: int = 0
) -> Null:
    """What ``metric`` is when every confidence is deserved: ``correct`` redrawn from it n times.

    confidence, correct: (N,). p = (1 + draws at least as large as observed) / (n + 1); rows are
    drawn independently of each other. Raises ValueError as the metric does.
    """
    c = numbers("confidence", confidence).astype(np.float64)
    observed = float(metric(confidence, correct))
    rng = np.random.default_rng(seed)
    draws = np.array([metric(c, rng.random(len(c)) < c) for _ in range(n)])
    # Equal sums can differ in their last bits.
    reached = int((draws >= observed * (1 - 1e-12)).sum())
    return Null(float(draws.mean()), (1 + reached) / (n + 1))


def _base(metric: Metric) -> Metric:
    return metric.func if isinstance(metric, partial) else metric
