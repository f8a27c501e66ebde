"""Shares and paired means: Wilson's interval, McNemar's test, exchanges of whole clusters; Holm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
FLIPS = 10_000
FEWEST_CLUSTERS = 10
"""Fewer clusters are not resampled, since a resample would hardly ever hold all of them."""
CHUNK = 1 << 22
"""Numbers per array of exchanges."""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; n must not be 0."""
    share, square = successes / n, Z95 * Z95
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def wilson_of_clusters(hits: NDArray[np.bool_], of: NDArray[Any]) -> tuple[float, float]:
    """The 95 % Wilson interval of rows (N,) in clusters ``of`` (N,), at their effective number.

    The effective number is N over the design effect, which is at least 1, times the squared
    quotient of the normal's and t's quantiles (Korn and Graubard 1998, here with Wilson's bounds).
    The design effect cannot be estimated where all rows are hits, where none is, or where there
    are fewer than ``FEWEST_CLUSTERS``; then each cluster counts as one row.
    """
    from scipy import special  # takes 0.15 s, and most metrics do without

    n, share = len(hits), float(hits.mean())
    _, place, rows = np.unique(of, return_inverse=True, return_counts=True)
    worth = float(len(rows))
    if len(rows) == n:
        worth = n
    elif 0 < share < 1 and len(rows) >= FEWEST_CLUSTERS:
        gaps = np.bincount(place, hits, len(rows)) - share * rows
        variance = len(rows) / (len(rows) - 1) * float((gaps**2).sum()) / n**2
        independent = share * (1 - share) / n
        worth = n * min(1.0, independent / variance if variance > 0 else 1.0)
        worth *= (Z95 / special.stdtrit(len(rows) - 1, 0.975)) ** 2
    return wilson(share * worth, worth)


def mcnemar(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The exact two-sided p of two models' hits (N,) of 0 and 1 (McNemar 1947, binomial form)."""
    from scipy import special  # takes 0.15 s, and most metrics do without

    gained, lost = int((first > second).sum()), int((first < second).sum())
    return min(1.0, 2 * float(special.bdtr(min(gained, lost), gained + lost, 0.5)))


def flips(
    first: NDArray[np.float64], second: NDArray[np.float64], seed: int
) -> tuple[float, float]:
    """The two-sided p of exchanging the models in each cluster at random, and the least possible.

    first, second: (2, G), numerator and denominator of each cluster. p counts the observed order
    as one of the exchanges, so it is at least 1 / (FLIPS + 1).
    """
    observed = abs(ratio(first.sum(axis=1)) - ratio(second.sum(axis=1)))
    half, total = (first - second) / 2, (first + second) / 2
    centre = total.sum(axis=1)
    rng = np.random.default_rng(seed)
    reached = 0
    step = max(1, CHUNK // half.shape[1])
    for start in range(0, FLIPS, step):
        size = min(step, FLIPS - start)
        signs = rng.integers(0, 2, size=(size, half.shape[1]), dtype=np.int8) * 2 - 1
        moved = signs @ half.T  # (size, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = ratio((centre + moved).T) - ratio((centre - moved).T)
        # Where no row counts the difference is 0. Equal sums may differ in their last bits.
        reached += int((np.nan_to_num(abs(difference)) >= observed * (1 - 1e-12)).sum())
    return (1 + reached) / (FLIPS + 1), 1 / (FLIPS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order they came in."""
    corrected, largest = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=lambda k: ps[k])):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[number]))
        corrected[number] = largest
    return corrected


def add_holm(tests: Iterable[dict[str, Any]]) -> None:
    """Give each of a family of ``tests`` its ``holm``: p corrected for the number that have one,
    None where there is no p."""
    family = list(tests)
    with_p = [test for test in family if test["p"] is not None]
    for test in family:
        test["holm"] = None
    for test, p in zip(with_p, holm([test["p"] for test in with_p]), strict=True):
        test["holm"] = p


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[0] / sums[1])
