"""Calibrators of other libraries behind the same interface: scikit-learn, netcal, MAPIE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from calib.calibrators.base import BaseCalibrator
from calib.calibrators.scores import (
    Answered,
    Floats,
    answered,
    fitted_to,
    fixed_options,
    log_softmax,
    scores_of,
    with_confidence,
)
from calib.records import InputError

CONFIDENCE, OPTIONS = "confidence", "options"
ROUNDING = 1e-6


class Adapter(BaseCalibrator):
    """Any estimator with ``fit`` and ``predict_proba``, or with ``fit`` and ``transform``.

    ``on="confidence"``: the estimator maps the answer's confidence; it is fitted to confidences
    (N,), a column (N, 1) where it has ``predict_proba``, and 0 and 1 for wrong and right answers.
    The answer stays. ``on="options"``: the estimator is fitted to log-probabilities (N, K) and the
    right options (N,), and may change answers. By default ``predict_proba`` is of options and
    ``transform``, as netcal's, of confidences.

    ``estimator`` may also be a function of a classifier, for libraries that calibrate one: it is
    given a fitted ``ScoresClassifier`` and returns the estimator, whose ``fit`` is then called. An
    option that an estimator leaves without a number, as MAPIE does all but the likeliest, shares
    what is left of 1 as the scores share it; then the answer stays.
    """

    def __init__(self, estimator: Any, on: str | None = None) -> None:
        if on not in (None, CONFIDENCE, OPTIONS):
            raise InputError(f"on: expected {CONFIDENCE!r} or {OPTIONS!r}, got {on!r}")
        self._make = None if hasattr(estimator, "fit") else estimator
        if self._make is not None and not callable(estimator):
            raise InputError(
                "estimator: expected one with fit, or a function that makes one of a classifier, "
                f"got {type(estimator).__name__}"
            )
        self.estimator = estimator
        by_default = CONFIDENCE if self._make is None and not self._probable else OPTIONS
        self.of_confidence = self.keeps_answers = (on or by_default) == CONFIDENCE
        if self._make is None and not self._probable and not hasattr(estimator, "transform"):
            raise InputError(
                "estimator: expected predict_proba or transform, which "
                f"{type(estimator).__name__} lacks"
            )

    @property
    def _probable(self) -> bool:
        return hasattr(self.estimator, "predict_proba")

    def fit(
        self,
        scores: ArrayLike,
        answers: ArrayLike,
        *,
        clusters: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        given: ArrayLike | None = None,
    ) -> Self:
        """Fit the estimator to scores (N, K) and right options (N,). Returns self."""
        z, y = fitted_to(scores, answers)
        if self._make is not None:
            self.estimator = self._make(ScoresClassifier(z.shape[1]))
        if self.of_confidence:
            answer = answered(z, given)
            self.estimator.fit(self._column(answer), (answer.option == y).astype(np.int64))
        else:
            logp = log_softmax(fixed_options(z, "this estimator"))
            self.estimator.fit(logp, y)
            # One that says nothing of other options leaves the answer as it is.
            self.keeps_answers = bool(np.isnan(self.estimator.predict_proba(logp)).any())
        self.n_fit_ = len(z)
        return self

    def transform(
        self,
        scores: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        given: ArrayLike | None = None,
    ) -> Floats:
        """Log-probabilities (N, K) after calibration; ``-inf`` where the estimator says 0."""
        self.need_fit()
        z = scores_of(scores)
        if not self.of_confidence:
            return self._of_options(log_softmax(fixed_options(z, "this estimator")))
        answer = answered(z, given)
        if self._probable:
            at = np.flatnonzero(np.asarray(self.estimator.classes_) == 1)
            mapped = self.estimator.predict_proba(self._column(answer))[:, at].sum(axis=1)
        else:
            mapped = np.asarray(self.estimator.transform(self._column(answer))).reshape(len(z))
        return with_confidence(z, answer.option, self._shares(mapped))

    def _shares(self, mapped: Floats) -> Floats:
        """Confidences (N,), rounded into [0, 1]. InputError for what is no rounding."""
        if not ((mapped >= -ROUNDING) & (mapped <= 1 + ROUNDING)).all():
            raise InputError(
                f"{type(self.estimator).__name__}: expected confidences from 0 to 1 of it, got "
                f"{mapped.min():g} to {mapped.max():g}"
            )
        return np.clip(mapped, 0.0, 1.0)

    def _column(self, answer: Answered) -> Floats:
        return answer.confidence[:, None] if self._probable else answer.confidence

    def _of_options(self, logp: Floats) -> Floats:
        found = np.asarray(self.estimator.predict_proba(logp), dtype=np.float64)
        p = np.zeros_like(logp)
        if found.shape == logp.shape:
            p = found
        else:  # options that were never right have no column
            p[:, np.asarray(self.estimator.classes_)] = found
        unknown = np.isnan(p)
        left = np.clip(1 - np.where(unknown, 0.0, p).sum(axis=1, keepdims=True), 0.0, 1.0)
        share = np.where(unknown, np.exp(logp), 0.0)
        total = np.maximum(share.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.where(unknown, left * share / total, p)))

    def save(self, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None) -> Path:
        """Raises InputError: the estimator is kept as its own library says."""
        raise InputError(
            f"{path}: {type(self.estimator).__name__} belongs to another library: keep it as that "
            "library says, and adapt it again"
        )


def adapt(estimator: Any, on: str | None = None) -> Adapter:
    """``Adapter(estimator, on)``."""
    return Adapter(estimator, on)


class ScoresClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier of scikit-learn's interface, whose input (N, K) is its scores."""

    def __init__(self, options: int) -> None:
        self.options = options
        self.classes_ = np.arange(options)

    # scikit-learn and MAPIE pass these by their names.
    def fit(self, X: Floats, y: ArrayLike) -> Self:
        return self

    def decision_function(self, X: Floats) -> Floats:
        z = np.asarray(X, dtype=np.float64)
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z  # scikit-learn's form of two classes

    def predict_proba(self, X: Floats) -> Floats:
        return np.exp(log_softmax(np.asarray(X, dtype=np.float64)))

    def predict(self, X: Floats) -> NDArray[np.int64]:
        return np.asarray(np.asarray(X).argmax(axis=1))
