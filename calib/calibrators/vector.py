"""Vector scaling: a slope and a shift for each option of a fixed set, such as letters.

A question may have some of the options only, the others being ``-inf``. The fit can undo a model's
preference for a letter. So it may change answers: state the accuracy beside
whatever else it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from calib.calibrators.base import NUMBERS, FittedCalibrator
from calib.calibrators.scores import Floats, Ints, fitted_to, log_softmax, scores_of
from calib.fields import Fields
from calib.records import InputError


@dataclass
class VectorScaling(FittedCalibrator):
    """Softmax of ``slopes_`` (K,) times the log-probabilities plus ``shifts_`` (K,).

    They minimise the negative log-likelihood of all rows plus half the squares of (slope - 1) and
    of the shifts: a normal prior of width 1, which keeps the fit finite where options separate the
    answers, or where an option is never right, and hardly moves that of hundreds of rows.
    """

    format: ClassVar[str] = "calib.vector/1"
    keeps_answers = False
    fields: ClassVar[Fields] = {"slopes": NUMBERS, "shifts": NUMBERS}
    slopes_: Floats = field(default_factory=lambda: np.empty(0), init=False)
    shifts_: Floats = field(default_factory=lambda: np.empty(0), init=False)

    def fit(
        self,
        scores: ArrayLike,
        answers: ArrayLike,
        *,
        clusters: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to scores (N, K) and the right options (N,). Returns self.

        Clusters and groups are not used. Raises InputError where a right option's score is -inf.
        """
        from scipy.optimize import minimize

        z, y = fitted_to(scores, answers)
        if np.isneginf(z[np.arange(len(z)), y]).any():
            raise InputError("scores: a right option has the score -inf, which no slope can help")
        x = log_softmax(z)
        width = x.shape[1]
        start = np.concatenate([np.ones(width), np.zeros(width)])
        # L-BFGS stops near 1e-8 of the largest slope: a second start from there gains digits.
        for _ in range(2):
            found = minimize(
                loss_of,
                start,
                (x, y),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 2000, "ftol": 0, "gtol": 1e-9 * len(x)},
            )
            start = found.x
        self.slopes_, self.shifts_ = start[:width], start[width:]
        self.n_fit_ = len(x)
        return self

    def transform(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """Log-probabilities (N, K) after calibration."""
        self.need_fit()
        z = scores_of(scores)
        width = z.shape[1]
        if width > len(self.slopes_):
            raise InputError(
                f"scores: expected at most the {len(self.slopes_)} options that vector scaling was "
                f"fitted to, got {width}"
            )
        return scaled(log_softmax(z), self.slopes_[:width], self.shifts_[:width])

    def words(self) -> list[str]:
        return [
            f"option {k + 1}: slope {slope:z.3f}, shift {shift:+z.3f}"
            for k, (slope, shift) in enumerate(zip(self.slopes_, self.shifts_, strict=True))
        ]

    def state(self) -> dict[str, Any]:
        return {"slopes": self.slopes_.tolist(), "shifts": self.shifts_.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.slopes_ = np.asarray(state["slopes"], np.float64)
        self.shifts_ = np.asarray(state["shifts"], np.float64)
        if len(self.slopes_) < 2 or self.slopes_.shape != self.shifts_.shape:
            raise InputError("slopes: expected one for each of shifts, two or more")


def scaled(x: Floats, slopes: Floats, shifts: Floats) -> Floats:
    """Log-probabilities (N, K); an absent option stays absent whatever its slope."""
    absent = np.isneginf(x)
    return log_softmax(np.where(absent, -np.inf, np.where(absent, 0.0, x) * slopes + shifts))


def loss_of(parameters: Floats, x: Floats, y: Ints) -> tuple[float, Floats]:
    """The loss of slopes and shifts (2K,), and its gradient."""
    slopes, shifts = np.split(parameters, 2)
    rows = np.arange(len(x))
    logp = scaled(x, slopes, shifts)
    beyond = np.exp(logp)
    beyond[rows, y] -= 1
    finite = np.where(np.isneginf(x), 0.0, x)
    loss = -logp[rows, y].sum() + 0.5 * (((slopes - 1) ** 2).sum() + (shifts**2).sum())
    gradient = np.concatenate(
        [(beyond * finite).sum(axis=0) + slopes - 1, beyond.sum(axis=0) + shifts]
    )
    return float(loss), gradient
