"""Metrics of fixed confidences as functions of correctness: rows are binned and sorted once.

A metric's value under perfect calibration is its mean over thousands of redrawn answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from calib.metrics import binned, unbinned
from calib.metrics.binning import Floats, Placed
from calib.metrics.regression import ence_bernoulli_of

OF_CURVE: dict[Any, Callable[..., float]] = {
    binned.ece: binned.ece_of,
    binned.mce: binned.mce_of,
    binned.rmsce: binned.rmsce_of,
    binned.debiased_rmsce: binned.debiased_of,
    binned.ace: binned.ace_of,
    binned.ence: binned.ence_of,
}
OF_CONFIDENCE: dict[Any, Callable[[Floats], Callable[[Floats], float]]] = {
    unbinned.smooth_ece: unbinned.smooth_ece_of,
    unbinned.ks: unbinned.ks_of,
}


def prepared(metric: Callable[[Any, Any], float], c: Floats) -> Callable[[Floats], float]:
    """``metric`` of the confidences c (N,) as a function of correct (N,), to the bit."""
    base: Any = metric.func if isinstance(metric, partial) else metric
    how = dict(metric.keywords) if isinstance(metric, partial) else {}
    if base in OF_CONFIDENCE:
        return OF_CONFIDENCE[base](c)
    if base is binned.ence and how.get("kind") == "bernoulli":
        taken = {name: how[name] for name in ("bins", "strategy", "min_count") if name in how}
        return ence_bernoulli_of(c, **taken)
    if base not in OF_CURVE:
        return lambda correct: metric(c, correct)
    how.pop("kind", None)
    strategy = how.pop("strategy", "mass" if base is binned.ace else "width")
    placed = Placed.of(c, how.pop("bins", None), strategy, how.pop("closed", "left"))
    of = OF_CURVE[base]
    return lambda correct: of(placed.curve(correct), **how)
