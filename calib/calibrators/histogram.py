"""Histogram binning: the confidence of a bin is the share of its answers that were right."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from calib.calibrators.base import COUNT, SHARES, ConfidenceMap
from calib.calibrators.scores import Answered, DegenerateCalibratorWarning, Floats
from calib.fields import Fields
from calib.metrics import binning
from calib.records import InputError


@dataclass
class HistogramBinning(ConfidenceMap):
    """``bins`` bins of equal width, [a, b), the last one closed.

    A bin of n answers has no confidence above (n + 1) / (n + 2) or below 1 / (n + 2). In a bin
    without answers the confidence stays as it is. ``edges_`` (B - 1,), ``mapped_`` (B,) with NaN
    for empty bins.
    """

    bins: int = 15
    format: ClassVar[str] = "calib.histogram_binning/1"
    fields: ClassVar[Fields] = {
        "bins": COUNT,
        "mapped": (
            "a list of numbers from 0 to 1 and nulls",
            lambda values: (
                isinstance(values, list)
                and SHARES[1]([value for value in values if value is not None])
            ),
        ),
    }
    mapped_: Floats = field(default_factory=lambda: np.empty(0), init=False)

    def __post_init__(self) -> None:
        try:
            self.bins = binning.bin_count(self.bins)
        except ValueError as error:
            raise InputError(str(error)) from error

    def fit_map(self, answer: Answered, right: Floats) -> None:
        where = self.place(answer)
        count = np.bincount(where, minlength=self.bins)
        least = 1 / (count + 2)
        with np.errstate(invalid="ignore"):
            share = np.bincount(where, right, self.bins) / count
        self.mapped_ = np.clip(share, least, 1 - least)
        if (count > 0).sum() == 1:
            warnings.warn(
                "all confidences lie in one bin, so each becomes the share of right answers",
                DegenerateCalibratorWarning,
                stacklevel=3,
            )

    def place(self, answer: Answered) -> Any:
        return binning.place(answer.confidence, binning.width_edges(self.bins), "left")

    def map(self, answer: Answered) -> Floats:
        mapped = self.mapped_[self.place(answer)]
        return np.where(np.isnan(mapped), answer.confidence, mapped)

    def state(self) -> dict[str, Any]:
        mapped = [None if np.isnan(value) else value for value in self.mapped_.tolist()]
        return {"bins": self.bins, "mapped": mapped}

    def restore(self, state: Mapping[str, Any]) -> None:
        mapped = [np.nan if value is None else value for value in state["mapped"]]
        if len(mapped) != state["bins"] or not mapped:
            raise InputError(f"mapped: expected {state['bins']} values, got {len(mapped)}")
        self.bins, self.mapped_ = len(mapped), np.asarray(mapped, np.float64)
