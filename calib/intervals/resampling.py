"""BCa bootstrap over clusters (Efron 1987): of ratios by their clusters' sums, else of rows.

Acceleration comes from a jackknife over clusters. A metric of rows is computed anew for each part
left out, so clusters are then left out in at most ``BLOCKS`` parts: the skewness of a part's sum
falls as its size grows just as the acceleration asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals.clusters import Ints, Members
from calib.intervals.shares import ratio

Floats = NDArray[np.float64]
Metric = Callable[[Any, Any], float]

LEVEL = 0.95
NORMAL = NormalDist()
BLOCKS = 200
CHUNK = 1 << 22
"""Numbers per array of resamples."""


def bca(sums: Floats, n: int, seed: int) -> tuple[float, float]:
    """The bounds of a ratio with ``sums`` (2, G) per cluster."""
    return bounds(*statistics_of(lambda each: ratio(each), sums, n, seed))


def bca_of_pairs(first: Floats, second: Floats, n: int, seed: int) -> tuple[float, float]:
    """The bounds of the difference of two ratios, (2, G) each, in whole clusters."""
    pairs = np.concatenate([first, second])
    return bounds(*statistics_of(lambda each: ratio(each[:2]) - ratio(each[2:]), pairs, n, seed))


def statistics_of(
    statistic: Callable[[Floats], Floats], sums: Floats, n: int, seed: int
) -> tuple[float, Floats, Floats]:
    """Observed, (n,) resampled and (G,) left-one-out values of a statistic of total sums."""
    total, count = sums.sum(axis=1), sums.shape[1]
    rng = np.random.default_rng(seed)
    draws = np.empty(n)
    step = max(1, CHUNK // (count * len(sums)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for start in range(0, n, step):
            size = min(step, n - start)
            drawn = rng.integers(count, size=(size, count))
            draws[start : start + size] = statistic(sums[:, drawn].sum(axis=2))
        left_out = statistic(total[:, None] - sums)
        observed = float(statistic(total))
    return observed, existing(draws, n), left_out[np.isfinite(left_out)]


def bca_of_rows(
    metric: Metric, arrays: tuple[Any, Any], members: Members, n: int, seed: int
) -> tuple[float, float]:
    """The bounds of a metric of rows."""
    return bounds(*_of_rows(lambda rows: on(metric, arrays, rows), members, n, seed))


def paired_of_rows(
    metric: Metric,
    first: tuple[Any, ...],
    second: tuple[Any, ...],
    members: Members,
    n: int,
    seed: int,
) -> tuple[float, float, float]:
    """The bounds of the difference of two models, and twice its smaller tail as p."""

    def difference(rows: Ints) -> float:
        return on(metric, first, rows) - on(metric, second, rows)

    observed, draws, left_out = _of_rows(difference, members, n, seed)
    tail = min((draws <= 0).sum(), (draws >= 0).sum())
    p = min(1.0, 2 * (int(tail) + 1) / (len(draws) + 1))
    return *bounds(observed, draws, left_out), p


def on(metric: Metric, arrays: tuple[Any, ...], rows: Ints) -> float:
    return float(metric(*(array[rows] for array in arrays)))


def _of_rows(
    statistic: Callable[[Ints], float], members: Members, n: int, seed: int
) -> tuple[float, Floats, Floats]:
    """Observed, resampled and left-out values of a statistic of row numbers."""
    draws = np.array([_or_nan(statistic, rows) for rows in resamples(members, n, seed)])
    part = np.random.default_rng(seed).permutation(members.count) % BLOCKS
    kept = [np.flatnonzero(part[members.of] != k) for k in range(min(BLOCKS, members.count))]
    left_out = np.array([_or_nan(statistic, rows) for rows in kept])
    every = np.arange(len(members.of))
    return statistic(every), existing(draws, n), left_out[np.isfinite(left_out)]


def _or_nan(statistic: Callable[[Ints], float], rows: Ints) -> float:
    try:
        return statistic(rows)
    except ValueError:  # a resample may hold one class only
        return np.nan


def resamples(members: Members, n: int, seed: int) -> Iterator[Ints]:
    """Row numbers of n bootstrap samples, whole clusters at a time."""
    rng = np.random.default_rng(seed)
    order = np.argsort(members.of, kind="stable")
    size = np.bincount(members.of)
    start = np.cumsum(size) - size
    for _ in range(n):
        drawn = rng.integers(len(size), size=len(size))
        sizes = size[drawn]
        shift = np.repeat(start[drawn] - (np.cumsum(sizes) - sizes), sizes)
        yield order[shift + np.arange(len(shift))]


def existing(draws: Floats, n: int) -> Floats:
    """The resamples on which a statistic exists; ValueError where fewer than half do."""
    finite = draws[~np.isnan(draws)]
    if len(finite) < n / 2:
        raise ValueError(f"the metric exists on {len(finite)} of {n} resamples only")
    return finite


def bounds(observed: float, draws: Floats, left_out: Floats) -> tuple[float, float]:
    """The BCa bounds: percentiles of the draws, moved for their bias and skewness."""
    below = float(((draws < observed).sum() + (draws == observed).sum() / 2) / len(draws))
    least = 0.5 / len(draws)
    shift = NORMAL.inv_cdf(min(max(below, least), 1 - least))
    gap = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((gap**2).sum()) ** 1.5
    acceleration = float((gap**3).sum()) / (6 * spread) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        reach = shift + NORMAL.inv_cdf(tail)
        ends.append(NORMAL.cdf(shift + reach / (1 - acceleration * reach)))
    low, high = np.quantile(draws, ends)
    return float(low), float(high)
