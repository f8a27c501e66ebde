"""Cross-entropy of labelled rows, and what it sends back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels.reference.histogram_delta import histogram_delta
from calib_kernels.reference.vocabulary import (
    LN2,
    beside,
    entropy_of,
    label_columns,
    vocabulary,
    widened,
)


class LossTerms(NamedTuple):
    """What the loss of a row is made of besides its label: host numbers."""

    softcap: float  # 0: none
    smoothing: float
    z_loss: float


def capped(x: Tensor, softcap: float) -> Tensor:
    """softcap tanh(x / softcap) for finite x; infinities keep their meaning."""
    return torch.where(x.isinf(), x, softcap * (x / softcap).tanh()) if softcap else x


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    temperature: float | Tensor,
    ignore_index: int,
    terms: LossTerms,
    bins: int,
) -> tuple[Tensor, ...]:
    """Loss, kept, top, log2_d, slope (N,) and the histogram, as ``loss`` documents them.

    Arguments as for ``row_stats``; bins 0 for no histogram.
    """
    x, t, bad_t = widened(logits, temperature)
    _, top, z, log_norm, broken = vocabulary(capped(x, terms.softcap), t, bad_t)
    ignored, there, at = label_columns(labels, ignore_index, x.shape[1])
    nan = float("nan")
    unscaled_top, log_norm = top[:, 0] / t, log_norm[:, 0]
    lse = unscaled_top + log_norm
    gap = z.gather(1, at)[:, 0]
    loss = torch.zeros_like(lse)
    # Sum over the columns of (d loss / d u) u, where u = x / T after the cap.
    moment = log_norm - entropy_of(z - log_norm[:, None], 1)
    if terms.smoothing < 1:
        loss = loss + (1 - terms.smoothing) * (log_norm - gap)
        moment = moment - (1 - terms.smoothing) * gap
    if terms.smoothing > 0:
        mean = (z / x.shape[1]).sum(1)  # so that no sum leaves the dtype
        loss = loss + terms.smoothing * (log_norm - mean)
        moment = moment - terms.smoothing * mean
    if terms.z_loss > 0:
        loss = loss + terms.z_loss * lse.square()
        expected = log_norm - entropy_of(z - log_norm[:, None], 1) + unscaled_top
        moment = moment + 2 * terms.z_loss * lse * expected

    kept = ~ignored & there
    loss = loss.masked_fill(broken | ~there, nan).masked_fill(ignored, 0.0)
    slope = (-moment / t).masked_fill(broken, nan).masked_fill(~kept, 0.0)
    raw_top = x.amax(1).masked_fill(broken, nan)
    if bins:
        confidence = (-log_norm).exp().clamp(max=1.0).masked_fill(broken | ~there, nan)
        correct = kept & ~broken & (x.argmax(1) == labels)
        seen = histogram_delta(confidence, correct, None, bins, ~ignored)
    else:
        seen = torch.empty(0, dtype=torch.int64, device=x.device)
    return loss, kept, raw_top, log_norm / LN2, slope, seen


def cross_entropy_backward(
    logits: Tensor,
    labels: Tensor,
    temperature: float | Tensor,
    ignore_index: int,
    terms: LossTerms,
    d_loss: Tensor,
) -> Tensor:
    """Gradient in the logits (N, V); d_loss (N,) is that of the rows' losses.

    Rows that are ignored, or whose label is no column, or whose d_loss is 0, get 0. A row of which
    nothing can be said gets NaN.
    """
    x, t, bad_t = widened(logits, temperature)
    _, top, z, log_norm, broken = vocabulary(capped(x, terms.softcap), t, bad_t)
    ignored, there, at = label_columns(labels, ignore_index, x.shape[1])
    lift: float | Tensor = 1.0
    if terms.z_loss > 0:
        lift = 1.0 + 2 * terms.z_loss * (top / beside(t, 1) + log_norm)
    back = lift * (z - log_norm).exp() - terms.smoothing / x.shape[1]
    back = back.scatter_add(1, at, torch.full_like(top, terms.smoothing - 1))
    if terms.softcap:
        back = back * (1 - (x / terms.softcap).tanh().square())
    given = d_loss.to(x.dtype)[:, None]
    back = (back * given / beside(t, 1)).masked_fill(broken[:, None], float("nan"))
    silent = ignored | ~there | (d_loss == 0)
    return back.masked_fill(silent[:, None], 0.0).to(logits.dtype)
