"""``histogram_delta``: what rows of a known confidence and correctness add to a histogram.

Launchers, ``native.histogram_delta`` and ``gpu.histogram_delta.histogram_delta``::

    histogram_delta(
        confidence,    # (N,) float32, contiguous
        correct,       # (N,) bool, contiguous
        valid,         # (N,) bool, contiguous; or None
        edges,         # (B-1,) float32
        seen,          # (3B+1,) int64 zeros to add to
    ) -> None          # NaN, outside [0, 1] or not valid: the invalid counter only
"""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference
from calib_kernels import bins as binning


def _histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, bins: int
) -> Tensor:
    name = backend.choose(confidence.device, confidence.dtype)
    if name == "reference":
        return reference.histogram_delta(confidence, correct, valid, bins, None)
    seen = confidence.new_zeros(binning.length(bins), dtype=torch.int64)
    if confidence.shape[0]:
        table = binning.edges(bins, torch.float32, confidence.device)
        valid = None if valid is None else valid.contiguous()
        launch = dispatch.launcher(name, "histogram_delta")
        launch(confidence.contiguous(), correct.contiguous(), valid, table, seen)
    return seen


def _fake_histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, bins: int
) -> Tensor:
    return confidence.new_empty(binning.length(bins), dtype=torch.int64)


_histogram_delta_op = dispatch.register(
    "histogram_delta",
    "(Tensor confidence, Tensor correct, Tensor? valid, int bins) -> Tensor",
    _histogram_delta,
    _fake_histogram_delta,
)


def histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None = None, *, bins: int
) -> Tensor:
    """What N rows add to a histogram of B bins: int64 (3B + 1,), see ``calib_kernels.bins``.

    confidence (N,) floating point; correct (N,) bool; valid (N,) bool: False counts as invalid.
    """
    checks.bin_count(bins)
    confidence = checks.confidences(confidence)
    correct = checks.flags("correct", correct, confidence)
    valid = None if valid is None else checks.flags("valid", valid, confidence)
    run = _histogram_delta_op if dispatch.traced(confidence) else _histogram_delta
    delta: Tensor = run(confidence, correct, valid, bins)
    return delta
