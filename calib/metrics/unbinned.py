"""Calibration errors without bins: smooth ECE and the Kolmogorov-Smirnov distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.metrics.binning import Floats, Ints, pairs

BISECTIONS = 10
LEAST_BANDWIDTH = 0.001
GRID = 1000  # intervals on which rows are gathered, from a bandwidth of 0.01 upwards
MESH = 200  # points at which the smoothed error is averaged, from a bandwidth of 0.05 upwards

DENSITY_FLOOR = 1e-4  # added to the smoothed count of rows; felt where there are few


def smooth_ece(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Smooth ECE: mean |smoothed residual| by density, at the bandwidth that equals it.

    Residuals correct - c are smoothed with a Gaussian reflected at 0 and 1. The bandwidth is the
    fixed point, at most 1/1024 too large (Błasiok & Nakkiran 2023). As in the authors' relplot,
    whose values these are, the kernel is cut at a distance of 1/2, rows are gathered on a grid and
    their density has a floor. Raises ValueError on unfit arrays.
    """
    c, a = pairs(confidence, correct)
    return smooth_ece_of(c)(a)


def smooth_ece_of(c: Floats) -> Callable[[Floats], float]:
    """``smooth_ece`` of the confidences c (N,) as a function of correct (N,)."""
    grids: dict[int, Grid] = {}

    def value(a: Floats) -> float:
        residual = a - c
        rows: dict[int, Floats] = {}  # gathered once for all bandwidths that share a grid

        def error_at(bandwidth: float) -> float:
            intervals = max(GRID, 2 * round(5 / bandwidth))
            grid = grids.get(intervals) or grids.setdefault(intervals, Grid.of(c, intervals))
            if intervals not in rows:
                rows[intervals] = grid.gather(residual)
            return error_on(np.stack([rows[intervals], grid.count]), bandwidth)

        low, high = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            if middle < LEAST_BANDWIDTH or middle < error_at(middle):
                low = middle
            else:
                high = middle
        return error_at(high)

    return value


@dataclass(frozen=True, slots=True)
class Grid:
    """Confidences between the points of an even grid, each shared by its two neighbours."""

    cell: Ints  # (N,)
    upper: Floats  # (N,) the share of the upper neighbour
    count: Floats  # (intervals + 1,)

    @classmethod
    def of(cls, c: Floats, intervals: int) -> Grid:
        cell = np.minimum((c * intervals).astype(np.int64), intervals - 1)
        grid = cls(cell, c * intervals - cell, np.zeros(intervals + 1))
        grid.count[:] = grid.gather(np.ones_like(c))
        return grid

    def gather(self, weight: Floats) -> Floats:
        """The weights (N,) on the grid."""
        points = len(self.count)
        row = np.asarray(np.bincount(self.cell, (1 - self.upper) * weight, points), np.float64)
        row += np.bincount(self.cell + 1, self.upper * weight, points)
        return row


def error_on(rows: Floats, bandwidth: float) -> float:
    """Mean |smoothed residual| of the rows (2, intervals + 1): residuals, and how many."""
    intervals = rows.shape[1] - 1
    mirrored = np.concatenate([rows[:, :0:-1], rows, rows[:, -2::-1]], axis=1)
    transform, size = _kernel(bandwidth, intervals)
    smoothed = np.fft.irfft(np.fft.rfft(mirrored, size) * transform, size)
    # The kernel's middle is half the grid behind its start, the rows a whole grid behind theirs.
    first = intervals + intervals // 2
    smoothed = smoothed[:, first : first + intervals + 1]
    mesh = np.linspace(0, intervals, max(round(10 / bandwidth), MESH))
    error, density = (np.interp(mesh, np.arange(intervals + 1), row) for row in smoothed)
    density += DENSITY_FLOOR * math.sqrt(2 * math.pi) * bandwidth
    return float(np.abs(error).sum() / density.sum())


@lru_cache(maxsize=64)
def _kernel(bandwidth: float, intervals: int) -> tuple[NDArray[np.complex128], int]:
    """The kernel's Fourier transform, and the length that keeps the convolution from wrapping."""
    offset = np.linspace(-0.5, 0.5, intervals + 1)
    kernel = np.exp(-(offset**2) / (2 * bandwidth**2))
    size = 1 << (4 * intervals + 1).bit_length()
    return np.fft.rfft(kernel, size), size


def ks(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Kolmogorov-Smirnov calibration error: max over t of |sum over c <= t of correct - c| / n.

    Raw (Gupta et al. 2021); MAPIE divides it by sqrt(sum c (1 - c)) / n. Raises ValueError on
    unfit arrays.
    """
    c, a = pairs(confidence, correct)
    return ks_of(c)(a)


def ks_of(c: Floats) -> Callable[[Floats], float]:
    """``ks`` of the confidences c (N,) as a function of correct (N,)."""
    values, where = np.unique(c, return_inverse=True)

    def value(a: Floats) -> float:
        drift = np.cumsum(np.bincount(where, a - c, len(values)))
        return float(np.abs(drift).max() / len(c))

    return value
