"""Pictures drawn by arithmetic alone: the same bytes on every machine, whatever library draws.

Only sums, products and comparisons are used, which IEEE 754 rounds in one way everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 224
Colour = tuple[float, float, float]
Mask = NDArray[np.float64]
"""(S, S) shares from 0 to 1 of a colour that covers a pixel."""


class Canvas:
    """A square picture of ``SIDE`` pixels; places are shares of its side, from the upper left."""

    def __init__(self, colour: Colour) -> None:
        line = (np.arange(SIDE) + 0.5) / SIDE
        self.x, self.y = np.meshgrid(line, line)
        self._pixels = np.broadcast_to(np.array(colour, dtype=np.float64), (SIDE, SIDE, 3)).copy()

    def paint(self, mask: Mask, colour: Colour) -> None:
        """Cover the picture with ``colour``, 0 to 255, where ``mask`` says."""
        inside = mask > 0
        share = mask[inside][:, None]
        self._pixels[inside] = self._pixels[inside] * (1 - share) + np.array(colour) * share

    def box(self, left: float, top: float, right: float, bottom: float) -> Mask:
        return self.all_of(self.x - left, right - self.x, self.y - top, bottom - self.y)

    def ellipse(self, x: float, y: float, across: float, down: float) -> Mask:
        """``across`` and ``down`` are its half axes."""
        return self.all_of(1 - self._distance(x, y, across, down))

    def haze(self, x: float, y: float, across: float, down: float) -> Mask:
        """An ellipse that fades from its middle to its edge."""
        inside = np.maximum(1 - self._distance(x, y, across, down), 0.0)
        return inside * inside

    def polygon(self, corners: Sequence[tuple[float, float]]) -> Mask:
        """A convex one; corners clockwise as seen."""
        sides = []
        for (x, y), (next_x, next_y) in zip(corners, [*corners[1:], corners[0]], strict=True):
            sides.append((next_x - x) * (self.y - y) - (next_y - y) * (self.x - x))
        return self.all_of(*sides)

    def grain(self, draws: random.Random, most: int) -> None:
        """Add noise of up to ``most`` steps of grey to every pixel."""
        steps = np.frombuffer(draws.randbytes(SIDE * SIDE), dtype=np.uint8) % (2 * most + 1)
        self._pixels += steps.reshape(SIDE, SIDE, 1).astype(np.float64) - most

    def picture(self) -> Image.Image:
        """RGB, (S, S)."""
        return Image.fromarray(np.clip(self._pixels + 0.5, 0, 255).astype(np.uint8))

    def _distance(self, x: float, y: float, across: float, down: float) -> Mask:
        """1 on the ellipse's edge, squared."""
        dx, dy = (self.x - x) / across, (self.y - y) / down
        return dx * dx + dy * dy

    @staticmethod
    def all_of(*sides: Mask) -> Mask:
        inside = np.ones_like(sides[0], dtype=bool)
        for side in sides:
            inside &= side >= 0
        return inside.astype(np.float64)
