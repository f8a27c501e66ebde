"""What is drawn: bins with their intervals, and the risk-coverage curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from calib.summary.rows import Scored

Z95 = 1.959963984540054
CURVE_POINTS = 200


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; n must not be 0."""
    share, square = successes / n, Z95 * Z95
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def diagram(scored: Scored, bins: int) -> list[dict[str, Any]]:
    """One entry per bin of equal width, empty ones included (their means are None)."""
    edges = [k / bins for k in range(1, bins)]
    place = np.searchsorted(edges, scored.confidence, side="right")
    rows = []
    for b in range(bins):
        inside = place == b
        n, right = int(inside.sum()), int(scored.correct[inside].sum())
        low, high = wilson(right, n) if n else (None, None)
        rows.append(
            {
                "low": b / bins,
                "high": (b + 1) / bins,
                "n": n,
                "correct": right,
                "confidence": float(scored.confidence[inside].mean()) if n else None,
                "accuracy": right / n if n else None,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return rows


def risk_coverage(scored: Scored) -> dict[str, Any]:
    """Error rate among the most confident share, thinned to what a drawing can show.

    Equal confidences cannot be told apart, so a point stands only where a tie is complete.
    """
    order = np.argsort(-scored.confidence, kind="stable")
    ranked = scored.confidence[order]
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~scored.correct[order]) / answered
    complete = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    every = max(1, len(complete) // CURVE_POINTS)
    shown = np.unique([*complete[::every], complete[-1]])
    accuracy = float(scored.correct.mean())
    return {
        "points": [[float(answered[i] / len(order)), float(risk[i])] for i in shown],
        "overall": 1.0 - accuracy,
        "best": accuracy,
    }
