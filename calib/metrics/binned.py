"""Binned calibration errors. n_b rows, conf_b and acc_b means of a bin, gap_b = |acc_b - conf_b|.

Plug-in binned errors are above 0 even under perfect calibration: compare them with
``calib.intervals.under_calibration``, never with 0.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.arrays import numbers, probabilities
from calib.metrics.binning import (
    Closed,
    ReliabilityCurve,
    Strategy,
    curve,
    is_histogram,
    pairs,
)
from calib.metrics.regression import ence_bernoulli_of


def ece(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
) -> float:
    """Expected calibration error, sum of n_b/n gap_b (Naeini et al. 2015, Guo et al. 2017).

    confidence, correct: (N,) arrays, or a CalibrationHistogram alone. bins: 15 by default.
    strategy: ``width`` equal-width bins; ``mass`` near-equal counts; ``quantile`` edges by linear
    quantiles, which is another number. Of a histogram, ``mass`` is within
    ``histogram.equal_mass(bins).bound`` of the same rows' value; take one of 4,096 bins for that.
    Raises ValueError on empty or unfit arrays.
    """
    return ece_of(curve(confidence, correct, bins, strategy, closed))


def mce(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
    min_count: int = 1,
) -> float:
    """Maximum calibration error: the largest gap_b of bins with at least ``min_count`` rows.

    Arguments as for ``ece``. Sparse bins rule it: look at ``reliability_curve`` too.
    """
    return mce_of(curve(confidence, correct, bins, strategy, closed), min_count=min_count)


def rmsce(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
) -> float:
    """Root mean square calibration error, sqrt(sum of n_b/n gap_b^2). Arguments as for ``ece``."""
    return rmsce_of(curve(confidence, correct, bins, strategy, closed))


def debiased_rmsce(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
) -> float:
    """Root of sum of n_b/n (gap_b^2 - acc_b (1 - acc_b) / (n_b - 1)), floored at 0.

    Kumar et al. 2019's estimate without the plug-in's upward bias; bins of one row add nothing.
    Arguments as for ``ece``.
    """
    return debiased_of(curve(confidence, correct, bins, strategy, closed))


def ace(confidence: Any, correct: Any = None, *, bins: int | None = None) -> float:
    """Adaptive calibration error: mean gap_b over bins of near-equal count, unweighted.

    Not netcal's ACE (bins of equal width) nor calibstats' (quantile edges, weighted): see
    ``strategy`` of ``ece``. Where confidences tie, bins can differ in size.
    """
    if is_histogram(confidence):
        raise ValueError("ace needs the rows: a histogram has bins of equal width")
    return ace_of(curve(confidence, correct, bins, "mass", "left"))


def ence(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    kind: Literal["confidence", "bernoulli"] = "confidence",
    strategy: Strategy = "width",
    closed: Closed = "left",
    min_count: int = 1,
) -> float:
    """Expected normalised calibration error of a classifier's confidence.

    ``kind="confidence"``: mean over bins of gap_b / conf_b, bins unweighted, conf_b = 0 skipped.
    ``kind="bernoulli"``: ``ence_regression`` with mean c, std sqrt(c (1 - c)) and target correct,
    bins over the std. Both are analogues of the regression metric (Levi et al. 2022). Other
    arguments as for ``mce``; ``bernoulli`` takes no histogram and no ``closed``.
    """
    if kind == "bernoulli":
        if is_histogram(confidence):
            raise ValueError("ence(kind='bernoulli') needs the rows: it bins by sqrt(c (1 - c))")
        c, a = pairs(confidence, correct)
        if strategy == "quantile":
            raise ValueError("ence(kind='bernoulli') takes strategy 'width' or 'mass'")
        return ence_bernoulli_of(c, bins=bins, strategy=strategy, min_count=min_count)(a)
    if kind != "confidence":
        raise ValueError(f"kind must be 'confidence' or 'bernoulli', got {kind!r}")
    return ence_of(curve(confidence, correct, bins, strategy, closed), min_count=min_count)


def classwise_ece(
    p: ArrayLike,
    y: ArrayLike,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
    offered: ArrayLike | None = None,
) -> float:
    """Mean over classes of the ECE of p[:, k] against [y = k] (Nixon et al. 2019).

    p: (N, K) probabilities, y: (N,) class numbers. 1-D p is the ECE of p against correctness y.
    offered: (N, K) bool; a class is judged on the rows that offer it, for questions whose answers
    differ. Raises ValueError on unfit values.
    """
    p, y = probabilities("p", p), numbers("y", y)
    if p.ndim == 1:
        return ece(p, y, bins=bins, strategy=strategy, closed=closed)
    y = class_numbers(p, y)
    mask = np.ones(p.shape, dtype=bool) if offered is None else np.asarray(offered, dtype=bool)
    if mask.shape != p.shape:
        raise ValueError(f"offered must have p's shape {p.shape}, got {mask.shape}")
    errors = [
        ece(p[rows, k], y[rows] == k, bins=bins, strategy=strategy, closed=closed)
        for k, rows in enumerate(mask.T)
        if rows.any()
    ]
    return float(np.mean(errors))


def class_numbers(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y as (N,) int64, checked against p (N, K)."""
    if p.ndim != 2 or y.shape != p.shape[:1] or p.size == 0:
        raise ValueError(f"p must be (N, K) with y (N,), N > 0, got {p.shape} and {y.shape}")
    classes = y.astype(np.int64)
    if (classes != y).any() or (classes < 0).any() or (classes >= p.shape[1]).any():
        raise ValueError(f"y must hold class numbers 0..{p.shape[1] - 1}")
    return classes


def reliability_curve(
    confidence: Any,
    correct: Any = None,
    *,
    bins: int | None = None,
    strategy: Strategy = "width",
    closed: Closed = "left",
) -> ReliabilityCurve:
    """What a reliability diagram draws: the bins that are not empty. Arguments as for ``ece``."""
    return curve(confidence, correct, bins, strategy, closed)


def ece_of(reliability: ReliabilityCurve) -> float:
    return float(reliability.weight @ reliability.gap) if len(reliability.count) else math.nan


def mce_of(reliability: ReliabilityCurve, min_count: int = 1) -> float:
    mask = reliability.at_least(min_count)
    return float(reliability.gap[mask].max()) if mask.any() else math.nan


def rmsce_of(reliability: ReliabilityCurve) -> float:
    return (
        math.sqrt(reliability.weight @ reliability.gap**2) if len(reliability.count) else math.nan
    )


def debiased_of(reliability: ReliabilityCurve) -> float:
    if not len(reliability.count):
        return math.nan
    noise = reliability.accuracy * (1 - reliability.accuracy) / np.maximum(reliability.count - 1, 1)
    square = np.where(reliability.count > 1, reliability.gap**2 - noise, 0.0)
    return math.sqrt(max(0.0, float(reliability.weight @ square)))


def ace_of(reliability: ReliabilityCurve) -> float:
    return float(reliability.gap.mean())


def ence_of(reliability: ReliabilityCurve, min_count: int = 1) -> float:
    mask = reliability.at_least(min_count) & (reliability.confidence > 0)
    return (
        float((reliability.gap[mask] / reliability.confidence[mask]).mean())
        if mask.any()
        else math.nan
    )
