"""Questions of different numbers of options as arrays, and what sets of options cover.

Axis legend: N questions, O options (questions with fewer are padded with NaN).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.intervals import Interval, bootstrap_all, mean_of
from calib.intervals.clusters import members_of
from calib.metrics.arrays import SIXTEEN_BITS, SUM, labels, numbers

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ONE_CLUSTER = "none: all rows are one cluster"
FIRST = mean_of(lambda first, second: first)


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """Of ``n`` questions: the share of sets that hold the right option, and the mean number of
    options in a set, each with its 95 % interval; ``empty`` sets hold none, ``full`` ones all.

    ``groups``: the same of every group. An interval takes the thresholds as given.
    """

    n: int
    coverage: Interval
    size: Interval
    empty: int
    full: int
    groups: dict[Any, SetCoverage] = field(default_factory=dict)


def padded(prob: Any) -> Floats:
    """Probabilities (N, O) of arrays, tensors or lists of different lengths; NaN is no option.

    Raises ValueError for a row without options, outside [0, 1] or that does not sum to 1.
    """
    if hasattr(prob, "detach") or (isinstance(prob, np.ndarray) and prob.dtype.kind != "O"):
        array = numbers("prob", prob)
        p = array.astype(np.float64)
        coarse = array.dtype.itemsize == 2 or "bfloat16" in str(getattr(prob, "dtype", ""))
    elif not hasattr(prob, "__len__"):
        raise ValueError(f"prob must be rows of probabilities, got a {type(prob).__name__}")
    else:
        rows = [numbers("prob", row) for row in (prob.values if hasattr(prob, "iloc") else prob)]
        if any(row.ndim != 1 for row in rows):
            raise ValueError("prob must hold a row of probabilities per question")
        coarse = any(row.dtype.itemsize == 2 for row in rows)
        p = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
        for number, row in enumerate(rows):
            p[number, : len(row)] = row
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"prob must be (N, O), at least one question and option, got {p.shape}")
    absent = np.isnan(p)
    unfit = ~(absent | ((p >= 0) & (p <= 1)))
    if unfit.any():
        row, option = np.argwhere(unfit)[0]
        raise ValueError(f"prob must lie in [0, 1], got {p[row, option]:g} in row {row}")
    away = np.abs(np.nansum(p, axis=1) - 1)
    if away.max() > (SIXTEEN_BITS if coarse else SUM):
        worst = int(away.argmax())
        total = float(np.nansum(p[worst]))
        raise ValueError(f"prob must have rows that sum to 1, got {total:.6g} in row {worst}")
    return p


def answers(answer: ArrayLike, p: Floats) -> NDArray[np.int64]:
    """The right options' indices (N,). Raises ValueError where a question has no such option."""
    y = numbers("answer", answer)
    if y.shape != (len(p),) or y.dtype.kind not in "iu":
        raise ValueError(f"answer must be ({len(p)},) integers, got {y.shape} of {y.dtype}")
    beyond = (y < 0) | (y >= p.shape[1])
    absent = beyond | np.isnan(p[np.arange(len(p)), np.where(beyond, 0, y)])
    if absent.any():
        row = int(absent.argmax())
        raise ValueError(f"answer must be an option of its question, got {y[row]} in row {row}")
    return y.astype(np.int64)


def coverage_of(
    sets: Bools,
    p: Floats,
    y: NDArray[np.int64],
    *,
    groups: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> SetCoverage:
    """What sets (N, O) of the options of ``p`` cover of the right ones ``y`` (N,)."""
    n = len(sets)
    of = None if clusters is None else labels("clusters", clusters, n)
    size = sets.sum(axis=1)
    held = sets[np.arange(n), y].astype(np.float64)
    whole = size == (~np.isnan(p)).sum(axis=1)

    def of_rows(rows: NDArray[np.int64]) -> dict[str, Any]:
        within = None if of is None else of[rows]
        means = {"coverage": held[rows], "size": size[rows].astype(np.float64)}
        if members_of(within, len(rows)).count < 2:
            intervals = {
                name: Interval(float(each.mean()), None, None, ONE_CLUSTER)
                for name, each in means.items()
            }
        else:
            cases = {name: (FIRST, each, each) for name, each in means.items()}
            intervals = bootstrap_all(cases, clusters=within)
        empty, full = int((size[rows] == 0).sum()), int(whole[rows].sum())
        return {"n": len(rows), **intervals, "empty": empty, "full": full}

    by_group: dict[Any, SetCoverage] = {}
    if groups is not None:
        group = labels("groups", groups, n)
        for name in np.unique(group).tolist():
            by_group[name] = SetCoverage(**of_rows(np.flatnonzero(group == name)))
    return SetCoverage(**of_rows(np.arange(n)), groups=by_group)
