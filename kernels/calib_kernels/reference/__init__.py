"""The ops in plain PyTorch: the definition that the other backends are held to.

Axis legend: N rows, V vocabulary, O options, M spellings of an option, B bins. Sixteen-bit logits
are computed in float32, float32 in float32, float64 in float64. A logit of -inf has probability
exactly 0. One +inf is taken as the limit (its probability is 1); two make the row invalid, as does
any NaN or a row of -inf only.
"""

from __future__ import annotations

from calib_kernels.reference.histogram import histogram_delta
from calib_kernels.reference.options import option_scores
from calib_kernels.reference.rows import row_stats, row_stats_backward
from calib_kernels.reference.sampling import sample

__all__ = ["histogram_delta", "option_scores", "row_stats", "row_stats_backward", "sample"]
