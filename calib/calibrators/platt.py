"""Platt scaling: the log-odds of the confidence, on a line fitted by logistic regression."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from calib.calibrators.base import NUMBER, ConfidenceMap
from calib.calibrators.scores import Answered, DegenerateCalibratorWarning, Floats
from calib.fields import Fields

MOST = 30.0
"""Of the mapped log-odds: beyond, a float64 confidence would soon be exactly 1."""


@dataclass
class Platt(ConfidenceMap):
    """P(right) = 1 / (1 + exp(-(``slope_`` x + ``intercept_``))), x the confidence's log-odds.

    Fitted to Platt's targets (R + 1) / (R + 2) and 1 / (W + 2) for R right and W wrong answers,
    so that the fit is finite also where confidence separates right from wrong.
    """

    format: ClassVar[str] = "calib.platt/1"
    fields: ClassVar[Fields] = {"slope": NUMBER, "intercept": NUMBER}
    slope_: float = field(default=math.nan, init=False)
    intercept_: float = field(default=math.nan, init=False)

    def fit_map(self, answer: Answered, right: Floats) -> None:
        from sklearn.linear_model import LogisticRegression

        count = float(right.sum())
        target = np.where(right == 1, (count + 1) / (count + 2), 1 / (len(right) - count + 2))
        centre, scale = float(answer.log_odds.mean()), float(answer.log_odds.std())
        if scale < 1e-9:  # one confidence for all
            warnings.warn(
                "every answer has the same confidence, so no slope can be fitted; the share of "
                "right answers is taken",
                DegenerateCalibratorWarning,
                stacklevel=3,
            )
            mean = float(target.mean())
            self.slope_, self.intercept_ = 0.0, math.log(mean / (1 - mean))
            return
        x = (answer.log_odds - centre) / scale
        model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
        model.fit(  # each answer is right with the weight of its target, and wrong with the rest
            np.concatenate([x, x])[:, None],
            np.repeat([1, 0], len(x)),
            sample_weight=np.concatenate([target, 1 - target]),
        )
        self.slope_ = float(model.coef_[0, 0]) / scale
        self.intercept_ = float(model.intercept_[0]) - self.slope_ * centre

    def map(self, answer: Answered) -> Floats:
        from scipy.special import expit

        log_odds = self.slope_ * answer.log_odds + self.intercept_
        return np.asarray(expit(np.clip(log_odds, -MOST, MOST)), np.float64)

    def words(self) -> list[str]:
        slope, shift = (f"{value:z.3f}" for value in (self.slope_, abs(self.intercept_)))
        sign = "-" if round(self.intercept_, 3) < 0 else "+"
        return [f"log-odds of being right = {slope} x {sign} {shift}"]

    def state(self) -> dict[str, Any]:
        return {"slope": self.slope_, "intercept": self.intercept_}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.slope_, self.intercept_ = float(state["slope"]), float(state["intercept"])
