"""Temperatures grouped so that one exponential serves several of them.

Inverse temperatures that are small multiples k of one base b need one exponential a logit: with
e = exp(b x), exp(k b x) = e^k. ``groups`` finds such temperatures among any others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def scales(temperatures: Sequence[float]) -> list[float]:
    """log2(e) / T of each, NaN where T is not in [1e-38, inf)."""
    return [LOG2_E / t if LEAST_TEMPERATURE <= t < math.inf else math.nan for t in temperatures]


def _matching(base: float, scales: dict[int, float], multiples: range) -> Group:
    found: dict[int, int] = {}
    for place, scale in scales.items():
        k = round(scale / base) if scale < 2 * base * multiples[-1] else 0
        if k in multiples and k not in found and abs(scale / (k * base) - 1.0) <= CLOSE:
            found[k] = place
    return Group(base, tuple(found), tuple(found.values()))


def groups(scales: Sequence[float], multiples: Sequence[range], least: int = 3) -> list[Group]:
    """Cut the usable temperatures into groups, those on a grid first.

    ``multiples`` are the ranges of k that a kernel can take together; a group of fewer than
    ``least`` is not worth one, and what is left over has base 0. Every place is in one group,
    unless its scale is NaN.
    """
    left = {place: scale for place, scale in enumerate(scales) if not math.isnan(scale)}
    found = []
    while len(left) >= least:
        candidates = (
            _matching(scale / k, left, span)
            for scale in left.values()
            for span in multiples
            for k in span
        )
        # Low powers are the most exact; of equals, the smallest base leaves the rest on its grid.
        best = max(
            candidates, key=lambda group: (len(group.places), -sum(group.multiples), -group.base)
        )
        if len(best.places) < least:
            break
        found.append(best)
        for place in best.places:
            del left[place]
    if left:
        found.append(Group(0.0, (), tuple(left)))
    return found
