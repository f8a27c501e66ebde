"""What the ECE of a histogram would be if every confidence were deserved, without redrawing rows.

In a bin of n rows with mean confidence p the number of right ones is then about binomial, whose
mean absolute deviation has a closed form (De Moivre): 2 m C(n, m) p^m (1 - p)^(n - m + 1) with
m = floor(n p) + 1. Confidences that differ within a bin lower it a little: the binomial of their
mean is the widest of their sums.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.arrays import numbers


def expected_ece(count: ArrayLike, confidence: ArrayLike) -> float:
    """The expected ECE of independent rows in bins: count (B,), and their summed confidence (B,).

    Rows that are right and wrong together, as the tokens of one reply, would give more. Raises
    ValueError where there is no row, where a count is negative, or where a mean confidence lies
    outside [0, 1].
    """
    rows = numbers("count", count).astype(np.float64)
    sums = numbers("confidence", confidence).astype(np.float64)
    if rows.ndim != 1 or rows.shape != sums.shape:
        raise ValueError(
            f"count and confidence must be (B,) and alike, got {rows.shape}, {sums.shape}"
        )
    if not rows.sum() > 0 or not (rows >= 0).all():
        raise ValueError("count must hold one row or more, and no negative number")
    if (unfit := ~((sums >= 0) & (sums <= rows))).any():
        first = int(unfit.argmax())
        raise ValueError(
            f"confidence must be sums of [0, 1], got {sums[first]} of {rows[first]:g} rows in bin "
            f"{first}"
        )
    filled = zip(rows[rows > 0].tolist(), sums[rows > 0].tolist(), strict=True)
    return math.fsum(_deviation(n, total / n) for n, total in filled) / float(rows.sum())


def _deviation(n: float, p: float) -> float:
    """E|X - n p| of a binomial X."""
    if p in (0.0, 1.0):
        return 0.0
    m = math.floor(n * p) + 1
    if m > n:  # p is 1 but for its last bit
        return 0.0
    log = math.lgamma(n + 1) - math.lgamma(m + 1) - math.lgamma(n - m + 1)
    log += m * math.log(p) + (n - m + 1) * math.log1p(-p)
    return 2 * m * math.exp(log)
