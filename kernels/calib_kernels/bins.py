"""Which bin a confidence falls in, and how bin sums are kept exact.

B bins of equal width over [0, 1]: the bin of c is the number of k in 1..B-1 with c >= k/B, where
k/B is the correctly rounded float64 quotient. So bins are [a, b), the last one closed; 0 and 1
both count. On float32 data the same rule needs no float64: compare with the smallest float32 that
is >= k/B, which is what ``edges`` holds.

A histogram is one flat int64 vector of 3B + 1 numbers: B counts, B counts of correct rows, B sums
of trunc(c * 2^32), and the number of invalid rows. Integer addition is associative, so any order,
split, device or rank gives the same bits. Beside one, the entropies of its rows are two such
numbers: their sum, each rounded to a multiple of 2^-24 nats, and how many are not known.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

MAX_BINS = 65536
NATS = 2.0**24  # entropies: room for 4e10 rows of 12 nats
SCALE = 2.0**32  # room for 2.1e9 rows of confidence 1 in a bin; truncation costs < 2^-32 a row


def length(bins: int) -> int:
    """Numbers in the vector of a histogram of ``bins`` bins."""
    return 3 * bins + 1


@lru_cache(maxsize=64)
def edges(bins: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The inner edges t_1..t_{B-1} (B-1,) such that c of ``dtype`` is >= k/B exactly if >= t_k."""
    quotients = np.arange(1, bins, dtype=np.float64) / bins
    if dtype == torch.float64:
        return torch.from_numpy(quotients).to(device)
    rounded = quotients.astype(np.float32)
    below = rounded.astype(np.float64) < quotients
    rounded[below] = np.nextafter(rounded[below], np.float32(np.inf))
    return torch.from_numpy(rounded).to(device)


def entropy_sums(entropy: Tensor) -> Tensor:
    """(2,) int64 of entropies (N,) in nats: their sum, in 2^-24 nats, and how many are NaN.

    An entropy of 0 adds nothing, so that of a row that does not count must be 0.
    """
    unknown = entropy.isnan()
    fixed = (entropy.masked_fill(unknown, 0.0) * NATS).round().to(torch.int64)
    return torch.stack((fixed.sum(), unknown.sum()))
