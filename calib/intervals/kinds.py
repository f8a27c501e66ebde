"""The mean of values of a few known kinds, of which some may be too rare to be resampled.

No resample holds a kind that was not seen, and hardly one tells how frequent a kind is that was
seen a few times. So each kind's share gets its exact bounds (Clopper and Pearson 1934), and the
mean those of its extremes within them. Rows of a cluster may be all alike: N rows in clusters of
n_g rows count as N^2 / sum n_g^2 independent ones (Kish 1965), which is the number of clusters
where these are equally large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calib.intervals.clusters import Members
from calib.intervals.shares import FEWEST_CLUSTERS

Floats = NDArray[np.float64]

STEPS = 50
"""Of the bisection for p, whose last is as wide as a float's rounding."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """``worths`` (K,), ascending: the value of each kind; ``shares`` (K,): of the rows.

    ``fewest``: the number of clusters that hold the rarest kind. ``n``: independent rows.
    """

    worths: Floats
    shares: Floats
    fewest: int
    n: float

    @classmethod
    def of(cls, values: Floats, worths: Sequence[float], members: Members) -> Self:
        """The kinds of ``values`` (N,), each of which is one of ``worths``, seen or not."""
        kinds = np.unique(worths)
        kind = abs(values[:, None] - kinds).argmin(axis=1)
        shares = np.bincount(kind, minlength=len(kinds)) / len(values)
        held = [len(np.unique(members.of[kind == number])) for number in range(len(kinds))]
        sizes = np.bincount(members.of)
        return cls(kinds, shares, min(held), len(values) ** 2 / float((sizes**2).sum()))

    @property
    def rare(self) -> bool:
        """Whether a kind is seen in too few clusters to be resampled."""
        return self.fewest < FEWEST_CLUSTERS

    @property
    def how(self) -> str:
        return (
            "extremes within the exact bounds of each outcome's share, as one is seen in fewer "
            f"than {FEWEST_CLUSTERS} clusters ({self.fewest})"
        )

    def bounds(self, alpha: float = 0.05) -> tuple[float, float]:
        """Bounds of the mean, which fail with a probability of at most ``alpha``.

        The bounds of more than two shares hold together, at alpha / K each (Bonferroni); the two
        of two kinds are one.
        """
        from scipy import special  # takes 0.15 s, and most metrics do without

        tail = alpha / 2 / (len(self.worths) if len(self.worths) > 2 else 1)
        hits = np.clip(self.shares * self.n, 0, self.n)
        missed = self.n - hits
        low = np.where(hits > 0, special.betaincinv(hits, missed + 1, tail), 0.0)
        high = np.where(missed > 0, special.betaincinv(hits + 1, missed, 1 - tail), 1.0)
        return (
            least(self.worths, low, high),
            -least(-self.worths[::-1], low[::-1], high[::-1]),
        )

    def p(self) -> float:
        """The two-sided p of a mean of 0: the least alpha at which the bounds leave it out."""

        def leave_out(alpha: float) -> bool:
            low, high = self.bounds(alpha)
            return low > 0 or high < 0

        low, high = 0.0, 1.0
        if not leave_out(high):
            return 1.0
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if leave_out(middle) else (middle, high)
        return high


def least(worths: Floats, low: Floats, high: Floats) -> float:
    """The least mean of kinds of ascending ``worths`` with shares from ``low`` to ``high``.

    The first kinds take as much as they may.
    """
    room = high - low
    taken = np.concatenate([[0.0], np.cumsum(room)[:-1]])
    shares = low + np.clip(1 - low.sum() - taken, 0, room)
    return float(shares @ worths)
