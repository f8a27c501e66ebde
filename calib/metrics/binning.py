"""Which bin a confidence falls in, and what is summed there.

Equal width: the bin of c with B bins is the number of k in 1..B-1 with c >= k/B, where k/B is the
correctly rounded float64 quotient: [a, b), the last bin closed. ``closed="right"`` counts c > k/B:
(a, b], the first bin closed. ``linspace`` misses some of these edges by an ulp.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.metrics.arrays import numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strategy = Literal["width", "mass", "quantile"]
Closed = Literal["left", "right"]

BINS = 15
MOST = 1_000_000
"""No set has rows for more bins; a thousand million would take gigabytes."""


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """Bins that are not empty, from low to high confidence; R of them. All float64 but count.

    With bins of equal width, and with those of a histogram, ``low`` and ``high`` are the bin's
    edges; otherwise the least and the greatest confidence in it.
    """

    low: Floats  # (R,)
    high: Floats  # (R,)
    count: Ints  # (R,)
    confidence: Floats  # (R,) mean confidence
    accuracy: Floats  # (R,) mean correct

    @property
    def gap(self) -> Floats:
        """(R,) |accuracy - confidence|."""
        gap: Floats = np.abs(self.accuracy - self.confidence)
        return gap

    @property
    def weight(self) -> Floats:
        """(R,) share of the rows."""
        weight: Floats = self.count / self.count.sum()
        return weight

    def at_least(self, min_count: int) -> NDArray[np.bool_]:
        """(R,) bool: bins that hold at least ``min_count`` rows. Raises where none does."""
        mask = self.count >= min_count
        if len(mask) and not mask.any():
            raise ValueError(f"min_count={min_count}: the fullest bin holds {self.count.max()}")
        return mask


def pairs(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 (N,), checked. Raises ValueError that names the argument and its value."""
    c = numbers("confidence", confidence).astype(np.float64)
    a = numbers("correct", correct).astype(np.float64)
    if c.ndim != 1 or a.shape != c.shape:
        raise ValueError(
            f"confidence and correct must be 1-D of one length, got {c.shape} and {a.shape}"
        )
    if len(c) == 0:
        raise ValueError("confidence is empty: no rows, no metric")
    unfit = ~((c >= 0) & (c <= 1))
    if unfit.any():
        first = int(unfit.argmax())
        raise ValueError(
            f"confidence must lie in [0, 1], got {c[first]} at row {first} "
            f"({int(unfit.sum())} of {len(c)} rows)"
        )
    unfit = ~((a == 0) | (a == 1))
    if unfit.any():
        first = int(unfit.argmax())
        raise ValueError(f"correct must hold 0 and 1, got {a[first]} at row {first}")
    return c, a


def bin_count(bins: int) -> int:
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins must be a positive integer, got {bins!r}")
    if bins > MOST:
        raise ValueError(f"bins must be at most {MOST:,}, got {bins}")
    return int(bins)


def width_edges(bins: int) -> Floats:
    """The inner edges k/B (B - 1,)."""
    return np.arange(1, bins, dtype=np.float64) / bins


def inner_edges(c: Floats, bins: int, strategy: Strategy, closed: Closed) -> tuple[Floats, Closed]:
    """Inner edges for the confidences c, and on which side bins are closed.

    ``mass`` splits the sorted values into near-equal parts, each of which ends with its largest
    value; equal values share a bin, the lower one, so that the order of the rows does not matter.
    ``quantile`` takes NumPy's linear quantiles.
    """
    if closed not in ("left", "right"):
        raise ValueError(f"closed must be 'left' or 'right', got {closed!r}")
    if strategy == "width":
        return width_edges(bins), closed
    if strategy == "quantile":
        return np.quantile(c, width_edges(bins)), closed
    if strategy == "mass":
        parts = np.array_split(np.sort(c), min(bins, len(c)))
        return np.asarray([part[-1] for part in parts[:-1]]), "right"
    raise ValueError(f"strategy must be 'width', 'mass' or 'quantile', got {strategy!r}")


def place(c: Floats, edges: Floats, closed: Closed) -> Ints:
    """The bin of each row (N,): how many inner edges it has reached (left) or passed (right)."""
    return np.searchsorted(edges, c, side="right" if closed == "left" else "left")


@dataclass(frozen=True, slots=True)
class Placed:
    """The R bins that N confidences fill; which answers were right plays no part."""

    where: Ints  # (N,) the place of each row's bin among the filled ones
    low: Floats  # (R,)
    high: Floats  # (R,)
    count: Ints  # (R,)
    confidence: Floats  # (R,)

    @classmethod
    def of(cls, c: Floats, bins: int | None, strategy: Strategy, closed: Closed) -> Placed:
        bins = BINS if bins is None else bin_count(bins)
        edges, side = inner_edges(c, bins, strategy, closed)
        filled, where, count = np.unique(
            place(c, edges, side), return_inverse=True, return_counts=True
        )
        if strategy == "width":
            low, high = filled / bins, (filled + 1) / bins
        else:
            ordered = np.sort(c)
            ends = np.cumsum(count)
            low, high = ordered[ends - count], ordered[ends - 1]
        return cls(where, low, high, count, np.bincount(where, c) / count)

    def curve(self, correct: Floats) -> ReliabilityCurve:
        """The reliability curve of the rows, given which of them were right (N,)."""
        accuracy = np.bincount(self.where, correct) / self.count
        return ReliabilityCurve(self.low, self.high, self.count, self.confidence, accuracy)


def curve(
    confidence: Any, correct: Any, bins: int | None, strategy: Strategy, closed: Closed
) -> ReliabilityCurve:
    """The bins of two arrays, or of a CalibrationHistogram in place of the first."""
    if is_histogram(confidence):
        return _of_histogram(confidence, correct, bins, strategy, closed)
    c, a = pairs(confidence, correct)
    return Placed.of(c, bins, strategy, closed).curve(a)


def is_histogram(values: Any) -> bool:
    """Whether ``values`` is a CalibrationHistogram, by its attributes: torch is not imported."""
    return all(hasattr(values, name) for name in ("rebin", "count", "correct", "confidence"))


def _of_histogram(
    histogram: Any, correct: Any, bins: int | None, strategy: Strategy, closed: Closed
) -> ReliabilityCurve:
    if correct is not None:
        raise ValueError("a CalibrationHistogram brings its own correct; leave the argument out")
    if strategy not in ("width", "mass") or closed != "left":
        raise ValueError(
            "a CalibrationHistogram has bins of equal width closed on the left, and bins of equal "
            f"mass can be made of them; strategy={strategy!r}, closed={closed!r} was asked for"
        )
    if strategy == "mass":
        histogram = histogram.equal_mass(BINS if bins is None else bin_count(bins))
        ends = np.concatenate(([0.0], histogram.edges.numpy(), [1.0]))
    elif bins in (None, histogram.bins):
        ends = np.arange(histogram.bins + 1) / histogram.bins
    else:
        raise ValueError(f"the histogram has {histogram.bins} bins, bins={bins} was asked for")
    count = numbers("count", histogram.count)
    filled = np.flatnonzero(count)
    if len(filled) == 0:
        warnings.warn("the histogram is empty: its metrics are nan", RuntimeWarning, stacklevel=4)
    count = count[filled]
    return ReliabilityCurve(
        ends[filled],
        ends[filled + 1],
        count,
        numbers("confidence", histogram.confidence)[filled] / count,
        numbers("correct", histogram.correct)[filled] / count,
    )
