"""Counts of rows in evaluation or training: a histogram, and the sum of the rows' entropies.

A tally stays on its device and is read once, at the end. The names of its numbers say their
convention: ``ece_width15_left`` is the ECE over 15 bins of equal width, each [a, b).
"""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.distributed as dist
from calib_kernels import CalibrationHistogram, entropy_sums, row_stats
from torch import Tensor

from calib.metrics import ece, mce

NATS = 2.0**24  # of ``entropy_sums``, in a nat


class Tally(CalibrationHistogram):
    """A histogram of B bins, and the summed entropy of the rows in it.

    Rows that come without their entropies, and those whose entropy is NaN, are counted as such;
    with any of them there is no mean entropy.
    """

    def __init__(self, bins: int, device: torch.device | str | None = None) -> None:
        super().__init__(bins, device)
        with torch.inference_mode(False):
            self._entropies = torch.zeros(2, dtype=torch.int64, device=device)  # sum, unknown

    @classmethod
    def of_logits(
        cls,
        logits: Tensor,
        labels: Tensor,
        *,
        bins: int,
        temperature: float | Tensor = 1.0,
        ignore_index: int = -100,
        vocab_size: int | None = None,
    ) -> Self:
        """Of logits (N, V) and labels (N,): one read of the logits, no wait for the device."""
        counted = CalibrationHistogram(bins, logits.device)
        rows = row_stats(
            logits.detach(),
            labels,
            temperature=temperature,
            ignore_index=ignore_index,
            vocab_size=vocab_size,
            histogram=counted,
        )
        binned = rows.valid & (labels.to(logits.device) != ignore_index)
        tally = cls(bins, logits.device)
        tally.add(counted.state_dict()["sums"], entropy_sums(rows.entropy.where(binned, 0.0)))
        return tally

    def add(self, delta: Tensor, entropies: Tensor | None = None) -> None:
        """Add a vector of ``histogram_delta`` and the ``entropy_sums`` of its rows."""
        super().add(delta)
        if self._entropies.device != self.device:
            with torch.inference_mode(False):
                self._entropies = self._entropies.to(self.device)
        if entropies is None:
            self._entropies[1] += delta[: self.bins].sum()
        else:
            self._entropies += entropies

    def merge(self, other: CalibrationHistogram) -> Self:
        """Add the rows of another histogram, which may lie on another device; returns self."""
        super().merge(other)
        if isinstance(other, Tally):
            self._entropies += other._entropies.to(self._entropies.device)
        else:
            self._entropies[1] += other.count.sum().to(self._entropies.device)
        return self

    def reset(self) -> None:
        super().reset()
        self._entropies.zero_()

    def all_reduce(self, group: Any = None) -> Self:
        super().all_reduce(group)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self._entropies, group=group)
        return self

    def state_dict(self) -> dict[str, Any]:
        """That of the histogram, and ``entropies``: (2,) int64, in 2^-24 nats and rows."""
        with torch.inference_mode(False):
            return {**super().state_dict(), "entropies": self._entropies.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become what was saved; the rows of a histogram come without their entropies."""
        super().load_state_dict(state)
        known = "entropies" in state
        entropies = state["entropies"] if known else (0, int(self.count.sum()))
        with torch.inference_mode(False):
            self._entropies = torch.as_tensor(entropies).to(self.device, torch.int64, copy=True)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of ``values``."""
        rule = f"width{self.bins}_left"
        return f"ece_{rule}", f"mce_{rule}", "top1_accuracy", "confidence", "entropy"

    def values(self) -> dict[str, Any]:
        """Name to number; nothing if no row was counted. Waits for the device.

        ``entropy`` is absent where that of a row is not known.
        """
        here = CalibrationHistogram(self.bins, "cpu").merge(self)
        rows = int(here.count.sum())
        if rows == 0:
            return {}
        total, unknown = self._entropies.tolist()
        numbers = (
            ece(here),
            mce(here),
            int(here.correct.sum()) / rows,
            float(here.confidence.sum()) / rows,
            None if unknown else total / NATS / rows,
        )
        values = zip(self.names, numbers, strict=True)
        return {name: number for name, number in values if number is not None}
