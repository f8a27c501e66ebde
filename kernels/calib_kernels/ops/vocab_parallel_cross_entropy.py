"""``vocab_parallel_cross_entropy``: the loss of rows whose columns are divided among ranks.

Five float64 numbers per row are gathered, 40 bytes from each rank (``vocab_parallel``): the fifth
is the label's logit, which one rank has. The gradient of a rank's logits needs nothing more.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from calib_kernels import checks, dispatch, transforms
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops.linear_cross_entropy_backward import Sent, logits_gradient_
from calib_kernels.ops.vocab_parallel import Slice, bins_of, slice_of, whole_of
from calib_kernels.reference.vocabulary import LN2, scaled_gap

OP = "vocab_parallel_cross_entropy"


class _Losses(torch.autograd.Function):
    """Losses (N,) of the rows, and what the histogram needs of them."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        row_temperature: Tensor | None,
        part: Slice,
        labels: Tensor,
        ignore_index: int,
        group: dist.ProcessGroup | None,
    ) -> tuple[Tensor, ...]:
        kept = (labels != ignore_index) & (labels >= 0) & (labels < part.columns)
        at = labels.long().clamp(0, part.columns - 1)[:, None]
        whole = whole_of(part, part.logits_at(at), group)
        t = part.rows.t
        gap = scaled_gap(whole.more[:, 0], whole.top, t.double() if isinstance(t, Tensor) else t)
        real = dispatch.real_dtype(logits)
        loss = (whole.log_d - gap).clamp(min=0.0)
        slope = (whole.entropy - loss) / t
        ignored = labels == ignore_index
        loss = loss.masked_fill(~kept, torch.nan).masked_fill(ignored, 0.0).to(real)
        top = whole.top.masked_fill(whole.lost, torch.nan)
        ctx.save_for_backward(
            logits, row_temperature, labels, kept, top.to(real), whole.log_d.to(real),
            slope.to(real),
        )  # fmt: skip
        ctx.first, ctx.temperature = part.first, part.rows.temperature
        confidence = (-whole.log_d).exp().to(real).masked_fill(whole.lost, torch.nan)
        ctx.mark_non_differentiable(confidence, whole.token, kept)
        return loss, confidence, whole.token, kept

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor, *_others: Any) -> tuple[Tensor | None, ...]:
        logits, row_temperature, labels, kept, top, log_d, slope = ctx.saved_tensors
        logits, top, log_d, slope = (x.detach() for x in (logits, top, log_d, slope))
        sent = d_loss.detach().to(top.dtype).where(kept, 0.0)
        d_logits = d_temperature = None
        if ctx.needs_input_grad[0]:
            t = row_temperature
            t = None if t is None else t.detach().expand(logits.shape[0])
            d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
            d_logits.copy_(logits)
            rows = Sent(logits[:, :0], labels, t, top, log_d / LN2, sent)
            if logits.shape[1]:
                logits_gradient_(d_logits, rows, ctx.first, ctx.temperature)
        if row_temperature is not None and ctx.needs_input_grad[1]:
            slopes = (sent * slope).masked_fill(sent == 0, 0.0)
            shared = row_temperature.shape[0] == 1
            d_temperature = slopes.sum(0, keepdim=True) if shared else slopes
        found = transforms.no_second_derivative(OP, d_logits, d_temperature)
        return *found, None, None, None, None


def vocab_parallel_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    first: int | None = None,
    vocab_size: int | None = None,
    group: dist.ProcessGroup | None = None,
    temperature: float | Tensor = 1.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    histogram: CalibrationHistogram | None = None,
) -> Tensor:
    """``cross_entropy`` of rows whose columns are divided among the ranks of a process group.

    logits (N, V_r): this rank's columns, which are ``first``, ``first + 1``, ... of the whole
    vocabulary of ``vocab_size``; without these, rank r has columns r V_r to (r + 1) V_r. labels
    (N,): columns of the whole, the same on all ranks, as are temperature and reduction. All ranks
    of ``group`` (None: all there are) must call it. Each returns the loss of the whole rows, has
    the gradient of its own logits and the whole gradient of a temperature that is a tensor, and
    adds the whole rows to its histogram: do not reduce these again over the group. One all-gather
    of 40 bytes per row and rank; no ``torch.compile`` or ``torch.func``. Raises ValueError where
    the slices are not the whole in the order of ranks; on a GPU every row is NaN then.
    """
    part = slice_of(OP, logits, temperature, first, vocab_size, group, gradients=True)
    wanted = checks.labels(labels, logits.shape[0], required=True)
    assert wanted is not None
    wanted = dispatch.beside(logits, wanted)
    checks.reduction(reduction)
    loss, confidence, token, kept = _Losses.apply(  # type: ignore[no-untyped-call]
        part.logits, part.rows.row_temperature, part, wanted, ignore_index, group
    )
    if histogram is not None:
        there = confidence.masked_fill(~kept, torch.nan)
        delta = bins_of(there, token == wanted, wanted != ignore_index, histogram.bins)
        histogram.add(delta)
    if reduction == "none":
        return loss  # type: ignore[no-any-return]
    total = loss.where(kept, 0.0).sum(dtype=torch.float64)
    if reduction == "mean":
        total = total / kept.sum().clamp(min=1)
    return total.to(loss.dtype)  # type: ignore[no-any-return]
