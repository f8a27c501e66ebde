"""Proper scores, in float64: they reward calibration and sharpness together and need no bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.binned import class_numbers
from calib.metrics.binning import Floats, pairs


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Brier score. 1-D p against correctness: mean (p - y)^2. 2-D p (N, K) against the class:
    mean over rows of the sum over classes of (p_k - [y = k])^2, not halved.

    Raises ValueError where a value is not a probability or the shapes do not fit.
    """
    p = _probabilities(p)
    if p.ndim == 1:
        c, a = pairs(p, y)
        return float(np.mean((c - a) ** 2))
    numbers = class_numbers(p, np.asarray(y))
    gold = p[np.arange(len(p)), numbers]
    return float(np.mean((p**2).sum(axis=1) - 2 * gold + 1))


def nll(p: ArrayLike, y: ArrayLike) -> float:
    """Mean negative log-likelihood in nats. 1-D p against correctness, 2-D p against the class.

    inf where a row gave what happened a probability of 0: nothing is clipped. Raises as ``brier``.
    """
    p = _probabilities(p)
    if p.ndim == 1:
        c, a = pairs(p, y)
        likelihood = np.where(a == 1, c, 1 - c)
    else:
        likelihood = p[np.arange(len(p)), class_numbers(p, np.asarray(y))]
    with np.errstate(divide="ignore"):
        return float(-np.log(likelihood).mean())


def _probabilities(p: ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p must hold probabilities: finite values in [0, 1]")
    return values
