"""A language model's head and its loss, with all the logits at once."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels.reference.row_stats import row_stats
from calib_kernels.reference.vocabulary import (
    beside,
    head_logits,
    label_columns,
    vocabulary,
    widened,
)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    bins: int,
) -> tuple[Tensor, Tensor]:
    """Loss of each row (N,): 0 where ignored, NaN where it cannot be said; and the histogram."""
    logits = head_logits(hidden, weight, bias)
    *_, label_logprob, _correct, _valid, seen, _log2_d = row_stats(
        logits, labels, temperature, ignore_index, bins
    )
    return (-label_logprob).masked_fill(labels == ignore_index, 0.0), seen


def linear_cross_entropy_backward(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    d_loss: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients in hidden (N, H), weight (V, H), bias (V,) and each row's temperature (N,).

    d_loss (N,) is that of the rows' losses. Rows that are ignored, whose label is no column or
    whose d_loss is 0 send nothing back; a row of which nothing can be said sends NaN.
    """
    x, t, bad_t = widened(head_logits(hidden, weight, bias), temperature)
    _token, top, z, log_norm, broken = vocabulary(x, t, bad_t)
    ignored, there, at = label_columns(labels, ignore_index, x.shape[1])
    silent = (ignored | ~there | (d_loss == 0))[:, None]
    slope = (z - log_norm).exp().scatter_add(1, at, torch.full_like(top, -1.0))
    back = d_loss.to(x.dtype)[:, None] * slope.masked_fill(broken[:, None], float("nan"))
    back = (back / beside(t, 1)).masked_fill(silent, 0.0)
    # An infinite logit has probability 0 or 1 and moves with nothing.
    moved = torch.where(back == 0, 0.0, back * (x - top)).sum(1)
    rows = torch.where(silent, 0.0, hidden.to(x.dtype))
    return back @ weight.to(x.dtype), back.T @ rows, back.sum(0), -moved / t
