"""Philox4x32-10: random bits that are a function of an address, not of a state.

Counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
3" (SC 2011); its words are those of the Random123 library. One block of 128 bits for

    key = seed (64 bits)        counter = (item low, item high, sample, step << 4 | stage)

so every (seed, item, sample, step, stage) has bits of its own: fields of a counter share no bit and
nothing is added up. This is the definition that the C++ and Triton generators are held to.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEP_BITS = 28
STAGES = 2  # of the 16 that the counter has room for

_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def _high_low(multiplier: int, word: Tensor) -> tuple[Tensor, Tensor]:
    """The two halves of a product of 32-bit words; int64 wraps, which keeps all 64 bits."""
    product = word * multiplier
    return (product >> 32) & _LOW, product & _LOW


def words(seed: int, c0: Tensor, c1: Tensor, c2: Tensor, c3: Tensor) -> tuple[Tensor, ...]:
    """Four words, 32 bits each in int64, for counters (...) of such words and a 64-bit seed."""
    key = [seed & _LOW, (seed >> 32) & _LOW]
    for _ in range(_ROUNDS):
        high0, low0 = _high_low(_MULTIPLIERS[0], c0)
        high1, low1 = _high_low(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ key[0], low1, high0 ^ c3 ^ key[1], low0
        key = [(k + weyl) & _LOW for k, weyl in zip(key, _WEYL, strict=True)]
    return c0, c1, c2, c3


def uniforms(seed: int, item: Tensor, sample: Tensor, step: Tensor) -> Tensor:
    """(..., 2) float64 in [0, 1): the two stages of a draw.

    item, sample and step are int64 of shapes that broadcast to (...); their low 64, 32 and 28 bits
    are used. Of the first two words of a block, low then high, the upper 53 bits make the number.
    """
    item, sample, step = torch.broadcast_tensors(item, sample, step)
    drawn = []
    for stage in range(STAGES):
        place = (step << 4 | stage) & _LOW
        low, high, _, _ = words(seed, item & _LOW, (item >> 32) & _LOW, sample & _LOW, place)
        drawn.append((high << 21 | low >> 11).to(torch.float64) * 2.0**-53)
    return torch.stack(drawn, -1)
