"""Rows in bins."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels import bins as binning


def histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, bins: int, counted: Tensor | None
) -> Tensor:
    """What N rows add to a histogram of B bins: int64 (3B + 1,), laid out as in ``bins``.

    confidence (N,) float32 or float64; correct, valid, counted (N,) bool. A confidence that is NaN
    or outside [0, 1], or a row that is not valid, adds to the invalid counter only; a row that is
    not counted adds nothing. Nothing at all, (0,), where bins is 0.
    """
    if bins == 0:
        return torch.empty(0, dtype=torch.int64, device=confidence.device)
    usable = (confidence >= 0) & (confidence <= 1)
    if valid is not None:
        usable = usable & valid
    weight = torch.ones_like(usable) if counted is None else counted
    c = torch.where(usable, confidence, 0.0)
    table = binning.edges(bins, c.dtype, c.device)
    index = torch.bucketize(c, table, right=True)  # the number of edges <= c
    index = torch.where(usable, index, bins)
    fixed = (c * binning.SCALE).to(torch.int64)
    sums = torch.zeros(3, bins + 1, dtype=torch.int64, device=c.device)
    for row, amount in enumerate((torch.ones_like(fixed), correct.to(torch.int64), fixed)):
        sums[row].index_add_(0, index, amount * weight)
    return torch.cat((sums[:, :bins].flatten(), sums[0, bins:]))
