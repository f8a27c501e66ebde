"""Calibration statistics of any number of rows in 3B + 1 integers, exact in any order.

    ECE = sum_b |correct_b - confidence_b| / n        (count, correct, confidence: per-bin sums)

Adding rows in another order, in other batches, on other devices or ranks gives the same bits. The
bin rule and the fixed-point layout are in ``calib_kernels.bins``.
"""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor

from calib_kernels import bins as binning
from calib_kernels import checks, coarse, transforms
from calib_kernels.coarse import CoarseBins
from calib_kernels.ops.histogram_delta import histogram_delta


class CalibrationHistogram:
    """Counts, correct answers and summed confidence in B equal-width bins over [0, 1].

    Without a device it settles on that of the first rows. Rows whose confidence is NaN or outside
    [0, 1], or whose correctness is neither 0 nor 1, are counted in ``invalid`` and in no bin.
    Copies, shallow ones too, have sums of their own. What is made inside ``torch.inference_mode``
    may be changed outside.
    """

    def __init__(self, bins: int = 15, device: torch.device | str | None = None) -> None:
        self.bins = checks.bin_count(bins)
        self._settled = device is not None
        with torch.inference_mode(False):
            self._sums = torch.zeros(binning.length(bins), dtype=torch.int64, device=device)

    @classmethod
    def of(cls, delta: Tensor) -> CalibrationHistogram:
        """One that holds a vector of ``histogram_delta``."""
        histogram = cls((delta.shape[0] - 1) // 3, delta.device)
        histogram.add(delta)
        return histogram

    @property
    def device(self) -> torch.device:
        return self._sums.device

    @property
    def count(self) -> Tensor:
        """(B,) int64: rows per bin."""
        return self._sums[: self.bins].clone()

    @property
    def correct(self) -> Tensor:
        """(B,) int64: correct rows per bin."""
        return self._sums[self.bins : 2 * self.bins].clone()

    @property
    def confidence(self) -> Tensor:
        """(B,) float64: summed confidence per bin, each row truncated to a multiple of 2^-32."""
        return self._sums[2 * self.bins : 3 * self.bins].double() / binning.SCALE

    @property
    def invalid(self) -> Tensor:
        """() int64: rows in no bin."""
        return self._sums[-1].clone()

    def update(self, confidence: Any, correct: Any) -> None:
        """Add rows: tensors, arrays or lists of one shape. ``correct`` holds 0 and 1."""
        confidence = torch.as_tensor(confidence)
        if not confidence.is_floating_point():
            confidence = confidence.double()
        confidence = confidence.flatten()
        correct = torch.as_tensor(correct, device=confidence.device).flatten()
        valid = None
        if correct.dtype != torch.bool:
            valid = (correct == 0) | (correct == 1)
            correct = correct == 1
        self.add(histogram_delta(confidence, correct, valid, bins=self.bins))

    def add(self, delta: Tensor) -> None:
        """Add a vector of ``histogram_delta``. Raises RuntimeError inside torch.func and vmap."""
        if transforms.active():
            raise RuntimeError(
                "a CalibrationHistogram cannot be filled inside torch.vmap or torch.func: leave "
                "histogram=None there (a loss module: call eval()) and fill it outside"
            )
        if delta.device != self._sums.device:
            if self._settled:
                raise ValueError(f"histogram is on {self.device}, the rows are on {delta.device}")
            with torch.inference_mode(False):
                self._sums = self._sums.to(delta.device)
        self._settled = True
        self._sums += delta

    def merge(self, other: CalibrationHistogram) -> Self:
        """Add another histogram of as many bins, in place; returns self."""
        if other.bins != self.bins:
            raise ValueError(f"histogram to merge must have bins={self.bins}, got {other.bins}")
        self._sums += other._sums.to(self._sums.device)
        return self

    def __add__(self, other: object) -> Self:
        if not isinstance(other, CalibrationHistogram):
            return NotImplemented
        return self._copy().merge(other)

    def __radd__(self, other: object) -> Self:
        """``sum(histograms)`` starts with 0."""
        return self._copy() if other == 0 else NotImplemented

    def rebin(self, bins: int) -> CalibrationHistogram:
        """The same rows in fewer bins, exactly; ``bins`` must divide the present number."""
        checks.bin_count(bins)
        if self.bins % bins:
            raise ValueError(f"bins must divide {self.bins}, got {bins}")
        coarse = CalibrationHistogram(bins, self.device)
        inner = self._sums[:-1].view(3, bins, self.bins // bins).sum(2)
        coarse._sums.copy_(torch.cat((inner.flatten(), self._sums[-1:])))
        return coarse

    def equal_width(self, bins: int) -> CoarseBins:
        """B bins of equal width, B at most the present number, with a bound on the ECE's error.

        Exact where B divides the present number. Waits for the device.
        """
        return coarse.equal_width(self._sums, self.bins, self._coarser(bins))

    def equal_mass(self, bins: int = 15) -> CoarseBins:
        """B bins of near-equal numbers of rows, with a bound on the ECE's error.

        The finer the histogram, the lower the bound: 4,096 bins are a good number for 15 bins of
        equal mass. Waits for the device.
        """
        return coarse.equal_mass(self._sums, self.bins, self._coarser(bins))

    def _coarser(self, bins: int) -> int:
        if checks.bin_count(bins) > self.bins:
            raise ValueError(f"bins must be at most the histogram's {self.bins}, got {bins}")
        return bins

    def reset(self) -> None:
        self._sums.zero_()

    def state_dict(self) -> dict[str, Any]:
        """``bins``, the fixed-point ``scale`` and a copy of the integer ``sums``."""
        with torch.inference_mode(False):
            return {"bins": self.bins, "scale": binning.SCALE, "sums": self._sums.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the histogram saved; number of bins included, device kept."""
        bins = checks.bin_count(state["bins"])
        sums = torch.as_tensor(state["sums"])
        if state["scale"] != binning.SCALE:
            raise ValueError(f"state's scale must be {binning.SCALE}, got {state['scale']}")
        if sums.dtype != torch.int64 or tuple(sums.shape) != (binning.length(bins),):
            expected = binning.length(bins)
            raise ValueError(
                f"state's sums must be int64 ({expected},), got {sums.dtype} {tuple(sums.shape)}"
            )
        self.bins = bins
        with torch.inference_mode(False):
            self._sums = sums.to(self._sums.device, copy=True)

    def all_reduce(self, group: Any = None) -> Self:
        """Sum over the ranks of a process group, in place; nothing without one. Returns self."""
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self._sums, group=group)
        return self

    def _copy(self) -> Self:
        copy = type(self).__new__(type(self))
        with torch.inference_mode(False):
            copy.__dict__.update(
                {k: v.clone() if isinstance(v, Tensor) else v for k, v in self.__dict__.items()}
            )
        return copy

    def __copy__(self) -> Self:
        return self._copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = copy = self._copy()
        return copy

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read back by pickle, which makes tensors as the mode that is on has them made."""
        self.__dict__.update(state)
        self.__dict__.update(self._copy().__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bins={self.bins}, device='{self.device}')"
