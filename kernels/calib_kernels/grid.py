"""Temperatures grouped so that one exponential serves several of them.

Inverse temperatures that are small multiples k of one base b need one exponential a logit: with
e = exp(b x), exp(k b x) = e^k. ``groups`` finds such temperatures among any others.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from calib_kernels.checks import LEAST_TEMPERATURE
from calib_kernels.dispatch import LOG2_E

# Of a multiple's inverse temperature: half a unit in the last place of float32, and a little more.
CLOSE = 7.5e-8


class Group(NamedTuple):
    """Temperatures that share a base: inverse temperature ``multiples[i] * base`` at ``places[i]``.

    The base is in bits (log2(e) / T) and 0 for temperatures that have none in common.
    """

    base: float
    multiples: tuple[int, ...]
    places: tuple[int, ...]


def scales(temperatures: Sequence[float]) -> tuple[float, ...]:
    """log2(e) / T of each, NaN where T is not in [1e-38, inf)."""
    return tuple(
        LOG2_E / t if LEAST_TEMPERATURE <= t < math.inf else math.nan for t in temperatures
    )


# Loops sweep the same temperatures at every step, and looking for grids among 8 takes 0.2 ms.
@lru_cache(maxsize=64)
def groups(
    scales: tuple[float, ...], multiples: tuple[range, ...], least: int = 4
) -> tuple[Group, ...]:
    """Cut the usable temperatures into groups, those on a grid first.

    ``multiples`` are the ranges of k that a kernel can take together; a group of fewer than
    ``least`` is not worth one, and what is left over has base 0. Every place is in one group,
    unless its scale is NaN. Greedy: the largest group of those left is the next.
    """
    left = {place for place, scale in enumerate(scales) if not math.isnan(scale)}
    order = sorted((scales[place], place) for place in left)

    def matching(base: float, span: range) -> Group:
        found = {}
        for k in span:
            at = bisect_left(order, (k * base * (1.0 - CLOSE), -1))
            while at < len(order) and order[at][0] <= k * base * (1.0 + CLOSE):
                if order[at][1] in left:
                    found[k] = order[at][1]
                    break
                at += 1
        return Group(base, tuple(found), tuple(found.values()))

    def rank(group: Group) -> tuple[int, int, float]:
        # Low powers are the most exact; of equals, the smallest base leaves the rest on its grid.
        return -len(group.places), sum(group.multiples), group.base

    # Groups only shrink as others are taken: one that still has its rank is the best there is.
    queue = [
        (rank(matching(scale / k, span)), i, scale / k)
        for scale, _ in order
        for i, span in enumerate(multiples)
        for k in span
    ]
    heapify(queue)
    found = []
    while queue and -queue[0][0][0] >= least:
        before, i, base = heappop(queue)
        group = matching(base, multiples[i])
        if rank(group) > before:
            heappush(queue, (rank(group), i, base))
            continue
        found.append(group)
        left.difference_update(group.places)
    if left:
        found.append(Group(0.0, (), tuple(sorted(left))))
    return tuple(found)
