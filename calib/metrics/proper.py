"""Means over rows, in float64: the share of right answers, and proper scores, which reward
calibration and sharpness together and need no bins.

``accuracy``, ``brier`` and ``nll`` are the means of ``rights``, ``squares`` and ``surprises``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.arrays import numbers, probabilities
from calib.metrics.binned import class_numbers
from calib.metrics.binning import Floats, pairs


def accuracy(confidence: ArrayLike, correct: ArrayLike) -> float:
    """The share of right answers; the confidence is checked and not used.

    confidence (N,), correct (N,) of 0 and 1. Raises ValueError on empty or unfit arrays.
    """
    return float(rights(confidence, correct).mean())


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Brier score. 1-D p against correctness: mean (p - y)^2. 2-D p (N, K) against the class:
    mean over rows of the sum over classes of (p_k - [y = k])^2, not halved.

    Raises ValueError where a value is not a probability or the shapes do not fit.
    """
    return float(squares(p, y).mean())


def nll(p: ArrayLike, y: ArrayLike) -> float:
    """Mean negative log-likelihood in nats. 1-D p against correctness, 2-D p against the class.

    It is inf where a row gave a probability of 0 to what happened: nothing is clipped. Raises
    ValueError as ``brier`` does.
    """
    return float(surprises(p, y).mean())


def rights(confidence: ArrayLike, correct: ArrayLike) -> Floats:
    """(N,) 1 for a right answer, else 0."""
    return pairs(confidence, correct)[1]


def squares(p: ArrayLike, y: ArrayLike) -> Floats:
    """(N,) the squared error of each row; see ``brier``."""
    p = probabilities("p", p)
    if p.ndim == 1:
        c, a = pairs(p, y)
        return np.asarray((c - a) ** 2)
    classes = class_numbers(p, numbers("y", y))
    gold = p[np.arange(len(p)), classes]
    return np.asarray((p**2).sum(axis=1) - 2 * gold + 1)


def surprises(p: ArrayLike, y: ArrayLike) -> Floats:
    """(N,) -ln of the probability that each row gave to what happened; see ``nll``."""
    p = probabilities("p", p)
    if p.ndim == 1:
        c, a = pairs(p, y)
        likelihood = np.where(a == 1, c, 1 - c)
    else:
        likelihood = p[np.arange(len(p)), class_numbers(p, numbers("y", y))]
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(likelihood))
