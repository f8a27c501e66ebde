"""Metrics that are a ratio of sums over rows: means, and shares among the rows that count.

Their resampling needs the two sums of each cluster and no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.intervals.clusters import Members
from calib.metrics import proper

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """(N,) each: what a row adds to the numerator and to the denominator."""

    above: Floats
    below: Floats

    @property
    def is_share(self) -> bool:
        """Whether every row is a hit, a miss, or does not count."""
        hits = np.isin(self.above, (0.0, 1.0)) & np.isin(self.below, (0.0, 1.0))
        return bool((hits & (self.above <= self.below)).all())

    @property
    def is_right_or_wrong(self) -> bool:
        """Whether every row counts, as a hit or a miss."""
        return self.is_share and bool(self.below.all())

    def is_matched(self, other: Rows) -> bool:
        """Whether both are shares of hits among the same rows."""
        return self.is_share and other.is_share and bool((self.below == other.below).all())

    def hits_besides(self, other: Rows) -> int:
        """Hits that are misses of the other."""
        return int((self.above > other.above).sum())

    def per_cluster(self, members: Members) -> Floats:
        """(2, G): the sums of each cluster."""
        sums = [np.bincount(members.of, side, members.count) for side in (self.above, self.below)]
        return np.stack(sums)


class Ratio:
    """A metric of two arrays that is sum(above) / sum(below) of the rows that ``split`` gives."""

    def __init__(self, split: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self._split = split
        self.__name__ = split.__name__
        self.__doc__ = split.__doc__

    def rows(self, first: Any, second: Any) -> Rows:
        above, below = self._split(first, second)
        return Rows(np.asarray(above, np.float64), np.asarray(below, np.float64))

    def __call__(self, first: Any, second: Any) -> float:
        """Raises ValueError where no row counts."""
        rows = self.rows(first, second)
        if not rows.below.any():
            raise ValueError("no row counts for this share")
        return float(rows.above.sum() / rows.below.sum())


def mean_of(values: Callable[[Any, Any], Floats]) -> Ratio:
    """A mean over all rows."""

    def split(first: Any, second: Any) -> tuple[Floats, Floats]:
        each = values(first, second)
        return each, np.ones(len(each))

    return Ratio(split)


MEANS = {
    metrics.accuracy: mean_of(proper.rights),
    metrics.brier: mean_of(proper.squares),
    metrics.nll: mean_of(proper.surprises),
}


def ratio_of(metric: Callable[[Any, Any], float]) -> Ratio | None:
    """The ratio that ``metric`` is; None for a metric of another kind."""
    base = metric.func if isinstance(metric, partial) else metric
    return base if isinstance(base, Ratio) else MEANS.get(base)
