"""Whether two models are shown to be equivalent: their difference to be within a margin.

A large p of no difference shows nothing. The null of an equivalence test is that the difference is
the margin or more, on one side or the other; each side has its own test and p is the larger of both
(two one-sided tests, Schuirmann 1987). Equivalence is claimed where both reject, so the two need no
correction for their number (an intersection-union test, Berger 1982).

* **Means over rows** (accuracy, the signed gap, Brier): Student's t of the paired difference, its
  standard error a jackknife over clusters; of rows that stand for themselves the paired t test.
* **Where fewer than ten clusters differ**, also where none does, a spread tells nothing of the rows
  that were not seen. There the difference is at most ``SPAN`` times the share of clusters that
  differ, and the test is the exact binomial's of that share. Identical runs are therefore shown to
  be equivalent within .02 by 299 questions and not by fewer.
* **Calibration errors** (``metrics.debiased_rmsce``): each has its own debiased interval, 97.5 %
  one-sided at either end; they are equivalent where the two force |r1 - r2| below the margin. That
  is wrong at most once in 20 (2.5 % for each of the two bounds that a side needs), whatever the
  dependence between the two models, and makes no use of their being paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from calib import metrics
from calib.intervals import debiased
from calib.intervals.clusters import Members, members_of, refuse_one
from calib.intervals.enough import Metric, base_of, too_few
from calib.intervals.ratios import Rows, ratio_of
from calib.intervals.shares import FEWEST_CLUSTERS
from calib.metrics.arrays import pair, value_of

MARGIN = 0.02
ALPHA = 0.05
SPAN = 2.0
"""The most by which one row of two models can differ: of a signed gap, or a Brier of options."""
POWER = 0.8
"""How often as many rows as ``needs`` show equivalence, where there is no difference at all."""

BOTH_SIDES = debiased.NORMAL.inv_cdf((1 + POWER) / 2)
"""An estimate errs by less than so many standard errors with the probability ``POWER``."""
NEGLIGIBLE = 1e-3
"""Clusters count as different that differ by more than this share of the margin."""
ROUNDING = 1e-12
"""A standard error that roundings may have made."""
FARTHEST = 37.0
"""Standard errors beyond which a normal tail is 0 in float64."""
MOST = 1e9
"""Times the rows at hand that are looked at for how many would be needed."""
HALVINGS = 60

STILL = "none: the error has no spread"
T_TESTS = "two one-sided t tests of the paired difference, jackknife over clusters"
DEBIASED = "the two debiased intervals, 97.5 % one-sided each"


@dataclass(frozen=True, slots=True)
class Equivalence:
    """First minus second, and whether it is shown to lie inside the margin.

    ``low`` and ``high`` bound the difference so that p is below 0.05 just where both lie inside the
    margin: of a mean the 90 % interval, of calibration errors the widest difference that their two
    intervals allow. ``p`` is None where there is no test, and ``method`` then says why. ``needs``
    is about how many rows of the same kind would show equivalence (p < 0.05) four times of five if
    there were no difference; None where that is not known. A test among several whose p are
    corrected needs more (``needs_at``).
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    margin: float
    needs: int | None
    method: str


def paired_equivalence(
    metric: Metric,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    margin: float = MARGIN,
    clusters: ArrayLike | None = None,
) -> Equivalence:
    """The test that ``metric(*first)`` and ``metric(*second)`` differ by less than ``margin``.

    first, second: (confidence, correct) of two models on the same N rows, in the same order.
    metric: a mean over rows whose values span at most 2 (``metrics.accuracy``, ``metrics.brier``, a
    ``mean_of``), or ``metrics.debiased_rmsce``, or a ``functools.partial`` of one. margin: above 0,
    in the metric's own unit. clusters: (N,) labels of rows that belong together, which are left out
    together; by default each row is a cluster of its own. See the module for tests and sources.

    Raises ValueError for another metric, a margin that is not above 0, rows of unequal number, rows
    of one cluster, and as the metric does.
    """
    return tested(metric, first, second, margin, clusters)[0]


Needs = Callable[[float], int | None]
"""Of the level below which p is to lie, about how many rows bring it there four times of five if
there is no difference; None where that is not known."""


def needs_at(
    metric: Metric,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    tests: int,
    margin: float = MARGIN,
    clusters: ArrayLike | None = None,
) -> tuple[Equivalence, list[int | None]]:
    """The test of ``paired_equivalence``, and (tests,) numbers of rows: what it needs for p below
    0.05, below 0.05 / 2 and so on, the levels that Holm's rule sets.

    Arguments and errors are those of ``paired_equivalence``.
    """
    found, needs = tested(metric, first, second, margin, clusters)
    return found, [needs(ALPHA / number) for number in range(1, tests + 1)]


def tested(
    metric: Metric,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    margin: float,
    clusters: ArrayLike | None,
) -> tuple[Equivalence, Needs]:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be a number above 0, got {margin}")
    a, b = pair("first", first), pair("second", second)
    if len(a[1]) != len(b[1]):
        raise ValueError(f"paired rows must be equally many, got {len(a[1])} and {len(b[1])}")
    value = value_of(metric, *a) - value_of(metric, *b)
    members = members_of(clusters, len(a[1]))
    refuse_one(members)
    few = too_few(metric, a[1], members) or too_few(metric, b[1], members)
    if base_of(metric) is metrics.debiased_rmsce:
        if few is not None:
            return none(value, margin, few)
        cells = [debiased.Cells.of(metric, *side) for side in (a, b)]
        return of_errors(value, [Error.of(each, members) for each in cells], len(a[1]), margin)
    ratio = ratio_of(metric)
    rows = None if ratio is None else (ratio.rows(*a), ratio.rows(*b))
    if rows is None or not all((each.below == 1).all() for each in rows):
        raise ValueError(
            "metric must be a mean over rows or metrics.debiased_rmsce, got "
            f"{getattr(base_of(metric), '__name__', metric)}"
        )
    values = np.concatenate([each.above for each in rows])
    if not np.ptp(values) <= SPAN:
        raise ValueError(
            f"metric must have values that span at most {SPAN:g}, got {np.ptp(values):g}"
        )
    if few is not None:
        return none(value, margin, few)
    return of_means(value, rows[0], rows[1], members, margin)


def none(value: float, margin: float, why: str) -> tuple[Equivalence, Needs]:
    return Equivalence(value, None, None, None, margin, None, why), lambda level: None


def with_needs(found: Equivalence, needs: Needs) -> tuple[Equivalence, Needs]:
    return replace(found, needs=needs(ALPHA)), needs


def of_means(
    value: float, first: Rows, second: Rows, members: Members, margin: float
) -> tuple[Equivalence, Needs]:
    """Means over rows: (G,) sums of the differences in each cluster, and how many rows it has."""
    from scipy import special  # takes 0.15 s, and most metrics do without

    sums = (first.per_cluster(members) - second.per_cluster(members))[0]
    rows, n = np.bincount(members.of, minlength=members.count), len(members.of)
    error = debiased.error_of((sums.sum() - sums) / (n - rows))
    small = NEGLIGIBLE * margin
    # So large a share of clusters must differ by more before they can make up the margin.
    least = (margin - small) / SPAN * float(rows.mean() / rows.max())

    def needs(level: float) -> int:
        unseen = math.log(level) / math.log1p(-least) * n / members.count if least < 1 else 1.0
        reach = debiased.NORMAL.inv_cdf(1 - level) + BOTH_SIDES
        return math.ceil(max(n * (error * reach / margin) ** 2, unseen))

    differ = int((np.abs(sums) > small * rows).sum())
    if differ < FEWEST_CLUSTERS:
        p = float(special.bdtr(differ, members.count, min(1.0, least)))
        # The largest share under which so few would differ once in 20.
        most = float(special.bdtri(differ, members.count, ALPHA))
        reach = small + (margin - small) * most / least
        how = f"exact binomial of the {members.count:,} clusters, of which {differ} differ"
        return with_needs(Equivalence(value, -reach, reach, p, margin, None, how), needs)
    if error <= ROUNDING:
        return none(value, margin, STILL)
    reach = float(special.stdtrit(members.count - 1, 1 - ALPHA)) * error
    p = float(special.stdtr(members.count - 1, (abs(value) - margin) / error))
    found = Equivalence(value, value - reach, value + reach, p, margin, None, T_TESTS)
    return with_needs(found, needs)


@dataclass(frozen=True, slots=True)
class Error:
    """A debiased squared calibration error and its spread."""

    square: float
    spread: debiased.Spread

    @classmethod
    def of(cls, cells: debiased.Cells, members: Members) -> Error:
        square, error = debiased.jackknife([cells], members)
        return cls(square, debiased.Spread.of(cells, square, error))

    def of_more(self, times: float, square: float, errors: float) -> Error:
        """As ``times`` the rows would find a true ``square``, so many standard errors above it."""
        spread = self.spread.of_more(times)
        return Error(square + errors * spread.error(square), spread)


def of_errors(
    value: float, errors: Sequence[Error], n: int, margin: float
) -> tuple[Equivalence, Needs]:
    if not all(each.spread.scale > 0 for each in errors):
        return none(value, margin, STILL)
    low, high = allowed(errors, debiased.REACH)
    # The interval's bounds move outwards, so that p is where they meet the margin.
    reach = last(lambda at: inside(allowed(errors, at), margin), 0.0, FARTHEST)
    p = 1.0 if reach is None else 2 * debiased.NORMAL.cdf(-reach)
    found = Equivalence(value, low, high, p, margin, None, DEBIASED)
    return with_needs(found, lambda level: rows_needed(errors, n, margin, level))


def allowed(errors: Sequence[Error], reach: float) -> tuple[float, float]:
    """The least and the largest r1 - r2 of two errors, each inside its interval."""
    (low, high), (least, most) = (each.spread.roots(each.square, reach) for each in errors)
    return low - most, high - least


def inside(ends: tuple[float, float], margin: float) -> bool:
    return -margin < ends[0] and ends[1] < margin


def rows_needed(errors: Sequence[Error], n: int, margin: float, level: float) -> int | None:
    """Rows that show two calibration errors to be equivalent with ``POWER``, if they are equal.

    Shown is what has a p below ``level``.
    Both are taken to have the mean of the squares that were found, if that is above 0. Near 0 each
    upper bound must be below the margin, and far from it the difference of the two estimates must
    be small: the larger number is returned.
    """
    square = max(0.0, sum(each.square for each in errors) / len(errors))
    apart, reach = BOTH_SIDES / math.sqrt(2), debiased.NORMAL.inv_cdf(1 - level / 2)
    times = 0.0
    for pushes in ((BOTH_SIDES, 0.0), (0.0, BOTH_SIDES), (apart, -apart), (-apart, apart)):

        def shows(fewer: float, pushes: tuple[float, float] = pushes) -> bool:
            both = zip(errors, pushes, strict=True)
            seen = [each.of_more(math.exp(-fewer), square, push) for each, push in both]
            return inside(allowed(seen, reach), margin)

        fewest = last(shows, -math.log(MOST), math.log(MOST))
        times = max(times, math.exp(-fewest) if fewest is not None else math.inf)
    return math.ceil(n * times) if times < math.inf else None


def last(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """Up to where a condition holds that never holds again; None where it does not hold at all."""
    if not holds(low):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
