"""What an evaluation adds up: a calibration histogram and the sum of the entropies.

A tally stays on its device and is read once, at the end. Its numbers are named with their
convention: ``ece_width15_left`` is the ECE over 15 bins of equal width, each [a, b).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from calib_kernels import CalibrationHistogram, row_stats
from torch import Tensor

from calib.metrics import ece, mce


class Tally:
    """A histogram of B bins, and the summed entropy of the rows in it, in nats."""

    def __init__(self, bins: int, device: torch.device | str | None = None) -> None:
        self.histogram = CalibrationHistogram(bins, device)
        self.entropy = torch.zeros((), dtype=torch.float64, device=device)

    @classmethod
    def of(
        cls,
        logits: Tensor,
        labels: Tensor,
        *,
        bins: int,
        temperature: float | Tensor = 1.0,
        ignore_index: int = -100,
        vocab_size: int | None = None,
    ) -> Tally:
        """Of logits (N, V) and labels (N,): one read of the logits, no wait for the device."""
        found = cls(bins, logits.device)
        rows = row_stats(
            logits.detach(),
            labels,
            temperature=temperature,
            ignore_index=ignore_index,
            vocab_size=vocab_size,
            histogram=found.histogram,
        )
        counted = rows.valid & (labels.to(logits.device) != ignore_index)
        found.entropy = torch.where(counted, rows.entropy, 0.0).sum(dtype=torch.float64)
        return found

    def merge(self, other: Tally) -> None:
        """Add the rows of another tally, which may lie on another device."""
        self.histogram.merge(other.histogram)
        self.entropy = self.entropy + other.entropy.to(self.entropy.device)

    def all_reduce(self) -> None:
        """Sum over the ranks of the process group, where there is one. Every rank must call it."""
        self.histogram.all_reduce()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self.entropy)

    def values(self) -> dict[str, float]:
        """Name to number; nothing if no row was counted. Waits for the device."""
        found = named(self.histogram)
        if found:
            found["entropy"] = float(self.entropy) / int(self.histogram.count.sum())
        return found


def named(histogram: CalibrationHistogram) -> dict[str, Any]:
    """What a histogram tells, under names that carry the convention; nothing if it is empty."""
    here = CalibrationHistogram(histogram.bins, "cpu").merge(histogram)
    rows = int(here.count.sum())
    if rows == 0:
        return {}
    rule = f"width{here.bins}_left"
    return {
        f"ece_{rule}": ece(here),
        f"mce_{rule}": mce(here),
        "top1_accuracy": int(here.correct.sum()) / rows,
        "confidence": float(here.confidence.sum()) / rows,
    }
