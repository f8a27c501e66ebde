"""How sure a metric is: intervals, paired differences, and what perfect calibration would give.

The kind of interval depends on the quantity; some have none:

* **Plug-in errors** (``PLUG_IN``) have no interval. They are above 0 even under perfect
  calibration, and resampling adds to that, so no resampling interval covers a true value near 0.
  ``under_calibration`` gives instead their expectation and p when every confidence is deserved.
* ``metrics.debiased_rmsce`` has a jackknife interval: value and bounds are roots of the debiased
  squared error, and clusters are left out one at a time.
* A **share** of independent rows has Wilson's interval. So has a share of clusters, where either
  all rows are right or all are wrong; then each cluster counts once.
* Everything else has a BCa bootstrap over clusters (Efron 1987), of ten clusters or more.

An AUROC, AURC or debiased error has no interval where fewer than five answers are right, or fewer
than five wrong. Nor has a metric that is infinite, that is the same on all resamples, or that
resampling moves away from its value, as it moves a plug-in error in a function of the caller's own.

A large p of ``paired_difference`` does not show that two models are alike; ``paired_equivalence``
tests that they differ by less than a margin. ``calib.intervals.decomposition`` has the calibration
and the refinement that a Brier score is made of.

``clusters`` are rows that belong together, such as the questions about one image: they are drawn,
left out and exchanged together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from calib import metrics
from calib.intervals import debiased
from calib.intervals.clusters import Members, clusters_or_groups, members_of, refuse_one
from calib.intervals.enough import base_of, too_few, too_few_differ
from calib.intervals.equivalence import MARGIN, Equivalence, paired_equivalence
from calib.intervals.matched import MOST_FEW, matched_bounds
from calib.intervals.nulls import Null, all_under_calibration, under_calibration
from calib.intervals.ratios import Ratio, mean_of, ratio_of
from calib.intervals.resampling import LEVEL, Resampled, resampled
from calib.intervals.shares import (
    FLIPS,
    add_holm,
    flips,
    holm,
    mcnemar,
    wilson,
    wilson_of_clusters,
)
from calib.intervals.weighted import Weighted, weighted
from calib.metrics.arrays import numbers, pair, value_of, whole

__all__ = [
    "LEVEL",
    "MARGIN",
    "PLUG_IN",
    "Difference",
    "Equivalence",
    "Interval",
    "Null",
    "Ratio",
    "add_holm",
    "all_under_calibration",
    "bootstrap",
    "bootstrap_all",
    "holm",
    "mean_of",
    "paired_difference",
    "paired_equivalence",
    "under_calibration",
    "wilson",
    "wilson_of_clusters",
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

LEAST_RESAMPLES = 2
"""One resample has no spread."""

TOO_RARE = "none: the metric exists on fewer than half of the resamples"
SAME = "none: the metric is the same on all resamples"
MOVED = "none: resampling moves the metric away from its value, as it does with plug-in errors"
ENDLESS = "none: the metric is not finite on these rows"


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric and its 95 % interval; ``method`` says how the bounds were computed.

    Where the quantity has no interval ``low`` and ``high`` are None, and ``method`` says why.
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


MATCHED = "melded, as few rows differ; p: exact McNemar"
OF_CLUSTERS = "Wilson, of clusters that are all alike"


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
    rows that belong together; by default each row is a cluster of its own. ``groups`` is its old
    name. n: the number of resamples, where the interval is a bootstrap; a metric that exists on
    fewer than half of them has no interval.

    Raises ValueError as the metric does, and where rows in one cluster would need an interval.
    """
    labels = clusters_or_groups(clusters, groups)
    case = {"": (metric, confidence, correct)}
    return bootstrap_all(case, clusters=labels, n=n, seed=seed)[""]


def bootstrap_all(
    cases: Mapping[str, tuple[Metric, ArrayLike, ArrayLike]],
    *,
    clusters: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """``bootstrap`` of several metrics of the same N rows, each on the same resamples."""
    intervals: dict[str, Interval] = {}
    to_resample: dict[str, tuple[float, Weighted]] = {}
    n, seed = whole("n", n, LEAST_RESAMPLES), whole("seed", seed, 0)
    members = None
    for name, (metric, confidence, correct) in cases.items():
        first, second = numbers("confidence", confidence), numbers("correct", correct)
        value = value_of(metric, first, second)
        members = members_of(clusters, len(second))
        if base_of(metric) in PLUG_IN:
            intervals[name] = Interval(value, None, None, NO_INTERVAL)
            continue
        refuse_one(members)
        ratio = ratio_of(metric)
        rows = None if ratio is None else ratio.rows(first, second)
        if not math.isfinite(value):
            intervals[name] = Interval(value, None, None, ENDLESS)
        elif rows is not None and rows.is_share and (members.alone or value in (0, 1)):
            # Of clusters that are all right or all wrong each counts as one answer.
            answers = int((rows.per_cluster(members)[1] > 0).sum())
            how = "Wilson" if members.alone else OF_CLUSTERS
            intervals[name] = Interval(value, *wilson(round(value * answers), answers), how)
        elif (reason := too_few(metric, second, members)) is not None:
            intervals[name] = Interval(value, None, None, reason)
        elif base_of(metric) is metrics.debiased_rmsce:
            intervals[name] = Interval(value, *_debiased_bounds(metric, first, second, members))
        else:
            to_resample[name] = (value, weighted(metric, first, second))
    if to_resample and members is not None:
        statistics = {name: statistic for name, (_, statistic) in to_resample.items()}
        for name, each in resampled(statistics, members, n, seed).items():
            intervals[name] = Interval(
                to_resample[name][0], *_bca(each, f"BCa bootstrap, {n:,} resamples")
            )
    return {name: intervals[name] for name in cases}


def _bca(each: Resampled | None, how: str) -> tuple[float | None, float | None, str]:
    """The BCa bounds and their method; or None, None and the reason."""
    if each is None:
        return None, None, TOO_RARE
    # A mean of equal numbers moves by roundings.
    if each.draws.max() - each.draws.min() <= 1e-12 * abs(each.draws).max():
        return None, None, SAME
    low, high = each.bounds()
    return (low, high, how) if low <= each.observed <= high else (None, None, MOVED)


def _debiased_bounds(
    metric: Metric, first: Any, second: Any, members: Members
) -> tuple[float, float, str]:
    cells = debiased.Cells.of(metric, first, second)
    square, error = debiased.jackknife([cells], members)
    low, high = debiased.Spread.of(cells, square, error).roots(square)
    return low, high, "root of the debiased squared error, jackknife"


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
    rows that stand for themselves, else by 10,000 random exchanges. Of shares of such rows, where
    at most 24 differ, the bounds are those of Fay and Lumley (2021), which agree with the exact p;
    other means have no bounds where fewer than ten clusters differ. Other metrics are tested by a
    paired bootstrap, p being twice the smaller tail. clusters, groups, n, seed and errors as for
    ``bootstrap``.
    """
    n, seed = whole("n", n, LEAST_RESAMPLES), whole("seed", seed, 0)
    a, b = pair("first", first), pair("second", second)
    if len(a[1]) != len(b[1]):
        raise ValueError(f"paired rows must be equally many, got {len(a[1])} and {len(b[1])}")
    value = value_of(metric, *a) - value_of(metric, *b)
    members = members_of(clusters_or_groups(clusters, groups), len(a[1]))
    if base_of(metric) in PLUG_IN:
        return Difference(value, None, None, NO_INTERVAL, None)
    refuse_one(members)
    if not math.isfinite(value):
        return Difference(value, None, None, ENDLESS, None)
    few = too_few(metric, a[1], members) or too_few(metric, b[1], members)
    if base_of(metric) is metrics.debiased_rmsce:
        cells = [debiased.Cells.of(metric, *a), debiased.Cells.of(metric, *b)]
        square, error = debiased.jackknife(cells, members)
        reach = debiased.REACH * error
        how = "difference of debiased squared errors, jackknife"
        if few is not None or error == 0:
            return Difference(square, None, None, few or SAME, None if square else 1.0)
        return Difference(
            square, square - reach, square + reach, how, debiased.two_sided(square, error)
        )
    ratio = ratio_of(metric)
    rows, others = (None, None) if ratio is None else (ratio.rows(*a), ratio.rows(*b))
    if few is None and rows is not None and others is not None:
        if members.alone and rows.is_matched(others):
            gained, lost = rows.hits_besides(others), others.hits_besides(rows)
            if 0 < gained + lost <= MOST_FEW:
                bounds = matched_bounds(gained, lost, int(rows.below.sum()))
                return Difference(value, *bounds, MATCHED, mcnemar(rows.above, others.above))
        few = too_few_differ(rows, others, members)
    one, other = weighted(metric, *a), weighted(metric, *b)
    each = None
    low, high, how = None, None, few or ""
    if few is None:
        each = resampled({"": lambda w: one(w) - other(w)}, members, n, seed)[""]
        low, high, how = _bca(each, f"paired BCa bootstrap, {n:,} resamples")
    if rows is None or others is None:
        p = None if each is None or low is None else each.tail
        if how == SAME and value == 0:
            p = 1.0
        return Difference(value, low, high, how, p, 2 / (n + 1))
    if members.alone and rows.is_right_or_wrong and others.is_right_or_wrong:
        p = mcnemar(rows.above, others.above)
        return Difference(value, low, high, f"{how}; p: exact McNemar", p)
    p, least = flips(rows.per_cluster(members), others.per_cluster(members), seed)
    return Difference(value, low, high, f"{how}; p: {FLIPS:,} exchanges of clusters", p, least)
