"""Random numbers that belong to a name, and not to a place in a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

BITS = 53
"""As many as a float64 in [0, 1) holds."""


def uniforms(seed: int, names: Iterable[object]) -> NDArray[np.float64]:
    """(N,) in [0, 1): each depends on the seed and the text of its own name alone."""
    drawn = [
        int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest())
        for name in names
    ]
    return np.array([number >> (64 - BITS) for number in drawn], dtype=np.float64) / 2.0**BITS
