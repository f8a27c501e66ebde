"""What a metric is when every confidence is deserved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.arrays import numbers
from calib.metrics.prepared import prepared

Metric = Callable[[Any, Any], float]


@dataclass(frozen=True, slots=True)
class Null:
    """A metric under perfect calibration: its mean, and how often it is at least the observed."""

    expected: float
    p: float


def under_calibration(
    metric: Metric, confidence: ArrayLike, correct: ArrayLike, *, n: int = 1000, seed: int = 0
) -> Null:
    """What ``metric`` is when every confidence is deserved: ``correct`` redrawn from it n times.

    confidence, correct: (N,). p = (1 + draws at least as large as observed) / (n + 1); rows are
    drawn independently of each other. Raises ValueError as the metric does.
    """
    return all_under_calibration({"": metric}, confidence, correct, n=n, seed=seed)[""]


def all_under_calibration(
    metrics: Mapping[str, Metric],
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Null]:
    """The same of several metrics, each on the same redrawn rows."""
    c = numbers("confidence", confidence).astype(np.float64)
    a = numbers("correct", correct).astype(np.float64)
    ready = {name: prepared(metric, c) for name, metric in metrics.items()}
    observed = {name: metric(c, a) for name, metric in metrics.items()}
    draws = {name: np.empty(n) for name in metrics}
    rng = np.random.default_rng(seed)
    for number in range(n):
        redrawn = (rng.random(len(c)) < c).astype(np.float64)
        for name, value in ready.items():
            draws[name][number] = value(redrawn)
    return {
        # Equal sums can differ in their last bits.
        name: Null(
            float(each.mean()), (1 + int((each >= observed[name] * (1 - 1e-12)).sum())) / (n + 1)
        )
        for name, each in draws.items()
    }
