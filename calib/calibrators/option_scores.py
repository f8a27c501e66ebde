"""How little a model likes an option: the scores of conformal sets, and their quantile.

Axis legend: N questions, O options (questions with fewer are padded with NaN).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Penalty = Callable[[NDArray[np.int64]], Floats]
"""Ranks from 1 to what is added to the score of an option of that rank."""


def lac(p: Floats, luck: Floats, penalty: Penalty) -> Floats:
    """1 - p: sets of the smallest mean size (Sadinle et al. 2019)."""
    return 1 - p


def aps(p: Floats, luck: Floats, penalty: Penalty) -> Floats:
    """The sum of p from the likeliest option down to this one, less luck times its own p, and the
    penalty of its rank (Romano et al. 2020; Angelopoulos et al. 2021 with a penalty).

    Equally likely options rank in their order.
    """
    present = np.where(np.isnan(p), -1.0, p)
    order = np.argsort(-present, axis=1, kind="stable")
    sums = np.cumsum(np.maximum(np.take_along_axis(present, order, axis=1), 0.0), axis=1)
    ranks = np.arange(1, p.shape[1] + 1)
    scores = np.empty_like(p)
    np.put_along_axis(scores, order, sums + penalty(ranks), axis=1)
    return np.asarray(scores - luck[:, None] * p)  # NaN where there is no option


SCORES: dict[str, Callable[[Floats, Floats, Penalty], Floats]] = {
    "lac": lac,
    "aps": aps,
    "raps": aps,
}


def exact(alpha: float) -> Fraction:
    """alpha as it is written: 0.3 is 3/10, which its float is not."""
    return Fraction(repr(float(alpha)))


def quantile(scores: Floats, alpha: float) -> float:
    """The k-th smallest of n scores, k = ceil((n + 1)(1 - alpha)); infinity where k is above n."""
    k = math.ceil((len(scores) + 1) * (1 - exact(alpha)))
    return math.inf if k > len(scores) else float(np.partition(scores, k - 1)[k - 1])
