"""Bets against a mean: evidence that may be looked at whenever it suits, and a bound.

Against "the mean lies within the margin": the outcomes d of batches lie in [-1, 1]; under the null
every one has a mean of at most ``margin`` in size, given those before it. For a bet b in
(0, 1 / (1 + margin)) the product of 1 + b (d - margin) is then worth 1 or less on average, and so
is the product of 1 + b (-d - margin). ``Evidence`` is a weighted mean of such products: of both
signs, of several bets (Waudby-Smith and Ramdas 2024), and of starts at every batch, the j-th of
weight 1 / (j (j + 1)), so that quiet batches before a change cost little. At the end of any batch
it has reached 1 / alpha with a probability of at most alpha (Ville 1939). It does not depend on the
order inside a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HALVINGS = 8
"""Bets are 1/2, 1/4, ... of the largest that cannot lose everything."""
BOUND_HALVINGS = 6
"""Of a bound the bets are 1, 1/2, ...: the best one falls with the root of the number of values."""
STEPS = 50
"""Of a bisection, whose last is as wide as a float's rounding."""
MOST = 1e300
"""A bet is worth no more, so that it stays a number."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """``above`` and ``below``: what the bets on a mean above and below the margin are worth."""

    margin: float
    batches: int = 0
    above: tuple[float, ...] = (0.0,) * HALVINGS
    below: tuple[float, ...] = (0.0,) * HALVINGS

    @property
    def value(self) -> float:
        """The evidence against the null; 1 before any batch."""
        bets = (*self.above, *self.below)
        return 1 / (self.batches + 1) + sum(bets) / len(bets)  # the first: starts to come

    def after(self, outcomes: ArrayLike) -> Self:
        """The evidence after one more batch (n,); the same where the batch is empty."""
        d = np.asarray(outcomes, dtype=np.float64)
        if d.ndim != 1 or not ((d >= -1) & (d <= 1)).all():
            raise ValueError("outcomes must be (n,) in [-1, 1]")
        if len(d) == 0:
            return self
        number = self.batches + 1
        start = 1 / (number * (number + 1))
        above, below = (
            tuple(grown(worth, start, self.margin, side))
            for worth, side in ((self.above, d), (self.below, -d))
        )
        return replace(self, batches=number, above=above, below=below)


def grown(worth: tuple[float, ...], start: float, margin: float, d: Floats) -> list[float]:
    """What each bet is worth after outcomes, with ``start`` put on it before them."""
    bets = 0.5 ** np.arange(1, len(worth) + 1) / (1 + margin)
    with np.errstate(over="ignore", under="ignore"):
        growth = np.exp(np.log1p(np.outer(bets, d - margin)).sum(axis=1))
        # At most MOST on both sides, as infinity times 0 is no number.
        after = (np.array(worth) + start) * np.minimum(growth, MOST)
    return [float(value) for value in np.minimum(after, MOST)]


def upper_bound(values: Floats, delta: float) -> float:
    """An upper bound of the expectation of independent ``values`` (n,) in [0, 1].

    It lies below the expectation with a probability of at most ``delta``, whatever their
    distribution: from it on the bets against a mean so high are worth 1 / delta and more. For a bet
    b in [0, 1] that is the product of 1 + b (r - value) / (1 - r) at the mean r, which grows with r
    and is 1 on average if the expectation is r.
    """
    if (observed := float(values.mean())) >= 1:
        return 1.0
    bets = 0.5 ** np.arange(BOUND_HALVINGS)
    distinct, times = np.unique(values, return_counts=True)

    def worth(mean: float) -> float:
        gains = np.outer(bets, (mean - distinct) / (1 - mean))
        with np.errstate(over="ignore", divide="ignore"):  # 1 loses all where it is wrong
            return float(np.exp((np.log1p(gains) * times).sum(axis=1)).mean())

    low, high = observed, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if worth(middle) >= 1 / delta else (middle, high)
    return high
