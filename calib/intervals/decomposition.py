"""The Brier score of a confidence, split into calibration and refinement.

    mean (c - a)^2 = calibration + refinement

Calibration is what the gaps of the bins cost, sum over bins of n_b / n gap_b^2, and refinement what
is left when every bin's gap is gone: the spread of c - a inside bins, and so of answers that one
confidence does not tell apart (Murphy 1973; DeGroot and Fienberg 1983). A sharper model lowers the
second without touching the first.

The plug-in squares are too large by the chance of each bin. Calibration is therefore the debiased
squared error of ``calib.intervals.debiased`` (Ferro and Fricker 2012; Kumar et al. 2019), which may
be below 0, and refinement is Brier less that: both are without the plug-in's bias and their sum is
the Brier score itself, not that of binned confidences. Two biases stay. A gap that changes sign
inside a bin is not seen, so that calibration is a lower bound of that of each confidence, and
refinement an upper one. A bin of one row adds nothing to calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib import metrics
from calib.intervals import Difference, Interval, debiased
from calib.intervals.clusters import Members, members_of, refuse_one
from calib.intervals.enough import too_few
from calib.metrics.arrays import pair
from calib.metrics.binning import BINS

Floats = NDArray[np.float64]

HOW = "Brier less the debiased squared error, jackknife"
STILL = "none: without any one cluster it is the same"


@dataclass(frozen=True, slots=True)
class Parts:
    """Both parts of a Brier score, their 95 % intervals, and in ``brier`` their sum."""

    brier: float
    calibration: Interval
    refinement: Interval


def brier_parts(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = BINS,
    clusters: ArrayLike | None = None,
) -> Parts:
    """The calibration and the refinement of N answers; see the module for formulas and biases.

    confidence (N,) in [0, 1], correct (N,) of 0 and 1; the parts are in squared units. bins: so
    many of equal width. clusters: (N,) labels of rows that belong together, which are left out
    together; by default each row is a cluster of its own. Of fewer than ten clusters, or fewer than
    five right or wrong answers, the parts have no interval.

    Raises ValueError as ``metrics.brier`` does, and where all rows are one cluster.
    """
    side = Side.of(pair("answers", (confidence, correct)), bins, clusters)
    if side.few is not None:
        ends: tuple[float | None, float | None] = (None, None)
        return Parts(
            side.brier,
            Interval(side.square, *ends, side.few),
            Interval(side.brier - side.square, *ends, side.few),
        )
    spread = debiased.Spread.of(side.cells, side.square, debiased.error_of(side.squares))
    refinement = side.brier - side.square
    reach = debiased.REACH * debiased.error_of(side.refinements)
    low, high = spread.bounds(side.square)
    # They invert tests of errors, none of which is below 0 by chance alone as far as an estimate
    # may be: an interval that does not hold its value is widened to it.
    ends = min(low, side.square), max(high, side.square)
    return Parts(
        side.brier,
        Interval(side.square, *ends, "debiased squared error, jackknife"),
        Interval(refinement, refinement - reach, refinement + reach, HOW),
    )


def paired_refinement(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    bins: int = BINS,
    clusters: ArrayLike | None = None,
) -> Difference:
    """The refinement of the first less that of the second, on the same N rows in the same order.

    first, second: (confidence, correct) of each. p is two-sided, of a normal estimate with the
    jackknife's error. The other part's is ``paired_difference`` of ``metrics.debiased_rmsce``, and
    both add up to the difference of Brier scores. bins, clusters and errors as for ``brier_parts``;
    ValueError also for rows of unequal number.
    """
    a, b = pair("first", first), pair("second", second)
    if len(a[1]) != len(b[1]):
        raise ValueError(f"paired rows must be equally many, got {len(a[1])} and {len(b[1])}")
    one, other = (Side.of(side, bins, clusters) for side in (a, b))
    value = (one.brier - one.square) - (other.brier - other.square)
    error = debiased.error_of(one.refinements - other.refinements)
    few = one.few or other.few
    if few is not None or error == 0:
        return Difference(value, None, None, few or STILL, None if value else 1.0)
    reach = debiased.REACH * error
    p = debiased.two_sided(value, error)
    return Difference(value, value - reach, value + reach, f"difference of {HOW}", p)


@dataclass(frozen=True, slots=True)
class Side:
    """The Brier score and the debiased squared error of one model's rows, with (G,) of each what
    it is without each cluster, and why the rows are too few for an interval."""

    cells: debiased.Cells
    few: str | None
    brier: float
    square: float
    squares: Floats
    refinements: Floats

    @classmethod
    def of(cls, rows: tuple[NDArray[Any], NDArray[Any]], bins: int, clusters: Any) -> Side:
        metric = partial(metrics.debiased_rmsce, bins=bins)
        metric(*rows)  # refuses what it cannot be of
        members = members_of(clusters, len(rows[1]))
        refuse_one(members)
        cells = debiased.Cells.of(metric, *rows)
        square, squares = debiased.left_out(cells, members)
        brier, briers = mean_left_out((cells.confidence - cells.correct) ** 2, members)
        few = too_few(metric, cells.correct, members)
        return cls(cells, few, brier, square, squares, briers - squares)


def mean_left_out(values: Floats, members: Members) -> tuple[float, Floats]:
    """The mean of the rows, and (G,) that of all rows but each cluster's."""
    sums = np.bincount(members.of, values, members.count)
    rows = np.bincount(members.of, minlength=members.count)
    return float(values.mean()), (values.sum() - sums) / (len(values) - rows)
