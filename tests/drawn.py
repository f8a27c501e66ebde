"""Bins as they are drawn, written by hand."""

from __future__ import annotations

from typing import Any


def a_bin(low: float, n: int, confidence: float, right: int) -> dict[str, Any]:
    share = right / n if n else None
    return {
        "low": low,
        "high": low + 0.1,
        "n": n,
        "correct": right,
        "confidence": confidence if n else None,
        "accuracy": share,
        "accuracy_low": None if share is None else max(0.0, share - 0.1),
        "accuracy_high": None if share is None else min(1.0, share + 0.1),
    }


BINS = [
    a_bin(0.0, 0, 0.0, 0),
    a_bin(0.4, 40, 0.45, 30),  # under-confident
    a_bin(0.8, 100, 0.85, 60),  # over-confident
    a_bin(0.9, 3, 0.99, 3),
]
EMPTY = [a_bin(0.0, 0, 0.0, 0)]
NARROW = [a_bin(0.6, 40, 0.65, 30), a_bin(0.7, 40, 0.75, 28)]
