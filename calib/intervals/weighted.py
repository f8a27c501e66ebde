"""Metrics as functions of how often each row counts, so that a resample moves no rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.intervals.ratios import Rows, ratio_of
from calib.metrics import binning

Floats = NDArray[np.float64]
Metric = Callable[[Any, Any], float]
Weighted = Callable[[Floats], float]
"""Weights (N,), whole numbers, to the metric's value; nan where it does not exist."""


def weighted(metric: Metric, first: NDArray[Any], second: NDArray[Any]) -> Weighted:
    """``metric`` of the rows (N,) of both arrays as a function of their weights."""
    ratio = ratio_of(metric)
    if ratio is not None:
        return of_ratio(ratio.rows(first, second))
    ranked = RANKED.get(metric.func if isinstance(metric, partial) else metric)
    return by_repeating(metric, first, second) if ranked is None else ranked(first, second)


def of_ratio(rows: Rows) -> Weighted:
    def value(w: Floats) -> float:
        below = float(w @ rows.below)
        return float(w @ rows.above) / below if below else np.nan

    return value


def by_repeating(metric: Metric, first: NDArray[Any], second: NDArray[Any]) -> Weighted:
    every = np.arange(len(second))

    def value(w: Floats) -> float:
        rows = np.repeat(every, w.astype(np.int64))
        try:
            return float(metric(first[rows], second[rows]))
        except ValueError:  # a resample may hold one class only
            return np.nan

    return value


def auroc(confidence: NDArray[Any], correct: NDArray[Any]) -> Weighted:
    c, a = binning.pairs(confidence, correct)
    values, tie = np.unique(c, return_inverse=True)

    def value(w: Floats) -> float:
        right, every = np.bincount(tie, w * a, len(values)), np.bincount(tie, w, len(values))
        wrong = every - right
        below = np.cumsum(wrong) - wrong / 2
        pairs = right.sum() * wrong.sum()
        return float(right @ below / pairs) if pairs else np.nan

    return value


def aurc(confidence: NDArray[Any], correct: NDArray[Any]) -> Weighted:
    """A tie of m rows, e of them wrong, follows K rows, E of them wrong. Inside the tie the error
    rate among the first k rows is (E + (k - K) e / m) / k. Its sum over k is a difference of
    harmonic numbers."""
    c, a = binning.pairs(confidence, correct)
    values, tie = np.unique(-c, return_inverse=True)

    def value(w: Floats) -> float:
        count, errors = np.bincount(tie, w, len(values)), np.bincount(tie, w * (1 - a), len(values))
        total = int(count.sum())
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total + 1))])
        rate = errors / np.maximum(count, 1)
        end = np.cumsum(count)
        start, before = end - count, np.cumsum(errors) - errors
        steps = harmonic[end.astype(np.int64)] - harmonic[start.astype(np.int64)]
        return float(((before - start * rate) @ steps + errors.sum()) / total)

    return value


RANKED: dict[Metric, Callable[[NDArray[Any], NDArray[Any]], Weighted]] = {
    metrics.auroc: auroc,
    metrics.aurc: aurc,
}
