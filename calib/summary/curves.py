"""What is drawn: bins with their intervals, where the confidences lie, and risk-coverage curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.intervals import wilson, wilson_of_clusters
from calib.intervals.band import selective_band
from calib.metrics import binning
from calib.summary.rows import Scored

CURVE_POINTS = 200
QUANTILES = 10
LEAST_IN_QUANTILE = 20
SPREAD = (20, 40, 50, 100, 200, 500, 1000)
"""The numbers of bins over 0 to 1 whose filled part may be shown as a histogram."""
MOST_SPREAD = 25
LEAST_REACH = 0.1
"""A narrower part of 0 to 1 would make much of what is below any error of measurement."""

Bounds = Callable[[int], tuple[float, float]]
"""The number of a bin to the 95 % bounds of its accuracy."""


def diagram(scored: Scored, bins: int) -> list[dict[str, Any]]:
    """The bars of the rows in bins of equal width; the bounds allow for clusters."""
    edges, side = binning.inner_edges(scored.confidence, bins, "width", "left")
    place = binning.place(scored.confidence, edges, side)
    curve = metrics.reliability_curve(scored.confidence, scored.correct, bins=bins)
    return bars(curve, bins, lambda b: bounds_of(scored, place == b))


def quantiles(scored: Scored) -> list[dict[str, Any]]:
    """The bars of the rows in near-equally full bins, as ``diagram``'s but none empty.

    There are ``QUANTILES`` of them, fewer where each would hold fewer than ``LEAST_IN_QUANTILE``
    rows. Equal confidences share a bin. ``low`` and ``high`` are the least and the greatest
    confidence in it.
    """
    bins = max(1, min(QUANTILES, len(scored) // LEAST_IN_QUANTILE))
    placed = binning.Placed.of(scored.confidence, bins, "mass", "left")
    curve = placed.curve(scored.correct.astype(np.float64))
    return [
        {
            "low": float(curve.low[b]),
            "high": float(curve.high[b]),
            **bar(curve, b, bounds_of(scored, placed.where == b)),
        }
        for b in range(len(curve.count))
    ]


def spread(scored: Scored) -> list[dict[str, Any]]:
    """Counts of all and of right answers in bins of equal width, where the confidences lie.

    The bins reach to the accuracy, too, be it far from every confidence. They are as narrow as
    ``MOST_SPREAD`` of them allow, and begin and end at round numbers.
    """
    low, high = reach([scored.confidence.min(), scored.confidence.max(), scored.correct.mean()])
    for bins in SPREAD:
        place = binning.place(scored.confidence, binning.width_edges(bins), "left")
        # An end that is an edge but for the last bits is that edge.
        first = min(int(place.min()), math.floor(low * bins + 1e-9))
        last = max(int(place.max()), math.ceil(high * bins - 1e-9) - 1)
        if bins == SPREAD[0] or last - first < MOST_SPREAD:
            filled = [
                {
                    "low": b / bins,
                    "high": (b + 1) / bins,
                    "n": int((place == b).sum()),
                    "correct": int(scored.correct[place == b].sum()),
                }
                for b in range(first, last + 1)
            ]
    return filled


def reach(values: Sequence[float]) -> tuple[float, float]:
    """The part of 0 to 1 that holds all values, ``LEAST_REACH`` wide or wider."""
    low, high = float(min(values)), float(max(values))
    if high - low >= LEAST_REACH:
        return low, high
    low = min(max(0.0, (low + high - LEAST_REACH) / 2), 1.0 - LEAST_REACH)
    return low, low + LEAST_REACH


def bounds_of(scored: Scored, here: NDArray[np.bool_]) -> tuple[float, float]:
    """The 95 % bounds of the accuracy of some rows, which allow for clusters."""
    return wilson_of_clusters(scored.correct[here], scored.cluster[here])


def bars(
    curve: metrics.ReliabilityCurve, bins: int, bounds: Bounds | None = None
) -> list[dict[str, Any]]:
    """One entry per bin of equal width, empty ones included (their means are None).

    Without ``bounds`` each row counts as independent (Wilson).
    """
    empty = {"n": 0, "correct": 0} | dict.fromkeys(
        ("confidence", "accuracy", "accuracy_low", "accuracy_high")
    )
    rows = [{"low": b / bins, "high": (b + 1) / bins, **empty} for b in range(bins)]
    for number, b in enumerate(np.rint(curve.low * bins).astype(int).tolist()):
        rows[b] |= bar(curve, number, None if bounds is None else bounds(b))
    return rows


def bar(
    curve: metrics.ReliabilityCurve, number: int, bounds: tuple[float, float] | None
) -> dict[str, Any]:
    """Counts and means of one bin of a curve, with the bounds of its accuracy."""
    n, accuracy = int(curve.count[number]), float(curve.accuracy[number])
    right = round(accuracy * n)
    low, high = wilson(right, n) if bounds is None else bounds
    return {
        "n": n,
        "correct": right,
        "confidence": float(curve.confidence[number]),
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
    }


def risk_coverage(scored: Scored, seed: int) -> dict[str, Any]:
    """``selective`` of a run's confidence."""
    return selective(scored.confidence, scored.correct, scored.cluster, seed)


def selective(
    sureness: NDArray[np.float64],
    correct: NDArray[np.bool_],
    cluster: NDArray[Any],
    seed: int,
    points: int = CURVE_POINTS,
) -> dict[str, Any]:
    """Error rate among the surest share of rows (N,), with a pointwise 95 % band, by clusters.

    ``points`` [coverage, risk] are thinned to what a drawing can show; ``low`` and ``high`` are the
    band there, None where rows are too few. ``overall`` is the error rate of answering everything,
    ``best`` the share up to which a perfect ranking errs not at all.
    """
    coverage, risk = metrics.risk_coverage(sureness, correct)
    every = max(1, len(coverage) // points)
    shown = np.unique([*range(0, len(coverage), every), len(coverage) - 1])
    band = selective_band(sureness, correct, cluster, coverage[shown], seed=seed)
    accuracy = float(correct.mean())
    return {
        "points": [[float(coverage[i]), float(risk[i])] for i in shown],
        "low": [None] * len(shown) if band is None else band.low.tolist(),
        "high": [None] * len(shown) if band is None else band.high.tolist(),
        "band": "none: too few clusters of rows" if band is None else band.method,
        "overall": 1.0 - accuracy,
        "best": accuracy,
    }
