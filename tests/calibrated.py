"""Scores of options whose true temperature is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.calibrators.temperature import softmax


def drawn(rng: Any, p: Any) -> Any:
    """(N,): an option of each row of probabilities (N, K)."""
    return (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, p.shape[1] - 1)


def sure(n: int, true: float = 2.0, options: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Scores (n, options), over-confident where ``true`` is above 1, and the right options."""
    rng = np.random.default_rng(seed)
    z = 3 * rng.normal(size=(n, options))
    return z, drawn(rng, softmax(z / true))
