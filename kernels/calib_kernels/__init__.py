"""Fused kernels that turn logits into confidence, entropy and calibration bins.

Every op exists three times under one name and one contract: ``reference`` (plain PyTorch, the
definition), ``native`` (C++ for CPUs) and ``triton`` (GPUs). Nothing but torch and numpy is needed
to import this package; the other two backends are used where they are available.

    >>> import torch
    >>> from calib_kernels import CalibrationHistogram, option_scores
    >>> h = CalibrationHistogram(bins=15)
    >>> logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    >>> scores = option_scores(logits, torch.tensor([0, 2]), torch.tensor([0]), histogram=h)
    >>> round(scores.confidence.item(), 4), scores.correct.item(), int(h.count.sum())
    (0.8808, True, 1)
"""

from __future__ import annotations

from calib_kernels.backend import available_backends, use_backend
from calib_kernels.bins import entropy_sums
from calib_kernels.coarse import CoarseBins
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops.counted_cross_entropy import CountedLoss, counted_cross_entropy
from calib_kernels.ops.cross_entropy import cross_entropy
from calib_kernels.ops.histogram_delta import histogram_delta
from calib_kernels.ops.linear_cross_entropy import linear_cross_entropy
from calib_kernels.ops.linear_option_scores import linear_option_scores
from calib_kernels.ops.linear_sample import linear_sample
from calib_kernels.ops.option_scores import OptionScores, option_scores
from calib_kernels.ops.row_stats import RowStats, row_stats
from calib_kernels.ops.sample import Sample, sample
from calib_kernels.ops.temperature_sweep import Sweep, temperature_sweep
from calib_kernels.ops.vocab_parallel_cross_entropy import vocab_parallel_cross_entropy
from calib_kernels.ops.vocab_parallel_option_scores import vocab_parallel_option_scores

__version__ = "0.1.0"

__all__ = [
    "CalibrationHistogram",
    "CoarseBins",
    "CountedLoss",
    "OptionScores",
    "RowStats",
    "Sample",
    "Sweep",
    "available_backends",
    "counted_cross_entropy",
    "cross_entropy",
    "entropy_sums",
    "histogram_delta",
    "linear_cross_entropy",
    "linear_option_scores",
    "linear_sample",
    "option_scores",
    "row_stats",
    "sample",
    "temperature_sweep",
    "use_backend",
    "vocab_parallel_cross_entropy",
    "vocab_parallel_option_scores",
]
