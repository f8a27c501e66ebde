"""``counted_cross_entropy``: a loss, and what its reading of the logits tells of calibration."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import checks
from calib_kernels.loss import run
from calib_kernels.reference.loss import capped
from calib_kernels.reference.vocabulary import LN2

# Of 1 + 2 z_loss lse, below which an entropy divided by it has lost its digits.
LEAST_LIFT = 0.1


class CountedLoss(NamedTuple):
    """What ``counted_cross_entropy`` returns; only the loss has gradients."""

    loss: Tensor  # (N,) in nats for "none", else ()
    # () int64, rows that count in the loss
    count: Tensor  # type: ignore[assignment]  # hides that of tuple
    delta: Tensor  # (3B + 1,) int64, what the rows add to a histogram of B bins
    entropy: Tensor  # (N,) of softmax(u) in nats; 0 for a row in no bin, NaN where it is not known


def counted_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    bins: int,
    temperature: float | Tensor = 1.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    vocab_size: int | None = None,
) -> CountedLoss:
    """``cross_entropy`` with all that its one reading of the logits tells of calibration.

    Arguments as there; bins: of the histogram. With d loss/dT, which that reading has made,

        H = (loss + T dloss/dT + z_loss lse^2) / (1 + 2 z_loss lse)

    It is not known where the loss is infinite or the divisor below a tenth.
    """
    rows, _, top, log2_d, slope, delta = run(
        logits, labels, temperature, ignore_index, "none", label_smoothing, softcap, z_loss,
        vocab_size, checks.bin_count(bins), True,
    )  # fmt: skip
    checks.reduction(reduction)
    columns = logits.shape[1] if vocab_size is None else vocab_size
    wanted = labels.to(rows.device)
    kept = (wanted != ignore_index) & (wanted >= 0) & (wanted < columns)
    t = temperature.detach().to(rows) if isinstance(temperature, Tensor) else temperature
    entropy = rows.detach() + t * slope.detach()
    if z_loss > 0:
        top_u = capped(top, checks.softcap(softcap)) / t
        lse = top_u + log2_d * LN2
        lift = 1.0 + 2.0 * z_loss * lse
        entropy = (entropy + z_loss * lse.square()) / lift.where(lift >= LEAST_LIFT, torch.nan)
    entropy = entropy.where(entropy.isfinite(), torch.nan).clamp(min=0.0)
    entropy = entropy.where(kept & ~top.isnan(), 0.0).detach()
    count = kept.sum()
    if reduction == "none":
        return CountedLoss(rows, count, delta, entropy)
    total = rows.where(kept, 0.0).sum(dtype=_sum_dtype(rows))
    loss = total / count.clamp(min=1) if reduction == "mean" else total
    return CountedLoss(loss.to(rows.dtype), count, delta, entropy)


def _sum_dtype(rows: Tensor) -> torch.dtype:
    """float64, as the kernels sum, where there is one."""
    return rows.dtype if rows.device.type == "mps" else torch.float64
