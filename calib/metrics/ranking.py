"""Does confidence rank right answers above wrong ones? Higher is surer throughout.

Equal confidences cannot be told apart, so no result depends on the order of such rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from calib.metrics.binning import Floats, Ints, pairs


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Probability that a right answer is surer than a wrong one, a tie counting one half.

    Raises ValueError on unfit arrays, and where all rows are right or all are wrong.
    """
    c, a = pairs(confidence, correct)
    right = int(a.sum())
    if right in (0, len(a)):
        raise ValueError("auroc needs right and wrong answers, got only one kind")
    _, where, count = np.unique(c, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    statistic = rank[where][a == 1].sum() - right * (right + 1) / 2
    return float(statistic / (right * (len(a) - right)))


def aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Area under the risk-coverage curve, mean form: the mean over k = 1..N of the error rate
    among the k most confident rows (Geifman & El-Yaniv 2017).

    Inside a tie it is the expected error rate of a random order. Raises ValueError on unfit arrays.
    """
    c, a = pairs(confidence, correct)
    answered, errors = _tie_ends(c, a)
    every = np.arange(1, len(c) + 1)
    # Linear inside a tie: what a random order gives on average.
    cumulative = np.interp(every, np.append(0, answered), np.append(0.0, errors))
    return float(np.mean(cumulative / every))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Coverage (R,) and the error rate at it (R,), one point per distinct confidence.

    The most confident answers come first; the last point is everything answered. Raises
    ValueError on unfit arrays.
    """
    c, a = pairs(confidence, correct)
    answered, errors = _tie_ends(c, a)
    return answered / len(c), errors / answered


def _tie_ends(c: Floats, a: Floats) -> tuple[Ints, Floats]:
    """Rows answered and errors among them, where a tie is complete; surest first."""
    order = np.argsort(-c, kind="stable")
    ranked = c[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return last + 1, np.cumsum(1 - a[order])[last]
