"""Whether and where a series over checkpoints changes.

The series are means over questions, one for each checkpoint: confidence minus accuracy, the Brier
score of the confidence, accuracy. For each split of the K checkpoints the contrast is the mean of
the checkpoints after it minus the mean of those before it; the null hypothesis is that all K means
are the same (``calib.trajectories.flips``), the statistic the largest contrast in units of its own
spread, a CUSUM of maximum type (Csörgő and Horváth 1997) that is studentised.

How surely where: all splits k for which "before k nothing changes, and nothing after it" is not
rejected at 5 %, tested by the same statistic over the splits inside both parts. The true split of a
series that changes once is among them with 95 %. An empty set says that the series changes in more
than one place, gradually for instance. The split that is named is that with the largest statistic,
among those of the set where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.intervals.clusters import Members
from calib.intervals.shares import FEWEST_CLUSTERS, FLIPS
from calib.trajectories.flips import Floats, Tested, by_cluster, tested

LEVEL = 0.05


@dataclass(frozen=True)
class Change:
    """``after``: the number of checkpoints before the change, 1 .. K - 1.

    ``value`` is the mean after minus the mean before, ``low`` and ``high`` its 95 % interval, which
    holds for all splits at once, so also for the one that was chosen; None of fewer than ten
    clusters. ``splits`` are those that the data do not exclude as the only change.
    """

    after: int
    value: float
    low: float | None
    high: float | None
    p: float
    splits: tuple[int, ...]
    least_p: float


def change_of(series: Floats, members: Members, seed: int, flips: int = FLIPS) -> Change:
    """The change of a series (K, N) over K >= 2 checkpoints, of two clusters or more."""
    sums = by_cluster(series, members)
    count = len(series)
    every = splits_of(sums)
    centred = every - every.mean(axis=1, keepdims=True)
    inner = [
        np.concatenate([splits_of(sums[:after]), splits_of(sums[after:])])
        for after in range(1, count)
    ]
    first, spread, *rest = tested([every, centred, *inner], seed, flips)
    splits = tuple(k for k, each in enumerate(rest, 1) if each.p >= LEVEL)
    after = max(splits or range(1, count), key=lambda k: abs(first.t[k - 1]))
    value = float(every[after - 1].sum()) / series.shape[1]
    reach = reach_of(spread, centred[after - 1], series.shape[1])
    enough = members.count >= FEWEST_CLUSTERS
    return Change(
        after=after,
        value=value,
        low=value - reach if enough else None,
        high=value + reach if enough else None,
        p=first.p,
        splits=splits,
        least_p=first.least_p,
    )


def splits_of(sums: Floats) -> Floats:
    """(K - 1, G): for each split of (K, G) the mean after it minus the mean before it."""
    count = len(sums)
    before = np.cumsum(sums, axis=0)[:-1]
    number = np.arange(1, count)[:, None]
    contrasts: Floats = (sums.sum(axis=0) - before) / (count - number) - before / number
    return contrasts


def reach_of(spread: Tested, centred: Floats, n: int) -> float:
    """Half of the interval of a contrast (G,), less its mean, that holds for all of its family."""
    quantile = float(np.quantile(spread.largest, 1 - LEVEL))
    return quantile * float(np.sqrt((centred**2).sum())) / n
