"""What is drawn: bins with their intervals, and the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from calib import metrics
from calib.intervals import wilson, wilson_of_clusters
from calib.metrics import binning
from calib.summary.rows import Scored

CURVE_POINTS = 200


Bounds = Callable[[int], tuple[float, float]]
"""The number of a bin to the 95 % bounds of its accuracy."""


def diagram(scored: Scored, bins: int) -> list[dict[str, Any]]:
    """The bars of the rows in bins of equal width; the bounds allow for clusters."""
    edges, side = binning.inner_edges(scored.confidence, bins, "width", "left")
    place = binning.place(scored.confidence, edges, side)

    def bounds(b: int) -> tuple[float, float]:
        here = place == b
        return wilson_of_clusters(scored.correct[here], scored.cluster[here])

    curve = metrics.reliability_curve(scored.confidence, scored.correct, bins=bins)
    return bars(curve, bins, bounds)


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
    for b, n, confidence, accuracy in zip(
        np.rint(curve.low * bins).astype(int),
        curve.count.tolist(),
        curve.confidence.tolist(),
        curve.accuracy.tolist(),
        strict=True,
    ):
        right = round(accuracy * n)
        low, high = wilson(right, n) if bounds is None else bounds(b)
        rows[b] |= {
            "n": n,
            "correct": right,
            "confidence": confidence,
            "accuracy": accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
        }
    return rows


def risk_coverage(scored: Scored) -> dict[str, Any]:
    """Error rate among the most confident share, thinned to what a drawing can show."""
    coverage, risk = metrics.risk_coverage(scored.confidence, scored.correct)
    every = max(1, len(coverage) // CURVE_POINTS)
    shown = np.unique([*range(0, len(coverage), every), len(coverage) - 1])
    accuracy = float(scored.correct.mean())
    return {
        "points": [[float(coverage[i]), float(risk[i])] for i in shown],
        "overall": 1.0 - accuracy,
        "best": accuracy,
    }
