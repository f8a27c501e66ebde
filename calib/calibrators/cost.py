"""What answering costs at each threshold of ``calib.abstention``, and where it costs least.

A question costs ``wrong``, ``right`` or ``abstain``. The threshold that is cheapest on some
questions looks cheaper on them than it is. So the cheapest is chosen on one half of the clusters,
split by a seed, and everything said of it is measured on the other half.

A wrong answer may be as dear as it is rare. Where fewer than ten clusters hold one outcome (wrong,
right or abstained), intervals and p are those of ``calib.intervals.kinds``, which reckon with what
was not seen; else they are resampled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    Metric,
    bootstrap_all,
    mean_of,
    paired_difference,
)
from calib.intervals.betting import upper_bound
from calib.intervals.clusters import members_of, refuse_one, split
from calib.intervals.kinds import Kinds
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

    ``cost`` has the interval of this threshold's expected cost, which holds although it was chosen,
    since it was not chosen on these.

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

    The interval of the lowest is that of answering everything, whatever the confidence.

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
    answered, every = (right, wrong), (right, abstain, wrong)
    costs = {value: prices.of(c, a, value) for value in values}
    outcomes = {value: answered if value == values[-1] else every for value in values}
    intervals = intervals_of(costs, outcomes, of, n, seed)
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
    against = [
        difference_of(judged, prices.of(c[second], a[second], at), worths, within, n, seed)
        for at, worths in (
            (-math.inf, (0.0, abstain - right, abstain - wrong)),
            (math.inf, (0.0, right - abstain, wrong - abstain)),
        )
    ]
    cheapest = Cheapest(
        value=value,
        coverage=float((c[second] >= value).mean()),
        cost=intervals_of({value: judged}, {value: every}, within, n, seed)[value],
        n_chosen=len(first),
        n=len(second),
        bound=abstain if value == math.inf else prices.bound(judged[apart], delta),
        over_answering=against[0],
        over_abstaining=against[1],
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
    costs: Mapping[float, Floats],
    outcomes: Mapping[float, Sequence[float]],
    of: NDArray[Any] | None,
    n: int,
    seed: int,
) -> dict[float, Interval]:
    """By threshold, the interval of the mean of its costs (N,); exact where nothing is answered.

    ``outcomes``: what a question may cost there.
    """
    intervals: dict[float, Interval] = {}
    resampled: dict[str, tuple[Metric, Floats, Floats]] = {}
    for value, each in costs.items():
        members = members_of(of, len(each))
        refuse_one(members)
        kinds = Kinds.of(each, outcomes[value], members)
        if value == math.inf:
            cost = float(each[0])
            intervals[value] = Interval(cost, cost, cost, NOTHING_ANSWERED)
        elif kinds.rare:
            intervals[value] = Interval(float(each.mean()), *kinds.bounds(), kinds.how)
        else:
            resampled[str(value)] = (COST, each, each)
    found = bootstrap_all(resampled, clusters=of, n=n, seed=seed)
    return {**intervals, **{float(name): interval for name, interval in found.items()}}


def difference_of(
    costs: Floats, others: Floats, gaps: Sequence[float], of: NDArray[Any], n: int, seed: int
) -> Difference:
    """The mean of ``costs`` (N,) minus that of ``others``, in pairs; each is one of ``gaps``."""
    gap = costs - others
    kinds = Kinds.of(gap, gaps, members_of(of, len(gap)))
    if kinds.rare and gap.any():  # of no difference nothing is tested
        return Difference(float(gap.mean()), *kinds.bounds(), kinds.how, kinds.p())
    return paired_difference(COST, (costs, costs), (others, others), clusters=of, n=n, seed=seed)
