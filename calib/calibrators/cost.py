"""What answering costs at each threshold of ``calib.abstention``, and where it costs least.

A question costs ``wrong``, ``right`` or ``abstain``. The threshold that is cheapest on some
questions looks cheaper on them than it is. So the cheapest is chosen on one half of the clusters,
split by a seed, and everything said of it is measured on the other half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.calibrators.abstention import candidates, one_a_cluster
from calib.intervals import (
    LEAST_RESAMPLES,
    Difference,
    Interval,
    bootstrap_all,
    mean_of,
    paired_difference,
)
from calib.intervals.betting import upper_bound
from calib.intervals.clusters import members_of, split
from calib.intervals.shares import FEWEST_CLUSTERS
from calib.metrics import binning
from calib.metrics.arrays import labels, whole

Floats = NDArray[np.float64]

NOTHING_ANSWERED = "exact, since no question is answered"
COST = mean_of(lambda first, second: first)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a wrong answer, no answer and a right answer cost."""

    wrong: float
    abstain: float
    right: float

    def __post_init__(self) -> None:
        for name in ("wrong", "abstain", "right"):
            cost = getattr(self, name)
            if not isinstance(cost, Real) or not math.isfinite(cost):
                raise ValueError(f"{name} must be a finite number, got {cost!r}")
        if not self.right < self.wrong:
            raise ValueError(
                f"wrong must cost more than right, got {self.wrong!r} and {self.right!r}"
            )

    def of(self, c: Floats, a: Floats, value: float) -> Floats:
        """(N,): what questions cost where those of confidence ``c`` >= ``value`` are answered."""
        given = np.where(a == 1, self.right, self.wrong)
        return np.where(c >= value, given, self.abstain)

    def bound(self, costs: Floats, delta: float) -> float:
        """``upper_bound`` of the expectation of independent costs (N,)."""
        low, high = min(self.right, self.abstain), max(self.wrong, self.abstain)
        shares = np.clip((costs - low) / (high - low), 0.0, 1.0)  # but for rounding inside already
        return low + (high - low) * upper_bound(shares, delta)


@dataclass(frozen=True, slots=True)
class CostAt:
    """Answer where confidence >= ``value``: the share answered, and the mean cost a question."""

    value: float
    coverage: float
    cost: Interval


@dataclass(frozen=True, slots=True)
class Cheapest(CostAt):
    """The threshold chosen on ``n_chosen`` questions; all other fields are of ``n`` others.

    ``bound``: with probability 1 - delta the expected cost of new questions is no higher.
    ``over_answering`` and ``over_abstaining``: its cost minus that of answering every question, and
    of answering none, in pairs.
    """

    n_chosen: int
    n: int
    bound: float
    over_answering: Difference
    over_abstaining: Difference


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """``thresholds``: from the highest, which answers nothing, to the lowest, which answers all.

    ``calibrated`` is where a calibrated confidence would be cheapest, of the costs alone.
    ``cheapest`` is None where the clusters are too few to choose on some and judge on others.
    """

    thresholds: tuple[CostAt, ...]
    calibrated: float
    cheapest: Cheapest | None


def expected_cost(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    wrong: float,
    abstain: float,
    right: float = 0.0,
    delta: float = 0.05,
    clusters: ArrayLike | None = None,
    n: int = 2000,
    seed: int = 0,
) -> ExpectedCost:
    """The mean cost a question at every threshold, with 95 % intervals, and the cheapest threshold.

    confidence (N,) in [0, 1], correct (N,) of 0 and 1. wrong, abstain, right: what a wrong answer,
    no answer and a right answer cost; gains are below 0. delta: the probability with which the
    bound of the cheapest may fail. clusters: (N,) labels of rows that belong together. n: resamples
    of an interval. The intervals of ``thresholds`` hold one at a time, not all together.

    Raises ValueError on unfit arrays and for costs that are no numbers or do not make a wrong
    answer dearer than a right one.
    """
    c, a = binning.pairs(confidence, correct)
    prices = Prices(wrong, abstain, right)
    if not isinstance(delta, Real) or not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta!r}")
    n, seed = whole("n", n, LEAST_RESAMPLES), whole("seed", seed, 0)
    of = None if clusters is None else labels("clusters", clusters, len(c))
    values = [math.inf, *candidates(c).tolist()]
    intervals = intervals_of({value: prices.of(c, a, value) for value in values}, of, n, seed)
    thresholds = tuple(
        CostAt(value, float((c >= value).mean()), intervals[value]) for value in values
    )
    calibrated = (wrong - abstain) / (wrong - right)
    together = members_of(of, len(c))
    if together.count < 2 * FEWEST_CLUSTERS:
        return ExpectedCost(thresholds, calibrated, None)
    first, second = split(together.of, seed)
    value = cheapest_on(c[first], a[first], prices)
    judged, within = prices.of(c[second], a[second], value), together.of[second]
    apart = one_a_cluster(within, len(second), seed)
    differences = [
        paired_difference(COST, (judged, judged), (other, other), clusters=within, n=n, seed=seed)
        for at in (-math.inf, math.inf)
        for other in [prices.of(c[second], a[second], at)]
    ]
    cheapest = Cheapest(
        value=value,
        coverage=float((c[second] >= value).mean()),
        cost=intervals_of({value: judged}, within, n, seed)[value],
        n_chosen=len(first),
        n=len(second),
        bound=abstain if value == math.inf else prices.bound(judged[apart], delta),
        over_answering=differences[0],
        over_abstaining=differences[1],
    )
    return ExpectedCost(thresholds, calibrated, cheapest)


def cheapest_on(c: Floats, a: Floats, prices: Prices) -> float:
    """The cheapest threshold of these rows; of equally cheap ones the lowest.

    The candidates are of these rows, too: others' confidences are no more known than their answers.
    """
    values: list[float] = [math.inf, *candidates(c).tolist()]
    costs = {value: float(prices.of(c, a, value).mean()) for value in values}
    return min(costs, key=lambda value: (costs[value], value))


def intervals_of(
    costs: Mapping[float, Floats], of: NDArray[Any] | None, n: int, seed: int
) -> dict[float, Interval]:
    """By threshold, the interval of the mean of its costs (N,); exact where nothing is answered."""
    cases = {str(value): (COST, each, each) for value, each in costs.items() if value < math.inf}
    intervals = bootstrap_all(cases, clusters=of, n=n, seed=seed)
    exact = {value: float(each[0]) for value, each in costs.items() if value == math.inf}
    return {
        **{value: Interval(cost, cost, cost, NOTHING_ANSWERED) for value, cost in exact.items()},
        **{float(name): interval for name, interval in intervals.items()},
    }
