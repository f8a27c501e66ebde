"""Rows that belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.metrics.arrays import labels

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Members:
    """``of`` (N,): each row's cluster, 0 .. count - 1."""

    of: Ints
    count: int

    @property
    def alone(self) -> bool:
        """Whether every row is a cluster of its own."""
        return self.count == len(self.of)


def clusters_or_groups(clusters: ArrayLike | None, groups: ArrayLike | None) -> ArrayLike | None:
    """``groups`` is the old name of ``clusters``. Raises ValueError for both at once."""
    if clusters is not None and groups is not None:
        raise ValueError("clusters and groups are one argument, and groups its old name: pass one")
    return groups if clusters is None else clusters


def members_of(clusters: ArrayLike | None, n: int) -> Members:
    """The clusters of n rows. Raises ValueError for labels of another number, or that are none."""
    if clusters is None:
        return Members(np.arange(n), n)
    distinct, of = np.unique(labels("clusters", clusters, n), return_inverse=True)
    return Members(of.astype(np.int64), len(distinct))


def refuse_one(members: Members) -> None:
    """Raise ValueError where all rows are one cluster, of which nothing can be resampled."""
    if members.count < 2:
        raise ValueError("an interval needs at least two clusters of rows")


def split(of: Ints, seed: int) -> tuple[Ints, Ints]:
    """Row numbers of two halves of the clusters ``of`` (N,); no cluster is in both."""
    names = np.unique(of)
    order = np.random.default_rng(seed).permutation(names)
    first = np.isin(of, order[: len(names) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)
