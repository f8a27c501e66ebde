"""What a metric is when every confidence is deserved.

Rows of a cluster may be right and wrong together, which makes every error larger than it is for
independent rows. So a row draws with its cluster's random number with some probability, and else
with one of its own. That probability is chosen so that the rows of a cluster agree as often as the
observed rows do. Whatever its cluster, each row is right with the probability of its confidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.intervals.clusters import Members, members_of
from calib.metrics.arrays import numbers, value_of, whole
from calib.metrics.prepared import prepared

Metric = Callable[[Any, Any], float]


@dataclass(frozen=True, slots=True)
class Null:
    """A metric under perfect calibration: its mean, and how often it is at least the observed."""

    expected: float
    p: float


def under_calibration(
    metric: Metric,
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Null:
    """What ``metric`` is when every confidence is deserved: ``correct`` redrawn from it n times.

    confidence, correct: (N,). clusters: (N,) labels of rows that belong together; they are redrawn
    with the dependence that they show. By default each row is a cluster of its own. p = (1 + draws
    at least as large as observed) / (n + 1). Raises ValueError as the metric does.
    """
    metrics = {"": metric}
    return all_under_calibration(metrics, confidence, correct, clusters=clusters, n=n, seed=seed)[
        ""
    ]


def all_under_calibration(
    metrics: Mapping[str, Metric],
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Null]:
    """The same of several metrics, each on the same redrawn rows."""
    n, seed = whole("n", n, 1), whole("seed", seed, 0)
    c = numbers("confidence", confidence).astype(np.float64)
    a = numbers("correct", correct).astype(np.float64)
    if c.ndim != 1:
        raise ValueError(f"confidence must be (N,), as correct is redrawn from it, got {c.shape}")
    observed = {name: value_of(metric, c, a) for name, metric in metrics.items()}
    ready = {name: prepared(metric, c) for name, metric in metrics.items()}
    draws = {name: np.empty(n) for name in metrics}
    members = members_of(clusters, len(c))
    shared = 0.0 if members.alone else share_of_luck(c, a, members)
    rng = np.random.default_rng(seed)
    for number in range(n):
        luck = rng.random(len(c))
        if shared > 0:
            together = rng.random(len(c)) < shared
            luck = np.where(together, rng.random(members.count)[members.of], luck)
        redrawn = (luck < c).astype(np.float64)
        for name, value in ready.items():
            draws[name][number] = value(redrawn)
    return {
        # Equal sums can differ in their last bits.
        name: Null(
            float(each.mean()), (1 + int((each >= observed[name] * (1 - 1e-12)).sum())) / (n + 1)
        )
        for name, each in draws.items()
    }


def share_of_luck(
    confidence: NDArray[np.float64], correct: NDArray[np.float64], members: Members
) -> float:
    """The probability with which a row takes its luck from its cluster, by the method of moments.

    Two rows that both take it are right together with probability min(c_i, c_j); their covariance
    is min(c_i, c_j) - c_i c_j. The sum of these over the pairs of all clusters, times the
    probability squared, is set equal to the observed sum of (a_i - c_i)(a_j - c_j). Miscalibration
    raises the observed sum as well, which makes p larger and never smaller.
    """
    order = np.lexsort((-confidence, members.of))
    c, of = confidence[order], members.of[order]
    # Confidences fall within a cluster, so a row is the smaller of a pair with each row before it.
    start = np.searchsorted(of, of)
    least = float((c * (np.arange(len(c)) - start)).sum())

    def pairs(values: NDArray[np.float64]) -> float:
        sums = np.bincount(members.of, values, members.count)
        return float((sums**2).sum() - (values**2).sum()) / 2

    most = least - pairs(confidence)
    if most <= 0:
        return 0.0
    return math.sqrt(min(1.0, max(0.0, pairs(correct - confidence) / most)))
