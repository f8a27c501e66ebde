"""A 95 % band about a risk-coverage curve, by resampling clusters of rows.

The rows that a resample holds are ranked anew, so that a coverage stands for as large a share of
the resample as of the rows. Inside a tie, and between two points of a thinned curve, errors grow in
proportion: inside a tie that is what a random order gives on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals.clusters import members_of
from calib.intervals.enough import FEWEST_OF_A_KIND
from calib.intervals.resampling import LEVEL, resamples
from calib.intervals.shares import FEWEST_CLUSTERS, wilson

Floats = NDArray[np.float64]

RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Band:
    """Bounds of the error rate at each coverage (P,); ``method`` says how they were computed."""

    low: Floats
    high: Floats
    method: str


def selective_band(
    sureness: Floats,
    correct: NDArray[np.bool_],
    clusters: NDArray[Any],
    coverage: Floats,
    *,
    n: int = RESAMPLES,
    seed: int = 0,
) -> Band | None:
    """The pointwise band of ``metrics.risk_coverage`` at some of its points (P,), rising to 1.

    sureness, correct, clusters: (N,). Percentiles of n resamples. Where fewer than five of the rows
    that are answered are wrong, or fewer than five right, resamples tell too little of the others
    that there might be; there it is Wilson's interval, each cluster counting once. None for fewer
    than ten clusters.
    """
    members = members_of(clusters, len(correct))
    if members.count < FEWEST_CLUSTERS:
        return None
    order = np.argsort(-sureness, kind="stable")
    answered = np.rint(coverage * len(order)).astype(np.int64)
    step = np.searchsorted(answered, np.arange(len(order)), side="right")  # of each ranked row
    wrong = ~correct[order]
    errors = np.cumsum(np.bincount(step, wrong, len(answered)))
    draws = np.empty((n, len(answered)))
    for number, weights in enumerate(resamples(members, n, seed)):
        ranked = weights[order]
        held = np.cumsum(np.bincount(step, ranked, len(answered)))
        missed = np.cumsum(np.bincount(step, ranked * wrong, len(answered)))
        wanted = coverage * held[-1]
        draws[number] = np.interp(wanted, np.append(0, held), np.append(0.0, missed)) / wanted
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    _, first = np.unique(members.of[order], return_index=True)
    seen = np.searchsorted(np.sort(first), answered)  # clusters among the answered rows
    rare = np.minimum(errors, answered - errors) < FEWEST_OF_A_KIND
    for point in np.flatnonzero(rare):
        share = errors[point] / answered[point]
        low[point], high[point] = wilson(share * seen[point], seen[point])
    how = f"percentiles of {n} resamples of clusters; Wilson where fewer than 5 are right or wrong"
    return Band(low, high, how)
