"""Whether rows are enough for an interval or a test, and why they are not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from calib import metrics
from calib.intervals.clusters import Members
from calib.intervals.ratios import Rows
from calib.intervals.shares import FEWEST_CLUSTERS

Metric = Callable[[Any, Any], float]

FEWEST_OF_A_KIND = 5
"""An interval of a metric that tells right from wrong answers needs so many of each."""
OF_BOTH_KINDS = (metrics.auroc, metrics.aurc, metrics.debiased_rmsce)


def too_few(metric: Metric, correct: NDArray[Any], members: Members) -> str | None:
    """Why these rows are too few to resample for an interval; None where they are enough."""
    if members.count < FEWEST_CLUSTERS:
        return f"none: fewer than {FEWEST_CLUSTERS} clusters of rows ({members.count})"
    if base_of(metric) in OF_BOTH_KINDS:
        right = int(correct.sum())
        fewer = min(right, len(correct) - right)
        if fewer < FEWEST_OF_A_KIND:
            kind = "right" if fewer == right else "wrong"
            return f"none: fewer than {FEWEST_OF_A_KIND} {kind} answers ({fewer})"
    return None


def too_few_differ(rows: Rows, others: Rows, members: Members) -> str | None:
    """Why two models differ in too few clusters to resample; None where they are enough, or none.

    The others are the same in every resample, so that these alone make the interval.
    """
    sums, theirs = rows.per_cluster(members), others.per_cluster(members)
    differ = int((sums != theirs).any(axis=0).sum())
    if 0 < differ < FEWEST_CLUSTERS:
        return f"none: the two differ in fewer than {FEWEST_CLUSTERS} clusters of rows ({differ})"
    return None


def base_of(metric: Metric) -> Metric:
    """The metric itself, of which ``metric`` may be a ``functools.partial``."""
    return metric.func if isinstance(metric, partial) else metric
