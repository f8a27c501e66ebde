"""The temperature that fits N answers best: ``calib.TemperatureScaling`` of tensors and of arrays.

Every variant solves the same convex problem to its end. The plain one is Newton's method in
u = ln b with b = 1 / T: d nll/du = b g and d2 nll/du2 = b (b h + g), g and h being the derivatives
in b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.cases import Case, Compiler, Given, Op, Rival, Run, close, normal_logits
from bench.ops.temperature_sweep import plain_sweep
from calib.calibrators.temperature import TemperatureScaling

STEPS = 50
TOLERANCE = 1e-6  # of u


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V) and labels (N,) drawn from them at a temperature of 2."""
    logits = normal_logits(case, device, generator)
    labels = torch.multinomial((logits.float() / 2).softmax(1), 1, generator=generator)[:, 0]
    if case.rows >= 4 * case.columns:  # scikit-learn wants every class among the labels
        labels[: case.columns] = torch.arange(case.columns, device=device)
    return logits, labels


def newton(derivatives: Callable[[float], tuple[float, float]]) -> float:
    """The temperature at which the first derivative in b vanishes."""
    u = 0.0
    for _ in range(STEPS):
        b = math.exp(u)
        g, h = derivatives(b)
        curvature = b * h + g
        step = g / curvature if curvature > 0 else math.copysign(1.0, g)
        step = max(-1.0, min(1.0, step))
        u -= step
        if abs(step) < TOLERANCE:
            break
    return math.exp(-u)


def ours(case: Case) -> Run:
    return lambda logits, labels: TemperatureScaling().fit(logits, labels).temperature_


def plain(case: Case, compiled: Compiler) -> Run:
    def run(logits: Tensor, labels: Tensor) -> float:
        def derivatives(b: float) -> tuple[float, float]:
            _nll, grad, hess = plain_sweep(logits, labels, (b,), 2)
            return float(grad), float(hess)

        return newton(derivatives)

    return run


def of_sklearn(case: Case) -> Run:
    """The calibrator of scikit-learn 1.8 and later, over an estimator that hands the logits on."""
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Logits(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Logits:
            self.classes_ = np.arange(case.columns)
            return self

        def decision_function(self, X: Any) -> Any:
            return X

        def predict(self, X: Any) -> Any:
            return X.argmax(1)

    def run(logits: Tensor, labels: Tensor) -> float:
        X, y = logits.numpy(), labels.numpy()
        every = np.arange(len(y))
        calibrated = CalibratedClassifierCV(
            FrozenEstimator(Logits().fit(X, y)), method="temperature", cv=[(every, every)]
        ).fit(X, y)
        return 1 / float(calibrated.calibrated_classifiers_[0].calibrators[0].beta_)

    return run


def in_float64(case: Case) -> Run:
    return lambda logits, labels: (
        TemperatureScaling().fit(logits.numpy(), labels.numpy()).temperature_
    )


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    close(found, expected, rtol=1e-3)


def moved_bytes(case: Case) -> int:
    return case.logit_bytes + case.rows * 8


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    compiles=False,  # each step waits for a number
    copies=1,
    rivals={
        "scikit-learn": Rival(of_sklearn, devices=("cpu",), package="scikit-learn"),
        "in float64": Rival(in_float64, devices=("cpu",)),
    },
    waits=True,
)
