"""The generator of the sampler: known answers, and streams that never meet."""

from __future__ import annotations

import itertools

import torch
from calib_kernels import philox

# Random123's known answers for philox4x32, 10 rounds: key, counter, words.
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
KNOWN = [
    (0, (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (2**64 - 1, (2**32 - 1,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (0x299F31D0_A4093822, PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


def test_known_answers() -> None:
    """R26."""
    for seed, counter, words in KNOWN:
        found = philox.words(seed, *(torch.tensor(c) for c in counter))
        assert tuple(int(word) for word in found) == words


def test_uniforms_are_53_bits_of_the_words() -> None:
    zero = torch.tensor(0)
    u = philox.uniforms(0, zero, zero, zero)
    assert float(u[0]) == ((0xE169C58D << 32 | 0x6627E8D5) >> 11) / 2**53
    assert u.shape == (2,) and u.dtype == torch.float64


def test_addresses_never_collide() -> None:
    """R26: over items, samples, steps, stages and seeds, where sums of multiples would meet."""
    axis = torch.tensor([*range(12), 2**27, 2**28 - 1])
    wide = torch.cat((axis, (axis % 2**20) << 32, torch.tensor([-1, 2**63 - 1]))).unique()
    drawn = []
    for seed in (0, 1, 2**32, 2**64 - 1):
        u = philox.uniforms(seed, wide[:, None, None], axis[None, :, None], axis[None, None, :])
        drawn.append(u.flatten())
    every = torch.cat(drawn)
    assert every.unique().numel() == every.numel()
    assert every.min() >= 0 and every.max() < 1


def test_one_bit_of_an_address_changes_half_of_the_bits() -> None:
    """Of every field and either half of the seed; 128 bits are given by each block."""
    base = [7, 11, 13, 17]

    def block(seed: int, counter: list[int]) -> int:
        words = philox.words(seed, *(torch.tensor(c) for c in counter))
        return sum(int(word) << 32 * i for i, word in enumerate(words))

    before = block(5, base)
    for place, bit in itertools.product(range(5), (0, 13, 31)):
        counter, seed = list(base), 5
        if place == 4:
            seed ^= 1 << (bit + 32)
        else:
            counter[place] ^= 1 << bit
        changed = (before ^ block(seed, counter)).bit_count()
        assert 32 < changed < 96
