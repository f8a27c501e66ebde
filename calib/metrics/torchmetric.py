"""Calibration error as a torchmetrics metric: integer sums per bin, on any number of ranks."""

from __future__ import annotations

from typing import Any, Literal

import torch
from calib_kernels import CalibrationHistogram
from torch import Tensor
from torchmetrics import Metric

from calib.metrics.arrays import SIXTEEN_BITS, SUM
from calib.metrics.binned import ece, mce, rmsce
from calib.metrics.binning import BINS

NORMS = {"l1": ece, "l2": rmsce, "max": mce}


class CalibrationError(Metric):
    """ECE (``norm="l1"``), RMSCE (``"l2"``) or MCE (``"max"``) over all updates and ranks.

    The state is one int64 vector that ranks add up, so the order, split and number of ranks leave
    the result's bits alone. Rows whose confidence is NaN or outside [0, 1], or whose ``correct`` is
    neither 0 nor 1, are counted in ``histogram.invalid`` and in no bin.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    sums: Tensor

    def __init__(
        self, bins: int = BINS, norm: Literal["l1", "l2", "max"] = "l1", **kwargs: Any
    ) -> None:
        """``kwargs`` go to torchmetrics.Metric. Raises ValueError for an unknown norm."""
        super().__init__(**kwargs)
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
        self.bins, self.norm = bins, norm
        empty = CalibrationHistogram(bins).state_dict()["sums"]
        self.add_state("sums", default=empty, dist_reduce_fx="sum")

    def update(
        self,
        confidence: Tensor | None = None,
        correct: Tensor | None = None,
        *,
        preds: Tensor | None = None,
        target: Tensor | None = None,
    ) -> None:
        """Add rows: confidence (N,) in [0, 1], correct (N,) bool or 0/1.

        ``preds`` and ``target`` are torchmetrics' names and may be passed by position, too. They
        are probabilities (N,) of the class 1 with 0/1, which are confidence and correct; or
        probabilities (N, C) with class numbers (N,), and the likeliest class is the answer.

        Raises ValueError for rows (N, C) that are no probabilities (logits are not guessed at), for
        class numbers outside 0..C-1, and for anything but dense tensors of real numbers.
        """
        first, second = (preds, target) if confidence is None else (confidence, correct)
        if first is None or second is None or (confidence is not None and preds is not None):
            raise ValueError("update takes confidence and correct, or preds and target")
        for values in (first, second):
            if not isinstance(values, Tensor) or values.is_complex():
                type_name = values.dtype if isinstance(values, Tensor) else type(values).__name__
                raise ValueError(f"update takes tensors of real numbers, got {type_name}")
            if values.layout is not torch.strided:
                raise ValueError(f"update takes dense tensors, got layout {values.layout}")
        if first.ndim > 2 and first.shape != second.shape:
            raise ValueError(
                f"preds must be (N,), or (N, C) with target (N,), got {tuple(first.shape)} and "
                f"{tuple(second.shape)}; put the classes last and flatten the rest into rows"
            )
        if first.ndim == 2:
            first, second = likeliest(first, second)
        rows = CalibrationHistogram(self.bins, self.sums.device)
        rows.update(first, second)
        self.sums = self.sums + rows.state_dict()["sums"]

    @property
    def histogram(self) -> CalibrationHistogram:
        """What has been added so far."""
        histogram = CalibrationHistogram(self.bins, self.sums.device)
        histogram.load_state_dict({**histogram.state_dict(), "sums": self.sums})
        return histogram

    def compute(self) -> Tensor:
        """() float64; nan, with a warning, before the first row."""
        value = NORMS[self.norm](self.histogram)
        return torch.tensor(value, dtype=torch.float64, device=self.sums.device)

    def plot(self, val: Any = None, ax: Any = None) -> tuple[Any, Any]:
        """Draw ``val``, one or more values (default: of ``compute``); return figure and axes."""
        return self._plot(val, ax)


def likeliest(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) the largest of each row's probabilities, and whether it is that of the target class."""
    rows = preds.float()
    tolerance = SIXTEEN_BITS if preds.element_size() == 2 else SUM
    off = ((rows.sum(1) - 1).abs() > tolerance) | (rows < 0).any(1)
    if target.shape != preds.shape[:1] or bool(off.any()):
        raise ValueError(
            "preds must be (N,), or (N, C) with rows of probabilities that sum to 1, and target "
            f"(N,), got {tuple(preds.shape)} and {tuple(target.shape)}"
            + (f", and {int(off.sum())} rows do not sum to 1" if bool(off.any()) else "")
        )
    if bool(((target < 0) | (target >= preds.shape[1])).any()):
        low, high = target.min().item(), target.max().item()
        raise ValueError(f"target must hold classes 0..{preds.shape[1] - 1}, got {low}..{high}")
    confidence, prediction = rows.max(1)
    return confidence, prediction == target
