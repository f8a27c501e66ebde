"""Is a predicted spread the spread of the errors? RMV, root mean variance, and RMSE are a bin's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.arrays import numbers
from calib.metrics.binning import BINS, Floats, Ints, bin_count


def ence_regression(
    mean: ArrayLike,
    std: ArrayLike,
    target: ArrayLike,
    *,
    bins: int | None = None,
    strategy: Literal["width", "mass"] = "width",
    min_count: int = 1,
) -> float:
    """Expected normalised calibration error: mean over bins of |RMV_b - RMSE_b| / RMV_b.

    mean, std, target: (N,), std >= 0. ``width``: equal-width bins over [min std, max std], as
    netcal has it; ``mass``: near-equal counts by std (Levi et al. 2022). Bins without variance or
    with fewer than ``min_count`` rows are skipped; nan where none is left. Raises ValueError on
    unfit arrays.
    """
    squared, variance = _errors(mean, std, target)
    where = _places(np.sqrt(variance), _bins(bins), strategy)
    return _ence(where, squared, variance, min_count)


def ence_bernoulli_of(
    c: Floats,
    *,
    bins: int | None = None,
    strategy: Literal["width", "mass"] = "width",
    min_count: int = 1,
) -> Callable[[Floats], float]:
    """``ence_regression`` with mean c (N,), std sqrt(c (1 - c)) and target correct, as a function
    of correct (N,)."""
    spread = np.sqrt(c * (1 - c))
    where, variance = _places(spread, _bins(bins), strategy), spread**2
    return lambda correct: _ence(where, (c - correct) ** 2, variance, min_count)


def _places(spread: Floats, bins: int, strategy: str) -> Ints:
    """The bin of each row (N,) by its spread."""
    if strategy == "width":
        return _equal_width(spread, bins)
    if strategy != "mass":
        raise ValueError(f"strategy must be 'width' or 'mass', got {strategy!r}")
    order = np.argsort(spread, kind="stable")
    where = np.empty(len(order), dtype=np.int64)
    for number, part in enumerate(np.array_split(order, min(bins, len(order)))):
        where[part] = number
    return where


def _ence(where: Ints, squared: Floats, variance: Floats, min_count: int) -> float:
    count, mse, mv = _bin_means(where, squared, variance)
    mask = (mv > 0) & (count >= min_count)
    if not mask.any():
        return math.nan
    rmv = np.sqrt(mv[mask])
    return float(np.mean(np.abs(rmv - np.sqrt(mse[mask])) / rmv))


def uce(mean: ArrayLike, std: ArrayLike, target: ArrayLike, *, bins: int | None = None) -> float:
    """Uncertainty calibration error, sum of n_b/n |MSE_b - mean variance_b| (Laves et al. 2020).

    Equal-width bins over the variance; arguments as for ``ence_regression``.
    """
    squared, variance = _errors(mean, std, target)
    count, mse, mv = _bin_means(_equal_width(variance, _bins(bins)), squared, variance)
    return float(count @ np.abs(mse - mv) / count.sum())


def _bins(bins: int | None) -> int:
    return BINS if bins is None else bin_count(bins)


def _errors(mean: ArrayLike, std: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats]:
    """Squared errors and variances (N,), checked."""
    arguments = {"mean": mean, "std": std, "target": target}
    m, s, t = (numbers(name, values).astype(np.float64) for name, values in arguments.items())
    if m.ndim != 1 or not m.shape == s.shape == t.shape:
        raise ValueError(
            f"mean, std and target must be 1-D of one length, got {m.shape}, {s.shape}, {t.shape}"
        )
    if len(m) == 0:
        raise ValueError("mean is empty: no rows, no metric")
    if not (np.isfinite(m).all() and np.isfinite(s).all() and np.isfinite(t).all()):
        raise ValueError("mean, std and target must be finite")
    if (s < 0).any():
        raise ValueError(f"std must not be negative, got {s.min()}")
    return (m - t) ** 2, s**2


def _equal_width(values: Floats, bins: int) -> Ints:
    """Bins [a, b) over [min, max], the last closed."""
    edges = np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    return np.searchsorted(edges, values, side="right")


def _bin_means(where: Ints, squared: Floats, variance: Floats) -> tuple[Ints, Floats, Floats]:
    count = np.bincount(where)
    filled = count > 0
    count = count[filled]
    mse = np.bincount(where, squared)[filled] / count
    return count, mse, np.bincount(where, variance)[filled] / count
