"""``logits_gradient``: what a loss of the rows' statistics sends back, one read and one write.

With u = logits / T (after the cap) and p = softmax(u), of the rows' results

    nll = (lse - u[label])(1 - s) + (lse - mean u) s + z_loss lse^2     lse     H = -sum p ln p

the gradient in u is

    d_nll ((1 + 2 z_loss lse) p - (1 - s) 1[label] - s / V) + d_lse p - d_H p (ln p + H)

and that in the logits is 1 / T of it, times the derivative of the cap. It is formed in float32 and
rounded once. Launchers, ``native.logits_gradient`` and ``gpu.logits_gradient.logits_gradient``::

    logits_gradient(
        rows,          # Launch; no histogram
        terms,         # LossTerms; a softcap or a z_loss comes without d_lse, d_entropy
        saved,         # Saved
        upstream,      # Upstream
        d_logits,      # (N, V) to write to, in the dtype of the logits; stride(1) == 1; without
                       # a variance it may be the logits themselves
        variance,      # (N,) to write sum p (ln p + H)^2 to; None where it is not wanted
    ) -> None

A row is silent if it is ignored, or its label is no column, or all that comes to it is 0: its
gradient is 0, whatever its logits are. Else top says what is lost: NaN there gives NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import dispatch
from calib_kernels.reference.cross_entropy import LossTerms
from calib_kernels.rows import Rows, ready

PLAIN = LossTerms(0.0, 0.0, 0.0)


class Saved(NamedTuple):
    """Of the forward pass."""

    top: Tensor  # (N,) largest logit, before a cap; NaN where the row is lost
    log2_d: Tensor  # (N,) log2 of the sum of exp(u - largest u)
    entropy: Tensor | None = None  # (N,) H, contiguous; None iff there is no gradient of it


class Upstream(NamedTuple):
    """Gradients (N,) of the rows' results; None is 0."""

    loss: Tensor | None  # at any stride, also 0
    lse: Tensor | None = None  # contiguous
    entropy: Tensor | None = None  # contiguous


def logits_gradient(
    backend: str,
    rows: Rows,
    saved: Saved,
    upstream: Upstream,
    variance: Tensor | None = None,
    *,
    terms: LossTerms = PLAIN,
    in_place: bool = False,
) -> Tensor:
    """The gradient (N, columns) in the logits, 0 in those of padding, of ``native`` or ``triton``.

    In place, it is written over the logits, whose rows must be contiguous.
    """
    logits, size = rows.logits, rows.vocab_size
    d_logits = logits if in_place else room(rows)
    if in_place and size < logits.shape[1]:
        d_logits[:, size:] = 0.0
    if logits.shape[0]:
        launch = dispatch.launcher(backend, "logits_gradient")
        own = ready(rows._replace(bins=0))
        launch(own, terms, saved, upstream, d_logits[:, :size], variance)
    return d_logits


def room(rows: Rows) -> Tensor:
    """For the gradient (N, columns) in the logits: 0 in those of padding, else not yet written."""
    d_logits = torch.empty_like(rows.logits, memory_format=torch.contiguous_format)
    if rows.vocab_size < d_logits.shape[1]:
        d_logits[:, rows.vocab_size :] = 0.0
    return d_logits
