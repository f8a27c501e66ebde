"""How sure a metric is: intervals, paired differences, and what perfect calibration would give.

Binned errors are biased upwards, and resampling adds to the bias: a percentile bootstrap of a
plug-in ECE never covers a true value near 0. So for the errors in ``BINNED`` interval and test are
those of a debiased squared error, by leaving out one group at a time:

    CE2 = sum over bins of (S_b^2 - Q_b) / (n_b - 1) / n,   S = sum of c - a,   Q = sum of (c - a)^2

Everything else gets a percentile bootstrap over groups. Whether a model is miscalibrated at all is
decided by ``under_calibration``, never by an interval that leaves out 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib import metrics
from calib.metrics import binning

Metric = Callable[[Any, Any], float]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.95
NORMAL = NormalDist()
BINNED = (
    metrics.ece,
    metrics.mce,
    metrics.rmsce,
    metrics.debiased_rmsce,
    metrics.ace,
    metrics.ence,
    metrics.smooth_ece,
    metrics.ks,
    metrics.classwise_ece,
)
"""Errors with the squared-error interval; ``functools.partial`` of one counts as that one."""

CHUNK = 1 << 22
"""Numbers per array while groups are left out one by one."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric and its 95 % interval; ``method`` says how, and of what, the bounds were made."""

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """First minus second, with the two-sided p of no difference."""

    p: float


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
    groups: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of ``metric(confidence, correct)``.

    confidence, correct: whatever two arrays the metric takes, N rows each. groups: (N,) labels of
    rows that belong together (questions about one image), drawn and left out together; each row
    for itself by default. n: resamples. For ``BINNED`` the bounds are those of the root of the
    debiased CE2, in which the plug-in value need not lie.

    Raises ValueError as the metric does, and with fewer than two groups.
    """
    first, second = np.asarray(confidence), np.asarray(correct)
    value = float(metric(first, second))
    members = _groups(groups, len(second))
    if _base(metric) in BINNED:
        estimate, error = _jackknife([_Cells.of(metric, first, second)], members)
        reach = NORMAL.inv_cdf(0.5 + LEVEL / 2) * error
        low, high = (math.sqrt(max(0.0, bound)) for bound in (estimate - reach, estimate + reach))
        return Interval(value, low, high, "root of the debiased squared error, jackknife")
    draws = _draws(lambda rows: _metric_of(metric, rows)(first, second), members, n, seed)
    return Interval(value, *_percentiles(draws), f"percentile bootstrap, {n:,} resamples")


def paired_difference(
    metric: Metric,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    groups: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> Difference:
    """``metric(*first) - metric(*second)`` for two models on the same N rows, in the same order.

    first, second: (confidence, correct) of each. For ``BINNED``, bounds and p are those of the
    difference of the debiased CE2, by jackknife: two models can differ in ECE because one is
    sharper, which is no difference in calibration. Otherwise a paired bootstrap; its p is twice
    the smaller tail. groups, n, seed and errors as for ``bootstrap``.
    """
    a, b = (tuple(np.asarray(array) for array in pair) for pair in (first, second))
    if len(a[1]) != len(b[1]):
        raise ValueError(f"paired rows must be as many, got {len(a[1])} and {len(b[1])}")
    value = float(metric(*a)) - float(metric(*b))
    members = _groups(groups, len(a[1]))
    if _base(metric) in BINNED:
        cells = [_Cells.of(metric, *a), _Cells.of(metric, *b)]
        estimate, error = _jackknife(cells, members)
        reach = NORMAL.inv_cdf(0.5 + LEVEL / 2) * error
        p = 2 * NORMAL.cdf(-abs(estimate) / error) if error > 0 else float(estimate == 0)
        how = "difference of debiased squared errors, jackknife"
        return Difference(value, estimate - reach, estimate + reach, how, p)

    def difference(rows: Ints) -> float:
        on_rows = _metric_of(metric, rows)
        return on_rows(*a) - on_rows(*b)

    draws = _draws(difference, members, n, seed)
    tail = min((draws <= 0).sum(), (draws >= 0).sum())
    p = min(1.0, 2 * (int(tail) + 1) / (len(draws) + 1))
    how = f"paired percentile bootstrap, {n:,} resamples"
    return Difference(value, *_percentiles(draws), how, p)


def under_calibration(
    metric: Metric, confidence: ArrayLike, correct: ArrayLike, *, n: int = 1000, seed: int = 0
) -> Null:
    """What ``metric`` is when every confidence is deserved: ``correct`` redrawn from it n times.

    confidence, correct: (N,). p = (1 + draws at least as large as observed) / (n + 1); rows are
    drawn independently of each other. Raises ValueError as the metric does.
    """
    c, observed = np.asarray(confidence, dtype=np.float64), float(metric(confidence, correct))
    rng = np.random.default_rng(seed)
    draws = np.array([metric(c, rng.random(len(c)) < c) for _ in range(n)])
    # Equal sums can differ in their last bits.
    reached = int((draws >= observed * (1 - 1e-12)).sum())
    return Null(float(draws.mean()), (1 + reached) / (n + 1))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows of residuals c - a in the bins of one or several classes; E entries, C bins in all."""

    row: Ints  # (E,) which row an entry belongs to
    bin: Ints  # (E,)
    residual: Floats  # (E,)
    of_class: Ints  # (C,) the class of each bin

    @classmethod
    def of(cls, metric: Metric, first: NDArray[Any], second: NDArray[Any]) -> _Cells:
        """Bins as the metric itself takes them; 15 of equal width for one that has none."""
        keywords = metric.keywords if isinstance(metric, partial) else {}
        bins = keywords.get("bins") or binning.BINS
        strategy = keywords.get("strategy", "width")
        if _base(metric) is metrics.ace:
            strategy = "mass"
        closed = keywords.get("closed", "left")
        if first.ndim == 1:
            columns, offered = first[:, None], np.ones((len(first), 1), dtype=bool)
            right = second[:, None].astype(np.float64)
        else:
            columns = first
            offered = np.asarray(keywords.get("offered", np.ones(first.shape)), dtype=bool)
            right = (np.arange(first.shape[1]) == second[:, None]).astype(np.float64)
        rows, places, residuals, of_class = [], [], [], np.zeros(0, dtype=np.int64)
        for k, mask in enumerate(offered.T):
            if not mask.any():
                continue
            c = columns[mask, k].astype(np.float64)
            edges, side = binning.inner_edges(c, bins, strategy, closed)
            rows.append(np.flatnonzero(mask))
            places.append(len(of_class) + binning.place(c, edges, side))
            residuals.append(c - right[mask, k])
            of_class = np.append(of_class, np.full(len(edges) + 1, k))
        of_class = np.unique(of_class, return_inverse=True)[1]
        return cls(
            np.concatenate(rows), np.concatenate(places), np.concatenate(residuals), of_class
        )

    def sums(self, members: Ints, start: int, stop: int) -> Floats:
        """(3, stop - start, C): count, S and Q per bin of the groups start..stop-1."""
        group = members[self.row]
        inside = (group >= start) & (group < stop)
        width = len(self.of_class)
        where = (group[inside] - start) * width + self.bin[inside]
        residual = self.residual[inside]
        length = (stop - start) * width
        found = [np.bincount(where, w, length) for w in (None, residual, residual**2)]
        return np.stack(found).reshape(3, stop - start, width).astype(np.float64)

    def debiased(self, sums: Floats) -> Floats:
        """The mean over classes of CE2 for each set of sums (3, G, C), as (G,)."""
        count, s, q = sums
        square = np.where(count > 1, (s**2 - q) / np.maximum(count - 1, 1), 0.0)
        starts = np.flatnonzero(np.diff(self.of_class, prepend=-1))
        rows = np.add.reduceat(count, starts, axis=1)
        per_class = np.add.reduceat(square, starts, axis=1) / np.maximum(rows, 1)
        return np.asarray(per_class.mean(axis=1))


def _jackknife(cells: list[_Cells], members: Ints) -> tuple[float, float]:
    """CE2 of the first cells, minus that of the second if given, and its standard error."""
    count = int(members.max()) + 1
    signs = (1.0, -1.0)
    totals = []
    step = max(1, CHUNK // max(len(cell.of_class) for cell in cells))
    spans = [(start, min(start + step, count)) for start in range(0, count, step)]
    for cell in cells:
        totals.append(sum(cell.sums(members, *span).sum(axis=1, keepdims=True) for span in spans))
    estimate = sum(
        sign * float(cell.debiased(total)[0])
        for sign, cell, total in zip(signs, cells, totals, strict=False)
    )
    left_out = np.zeros(count)
    for sign, cell, total in zip(signs, cells, totals, strict=False):
        for start, stop in spans:
            without = total - cell.sums(members, start, stop)
            left_out[start:stop] += sign * cell.debiased(without)
    error = math.sqrt((count - 1) / count * float(((left_out - left_out.mean()) ** 2).sum()))
    return estimate, error


def _draws(statistic: Callable[[Ints], float], members: Ints, n: int, seed: int) -> Floats:
    """The statistic on n resamples of the groups; those on which it does not exist are left out."""
    found = []
    for rows in _resamples(members, n, seed):
        try:
            found.append(statistic(rows))
        except ValueError:  # a resample may hold one class only
            continue
    if len(found) < n / 2:
        raise ValueError(f"the metric exists on {len(found)} of {n} resamples only")
    return np.array(found)


def _resamples(members: Ints, n: int, seed: int) -> Iterator[Ints]:
    """Row numbers of n bootstrap samples, whole groups at a time."""
    rng = np.random.default_rng(seed)
    order = np.argsort(members, kind="stable")
    size = np.bincount(members)
    start = np.cumsum(size) - size
    for _ in range(n):
        drawn = rng.integers(len(size), size=len(size))
        sizes = size[drawn]
        shift = np.repeat(start[drawn] - (np.cumsum(sizes) - sizes), sizes)
        yield order[shift + np.arange(len(shift))]


def _metric_of(metric: Metric, rows: Ints) -> Metric:
    return lambda first, second: float(metric(first[rows], second[rows]))


def _groups(groups: ArrayLike | None, n: int) -> Ints:
    """Group numbers 0.. of each row (N,)."""
    if groups is None:
        members = np.arange(n)
    else:
        labels = np.asarray(groups)
        if labels.shape != (n,):
            raise ValueError(f"groups must be ({n},), one per row, got {labels.shape}")
        members = np.unique(labels, return_inverse=True)[1]
    if members.max() < 1:
        raise ValueError("an interval needs at least two groups of rows")
    return members.astype(np.int64)


def _percentiles(draws: Floats) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _base(metric: Metric) -> Metric:
    return metric.func if isinstance(metric, partial) else metric
