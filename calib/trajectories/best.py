"""Which checkpoints are not shown to be worse than another.

Every checkpoint is compared with every other, question by question. Of a loss that is a mean over
questions a pair's statistic is its difference in units of its spread, and p is how often flips of
whole clusters (``calib.trajectories.flips``) make the largest of all pairs' statistics as large: a
p corrected for all pairs at once (Westfall and Young 1993, single step). Of the debiased squared
error the p of the paired tests are corrected by Holm. A checkpoint is shown to be worse where such
a p against one with a smaller loss is below 0.05.

All these claims of one measure are true together with 95 %. So the truly best checkpoint is among
the others, the ones that are kept, with 95 %: the promise of multiple comparison with the best
(Hsu 1984) and of a model confidence set (Hansen, Lunde and Nason 2011). It holds for the very
questions that say which value is the lowest. That value itself is flattered by being chosen, so one
half of the clusters chooses once more, and the other judges the choice
(``calib.trajectories.numbers``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from calib.intervals import holm, paired_difference
from calib.intervals.clusters import Members
from calib.intervals.shares import FLIPS
from calib.trajectories.changes import LEVEL
from calib.trajectories.flips import Floats, by_cluster, tested


@dataclass(frozen=True)
class Best:
    """values, p (K,): each checkpoint's loss, and the smallest corrected p of its being worse than
    another. ``lowest``: that with the least loss. ``kept``: those that are not shown to be worse,
    in order; ``lowest`` is one."""

    lowest: int
    values: tuple[float, ...]
    p: tuple[float, ...]
    kept: tuple[int, ...]
    least_p: float


def best_of_means(losses: Floats, members: Members, seed: int, flips: int = FLIPS) -> Best:
    """Of losses (K, N) that are finite, of two clusters or more."""
    sums = by_cluster(losses, members)
    pairs = list(combinations(range(len(losses)), 2))
    [found] = tested([np.stack([sums[i] - sums[j] for i, j in pairs])], seed, flips)
    worse = [pair if t > 0 else pair[::-1] for pair, t in zip(pairs, found.t, strict=True)]
    p = [found.p_of(statistic) for statistic in abs(found.t).tolist()]
    return best(losses.mean(axis=1).tolist(), worse, p, found.least_p)


def best_of_errors(
    metric: Any, sides: Sequence[tuple[Any, Any]], values: Sequence[float], clusters: Any, seed: int
) -> Best | None:
    """Of an error with a paired test, ``values`` (K,) as the page has them.

    sides (K): confidence and correct (N,). None where two of them have no test.
    """
    worse, p = [], []
    for i, j in combinations(range(len(sides)), 2):
        found = paired_difference(metric, sides[i], sides[j], clusters=clusters, seed=seed)
        if found.p is None:
            return None
        worse.append((i, j) if found.value > 0 else (j, i))
        p.append(found.p)
    return best(values, worse, holm(p), 0.0)


def best(
    values: Sequence[float], worse: Sequence[tuple[int, int]], p: Sequence[float], least_p: float
) -> Best:
    """``worse``: of each pair the one with the larger loss first; ``p``: corrected, of each."""
    lowest = int(np.argmin(values))
    smallest = [
        min((each for (i, _), each in zip(worse, p, strict=True) if i == place), default=1.0)
        for place in range(len(values))
    ]
    kept = tuple(i for i, each in enumerate(smallest) if each >= LEVEL or i == lowest)
    return Best(lowest, tuple(map(float, values)), tuple(smallest), kept, least_p)
