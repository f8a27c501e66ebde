"""``counted_cross_entropy``: a loss, and what its reading of the logits tells of calibration."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from calib_kernels import bins as binning
from calib_kernels import checks
from calib_kernels.ops.cross_entropy import run


class CountedLoss(NamedTuple):
    """What ``counted_cross_entropy`` returns; only the loss has gradients."""

    loss: Tensor  # (N,) in nats for "none", else ()
    delta: Tensor  # (3B + 1,) int64, what the rows add to a histogram of B bins
    entropies: Tensor  # (2,) int64, what their entropies add up to: see ``bins.entropy_sums``


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

    Arguments as there; bins: of the histogram. The entropies are those of softmax(u), of the rows
    that are in a bin; that of a row whose loss is infinite is not known.
    """
    loss, *_, counted = run(
        logits, labels, temperature, ignore_index, reduction, label_smoothing, softcap, z_loss,
        vocab_size, checks.bin_count(bins), True,
    )  # fmt: skip
    end = binning.length(bins)
    return CountedLoss(loss, counted[:end], counted[end:])
