"""How far confidence and correctness agree: the metrics, on NumPy arrays or on histograms.

``confidence`` (N,) in [0, 1] is the probability a model gave to its answer, ``correct`` (N,) in
{0, 1} whether the answer was right. Nothing is clipped or squashed: NaN, infinity and values
outside [0, 1] raise ValueError, and so do empty arrays. Values are fractions, not percent.

Metrics that need bins only also take a ``calib_kernels.CalibrationHistogram`` in place of the two
arrays; it brings its own bins, and an empty one gives nan with a warning.
"""

from __future__ import annotations

from calib.metrics.binned import (
    ace,
    classwise_ece,
    debiased_rmsce,
    ece,
    ence,
    mce,
    reliability_curve,
    rmsce,
)
from calib.metrics.binning import ReliabilityCurve
from calib.metrics.proper import accuracy, brier, nll
from calib.metrics.ranking import aurc, auroc, risk_coverage
from calib.metrics.regression import ence_regression, uce
from calib.metrics.unbinned import ks, smooth_ece

__all__ = [
    "CalibrationError",
    "ReliabilityCurve",
    "accuracy",
    "ace",
    "aurc",
    "auroc",
    "brier",
    "classwise_ece",
    "debiased_rmsce",
    "ece",
    "ence",
    "ence_regression",
    "ks",
    "mce",
    "nll",
    "reliability_curve",
    "risk_coverage",
    "rmsce",
    "smooth_ece",
    "uce",
]


def __getattr__(name: str) -> object:
    """``CalibrationError`` brings torchmetrics and torch, so it is loaded at its first use."""
    if name == "CalibrationError":
        from calib.metrics.torchmetric import CalibrationError

        return CalibrationError
    raise AttributeError(f"module 'calib.metrics' has no attribute {name!r}")
