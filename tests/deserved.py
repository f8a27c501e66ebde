"""Rows whose confidences are deserved."""

from __future__ import annotations

import numpy as np


def deserved(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Perfectly calibrated rows: true error 0."""
    c = rng.beta(4, 1.5, n)
    return c, rng.random(n) < c
