"""Isotonic regression: the confidence on the rising steps that fit the answers best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from calib.calibrators.base import SHARES, ConfidenceMap
from calib.calibrators.scores import Answered, Floats
from calib.fields import Fields
from calib.records import InputError


@dataclass
class Isotonic(ConfidenceMap):
    """scikit-learn's isotonic regression, straight between its steps.

    N answers show no confidence above (N + 1) / (N + 2) or below 1 / (N + 2): the map ends there.
    """

    format: ClassVar[str] = "calib.isotonic/1"
    fields: ClassVar[Fields] = {"confidences": SHARES, "mapped": SHARES}
    confidences_: Floats = field(default_factory=lambda: np.empty(0), init=False)
    mapped_: Floats = field(default_factory=lambda: np.empty(0), init=False)

    def fit_map(self, answer: Answered, right: Floats) -> None:
        from sklearn.isotonic import IsotonicRegression

        least = 1 / (len(right) + 2)
        model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
        model.fit(answer.confidence, right)
        self.confidences_, self.mapped_ = model.X_thresholds_, model.y_thresholds_

    def map(self, answer: Answered) -> Floats:
        return np.interp(answer.confidence, self.confidences_, self.mapped_)

    def state(self) -> dict[str, Any]:
        return {"confidences": self.confidences_.tolist(), "mapped": self.mapped_.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        x, y = np.asarray(state["confidences"], float), np.asarray(state["mapped"], float)
        if not len(x) or len(x) != len(y) or (np.diff(x) < 0).any():
            raise InputError("confidences: expected rising numbers, one for each of mapped")
        self.confidences_, self.mapped_ = x, y
