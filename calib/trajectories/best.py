"""Which checkpoints are not shown to be worse than the best.

For checkpoint i the null hypothesis is that none of the others has a lower loss in the population.
It is rejected where the largest of its paired differences, loss of i minus loss of j in units of
its spread, is larger than flips of whole clusters make the largest (``calib.trajectories.flips``).
Those that are not rejected at 5 % make the set: the truly best one is in it with 95 %, as its own
null hypothesis is true. That is multiple comparison with the best (Hsu 1984) and has the promise of
a model confidence set (Hansen, Lunde and Nason 2011) without its elimination step by step. Being
an inversion of tests it may be read on the very questions that say which is lowest. The lowest
loss itself may not: being chosen flatters it. So one half of the clusters chooses once more, and
the other judges the choice.

Of an error that is no mean of questions, the debiased squared error, i is rejected where one paired
test of it against another is, its p corrected for the K - 1 tests of i (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib.intervals import holm, paired_difference
from calib.intervals.clusters import Members
from calib.intervals.shares import FLIPS
from calib.trajectories.changes import LEVEL
from calib.trajectories.flips import LEAST_P, Floats, by_cluster, tested


@dataclass(frozen=True)
class Best:
    """``lowest``: the checkpoint with the least loss. p (K,): of each being among the best.

    ``kept``: those that are not shown to be worse than another, in order; ``lowest`` is one.
    """

    lowest: int
    values: tuple[float, ...]
    p: tuple[float, ...]
    kept: tuple[int, ...]
    least_p: float = LEAST_P


def best_of_means(losses: Floats, members: Members, seed: int, flips: int = FLIPS) -> Best:
    """Of losses (K, N) that are finite, of two clusters or more."""
    sums = by_cluster(losses, members)
    values = losses.mean(axis=1)
    families = [sums[i] - np.delete(sums, i, axis=0) for i in range(len(losses))]
    found = tested(families, seed, flips)
    p = [each.p_of(max(0.0, float(each.t.max(initial=0.0)))) for each in found]
    return best(values.tolist(), p, LEAST_P)


def best_of_errors(
    metric: Any, sides: Sequence[tuple[Any, Any]], values: Sequence[float], clusters: Any, seed: int
) -> Best | None:
    """Of an error with a paired test, ``values`` (K,) as the page has them.

    sides (K): confidence and correct (N,). None where two of them have no test.
    """
    count = len(sides)
    p = np.ones((count, count))
    for i in range(count):
        for j in range(i + 1, count):
            found = paired_difference(metric, sides[i], sides[j], clusters=clusters, seed=seed)
            if found.p is None:
                return None
            worse = (i, j) if found.value > 0 else (j, i)
            p[worse] = found.p
    corrected = [min(holm(np.delete(p[i], i).tolist()), default=1.0) for i in range(count)]
    return best(values, corrected, 0.0)


def best(values: Sequence[float], p: Sequence[float], least_p: float) -> Best:
    lowest = int(np.argmin(values))
    kept = tuple(i for i, each in enumerate(p) if each >= LEVEL or i == lowest)
    return Best(lowest, tuple(map(float, values)), tuple(map(float, p)), kept, least_p)
