"""The ops in plain PyTorch: the definition that the other backends are held to.

Axis legend: N rows, V vocabulary, O options, M spellings of an option, B bins. Sixteen-bit logits
are computed in float32, float32 in float32, float64 in float64. A logit of -inf has probability
exactly 0. One +inf is taken as the limit (its probability is 1); two make the row invalid, as does
any NaN or a row of -inf only.
"""

from __future__ import annotations

from calib_kernels.reference.cross_entropy import cross_entropy, cross_entropy_backward
from calib_kernels.reference.histogram_delta import histogram_delta
from calib_kernels.reference.linear_cross_entropy import (
    linear_cross_entropy,
    linear_cross_entropy_backward,
)
from calib_kernels.reference.linear_option_scores import linear_option_scores
from calib_kernels.reference.linear_sample import linear_sample
from calib_kernels.reference.option_scores import option_scores
from calib_kernels.reference.row_stats import row_stats, row_stats_backward
from calib_kernels.reference.sample import sample
from calib_kernels.reference.temperature_sweep import temperature_sweep
from calib_kernels.reference.vocabulary import head_logits

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "head_logits",
    "histogram_delta",
    "linear_cross_entropy",
    "linear_cross_entropy_backward",
    "linear_option_scores",
    "linear_sample",
    "option_scores",
    "row_stats",
    "row_stats_backward",
    "sample",
    "temperature_sweep",
]
