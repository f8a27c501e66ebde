"""BCa bootstrap over clusters (Efron 1987).

Clusters are drawn with replacement; a metric is a function of how often each row then counts.
Acceleration comes from a jackknife that leaves out clusters in at most ``BLOCKS`` parts: with the
size of the parts the skewness of their sums falls just as the acceleration needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from calib.intervals.clusters import Members
from calib.intervals.weighted import Weighted

Floats = NDArray[np.float64]

LEVEL = 0.95
NORMAL = NormalDist()
BLOCKS = 200


@dataclass(frozen=True)
class Resampled:
    """A statistic of all rows, of each resample where it exists, and of all rows but each part."""

    observed: float
    draws: Floats
    left_out: Floats

    def bounds(self) -> tuple[float, float]:
        """The BCa bounds: percentiles of the draws, moved for their bias and skewness."""
        draws, observed = self.draws, self.observed
        below = float(((draws < observed).sum() + (draws == observed).sum() / 2) / len(draws))
        least = 0.5 / len(draws)
        shift = NORMAL.inv_cdf(min(max(below, least), 1 - least))
        gap = self.left_out.mean() - self.left_out if len(self.left_out) else np.zeros(1)
        spread = float((gap**2).sum()) ** 1.5
        acceleration = float((gap**3).sum()) / (6 * spread) if spread > 0 else 0.0
        ends = []
        for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
            reach = shift + NORMAL.inv_cdf(tail)
            ends.append(NORMAL.cdf(shift + reach / (1 - acceleration * reach)))
        low, high = np.quantile(draws, ends)
        return float(low), float(high)

    @property
    def tail(self) -> float:
        """A two-sided p: twice the smaller share of draws on one side of 0, with 1 added to both
        counts."""
        smaller = min((self.draws <= 0).sum(), (self.draws >= 0).sum())
        return min(1.0, 2 * (int(smaller) + 1) / (len(self.draws) + 1))


def resampled(
    statistics: Mapping[str, Weighted], members: Members, n: int, seed: int
) -> dict[str, Resampled | None]:
    """Every statistic on the same n resamples; None for one that exists on fewer than half.

    Raises ValueError where n is not positive.
    """
    if n < 1:
        raise ValueError(f"n must be a positive number of resamples, got {n}")
    every = np.ones(len(members.of))
    values = {name: float(statistic(every)) for name, statistic in statistics.items()}
    draws = {name: np.empty(n) for name in statistics}
    for number, weights in enumerate(resamples(members, n, seed)):
        for name, statistic in statistics.items():
            draws[name][number] = statistic(weights)
    parts = list(without_parts(members, seed))
    each = {name: np.array([s(weights) for weights in parts]) for name, s in statistics.items()}
    return {
        name: Resampled(values[name], exists, each[name][np.isfinite(each[name])])
        if len(exists := draws[name][~np.isnan(draws[name])]) >= n / 2
        else None
        for name in statistics
    }


def resamples(members: Members, n: int, seed: int) -> Iterator[Floats]:
    """Weights (N,) of n bootstrap samples, whole clusters at a time."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        drawn = rng.integers(members.count, size=members.count)
        yield np.bincount(drawn, minlength=members.count).astype(np.float64)[members.of]


def without_parts(members: Members, seed: int) -> Iterator[Floats]:
    """Weights (N,) of 0 for the clusters of one part and 1 for all others."""
    parts = min(BLOCKS, members.count)
    part = np.random.default_rng(seed).permutation(members.count) % parts
    for number in range(parts):
        yield (part != number).astype(np.float64)[members.of]
