"""Statistics of a row, and what they send back."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels.reference.histogram_delta import histogram_delta
from calib_kernels.reference.vocabulary import (
    INF,
    LN2,
    beside,
    entropy_of,
    label_columns,
    vocabulary,
    widened,
)


def row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    bins: int,
) -> tuple[Tensor, ...]:
    """Statistics of each row; the fields of ``rows.RowStats``, the histogram, log2_d.

    Arguments as for ``option_scores``. Without labels ``label_logprob`` and ``correct`` are empty.
    """
    x, t, bad_t = widened(logits, temperature)
    prediction, top, z, log_norm, broken = vocabulary(x, t, bad_t)
    log_p = z - log_norm
    nan = float("nan")
    # A row of -inf only has a log-sum-exp, if nothing else.
    nothing = (top[:, 0] == -INF) & ~bad_t
    lse = (top[:, 0] / t + log_norm[:, 0]).masked_fill(broken & ~nothing, nan)
    confidence = (-log_norm[:, 0]).exp().clamp(max=1.0)
    entropy = entropy_of(log_p, 1).masked_fill(broken, nan)
    sum_p2 = log_p.exp().square().sum(1).clamp(max=1.0).masked_fill(broken, nan)

    valid = ~broken
    if labels is None:
        label_logprob = confidence.new_empty(0)
        correct = torch.empty(0, dtype=torch.bool, device=x.device)
        counted = valid
    else:
        ignored, there, at = label_columns(labels, ignore_index, x.shape[1])
        said = valid & ~ignored & there
        label_logprob = log_p.gather(1, at)[:, 0].masked_fill(~said, nan)
        correct = said & (prediction == labels)
        valid = valid & (ignored | there)
        counted = ~ignored
    confidence = confidence.masked_fill(~valid, nan)
    seen = histogram_delta(confidence, correct, None, bins, counted)
    return (
        lse,
        confidence,
        prediction,
        entropy,
        sum_p2,
        label_logprob,
        correct,
        valid,
        seen,
        log_norm[:, 0] / LN2,
    )


def row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    d_lse: Tensor | None,
    d_entropy: Tensor | None,
    d_loss: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Gradients of ``row_stats`` in logits (N, V) and in each row's temperature (N,).

    d_lse, d_entropy and d_loss (N,) are those of lse, of entropy and of minus the label's
    log-probability; None is 0. Rows of which nothing can be said send nothing back.
    """
    x, t, bad_t = widened(logits, temperature)
    _token, top, z, log_norm, broken = vocabulary(x, t, bad_t)
    log_p = z - log_norm
    p = log_p.exp()
    # What each result sends to x / T.
    back = torch.zeros_like(x)
    if d_lse is not None:
        back = p * d_lse.to(x.dtype)[:, None]
    if d_entropy is not None:
        surprise = torch.where(p == 0, 0.0, log_p + entropy_of(log_p, 1)[:, None])
        back = back - p * (d_entropy.to(x.dtype)[:, None] * surprise)
    if labels is not None and d_loss is not None:
        ignored, there, at = label_columns(labels, ignore_index, x.shape[1])
        given = d_loss.to(x.dtype).masked_fill(ignored | ~there, 0.0)[:, None]
        back = (back + given * p).scatter_add(1, at, -given)
    back = (back / beside(t, 1)).masked_fill(broken[:, None], 0.0)
    # d/dT of f(x / T) is -x.f'(x / T) / T^2; taken from the largest logit, so that an offset
    # common to the row, which only lse can see, costs no digits.
    moment = torch.where(back == 0, 0.0, back * (x - top)).sum(1)
    if d_lse is not None:
        moment = moment + torch.where(d_lse == 0, 0.0, d_lse.to(x.dtype) * top[:, 0]) / t
    return back.to(logits.dtype), (-moment / t).masked_fill(broken, 0.0)
