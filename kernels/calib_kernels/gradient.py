"""What a loss of the rows' statistics sends back to their logits: one read and one write.

With u = logits / T (after the cap) and p = softmax(u), of the rows' results

    nll = (lse - u[label])(1 - s) + (lse - mean u) s + z_loss lse^2     lse     H = -sum p ln p

the gradient in u is

    d_nll ((1 + 2 z_loss lse) p - (1 - s) 1[label] - s / V) + d_lse p - d_H p (ln p + H)

and that in the logits is 1 / T of it, times the derivative of the cap. It is formed in float32 and
rounded once. ``native.logits_gradient`` and ``gpu.gradient.logits_gradient`` are given, in the
terms of ``ops``::

    logits_gradient(
        logits, labels, scale, temperature, ignore_index,       # as for row_stats
        shape,         # reference.loss.Shape; a softcap or a z_loss comes without d_lse, d_entropy
        top,           # (N,) largest logit, before a cap
        log2_d,        # (N,) log2 of the sum of exp(u - largest u)
        entropy,       # (N,) H, contiguous; None iff d_entropy is
        d_loss,        # (N,) d_nll at any stride, also 0; or None
        d_lse,         # (N,) contiguous; or None
        d_entropy,     # (N,) contiguous; or None
        d_logits,      # (N, V) to write to, in the dtype of the logits; stride(1) == 1; without
                       # a variance it may be the logits themselves
        variance,      # (N,) to write sum p (ln p + H)^2 to; None where it is not wanted
    ) -> None

A row is silent if it is ignored, or its label is no column, or all that comes to it is 0: its
gradient is 0, whatever its logits are. Else top says what is lost: NaN there gives NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels import dispatch
from calib_kernels.reference.loss import Shape

PLAIN = Shape(0.0, 0.0, 0.0)


def logits_gradient(
    backend: str,
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    shape: Shape,
    top: Tensor,
    log2_d: Tensor,
    *,
    entropy: Tensor | None = None,
    d_loss: Tensor | None = None,
    d_lse: Tensor | None = None,
    d_entropy: Tensor | None = None,
    variance: Tensor | None = None,
    in_place: bool = False,
) -> Tensor:
    """The gradient (N, V) in the logits, 0 in columns of padding, from ``native`` or ``triton``.

    In place, it is written over the logits, whose rows must be contiguous.
    """
    d_logits = logits
    if not in_place:
        d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
    if vocab_size < logits.shape[1]:
        d_logits[:, vocab_size:] = 0.0
    if logits.shape[0] == 0:
        return d_logits
    dispatch.launcher(backend, "logits_gradient")(
        dispatch.rows_contiguous(logits[:, :vocab_size]),
        None if labels is None else labels.contiguous(),
        dispatch.LOG2_E / temperature,
        None if row_temperature is None else row_temperature.contiguous(),
        ignore_index,
        shape,
        top,
        log2_d,
        entropy,
        d_loss,
        d_lse,
        d_entropy,
        d_logits[:, :vocab_size],
        variance,
    )
    return d_logits
