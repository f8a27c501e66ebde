"""Contrasts between checkpoints, tested together by flipping whole clusters.

A contrast is a difference of two means over the same questions, such as "after step 200 minus
before it". Of each cluster g it is the sum w_g over the cluster's questions. Where the contrast is
zero in the population and the clusters are independent, Σ s_g w_g with random signs s has the
spread of Σ w_g, whatever the dependence between a cluster's checkpoints is, and equally so for
several contrasts at once, since a cluster has one sign for all of them (a wild bootstrap; Liu
1988, Davidson and Flachaire 2008). The statistic is max over contrasts of |Σ w_g| / √Σ w_g².

Axis legend: K checkpoints, N questions, G clusters, C contrasts, F flips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.intervals.clusters import Members
from calib.intervals.shares import CHUNK, FLIPS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tested:
    """t (C,): each contrast's statistic with its sign; largest (F,): max over |t| when flipped."""

    t: Floats
    largest: Floats

    @property
    def least_p(self) -> float:
        """The smallest p that so many flips can give."""
        return self.p_of(math.inf)

    @property
    def p(self) -> float:
        """Two-sided, of no contrast differing from 0; the data count as one of the flips."""
        return self.p_of(float(abs(self.t).max(initial=0.0)))

    def p_of(self, statistic: float) -> float:
        # Equal sums may differ in their last bits.
        reached = int((self.largest >= statistic * (1 - 1e-12)).sum())
        return (1 + reached) / (len(self.largest) + 1)


def by_cluster(series: Floats, members: Members) -> Floats:
    """(K, G): the sums over each cluster's questions of (K, N)."""
    return np.stack([np.bincount(members.of, row, members.count) for row in series])


def tested(families: Sequence[Floats], seed: int, flips: int = FLIPS) -> list[Tested]:
    """Each family of contrasts, (C, G) by cluster, on the same flips."""
    scaled = [scale(each) for each in families]
    every = np.concatenate([*scaled, np.zeros((1, scaled[0].shape[1]))])
    ends = np.cumsum([len(each) for each in scaled])
    rng = np.random.default_rng(seed)
    largest = np.zeros((len(families), flips))
    step = max(1, CHUNK // max(every.shape))
    for start in range(0, flips, step):
        size = min(step, flips - start)
        signs = rng.integers(0, 2, size=(size, every.shape[1]), dtype=np.int8) * 2.0 - 1
        moved = abs(signs @ every.T)
        for number, (end, own) in enumerate(zip(ends, scaled, strict=True)):
            if len(own):
                largest[number, start : start + size] = moved[:, end - len(own) : end].max(axis=1)
    return [Tested(own.sum(axis=1), row) for own, row in zip(scaled, largest, strict=True)]


def scale(contrasts: Floats) -> Floats:
    """(C, G) divided by the root of the sum of squares; one that is 0 everywhere stays 0."""
    size = np.sqrt((contrasts**2).sum(axis=1, keepdims=True))
    scaled: Floats = np.divide(contrasts, size, out=np.zeros_like(contrasts), where=size > 0)
    return scaled
