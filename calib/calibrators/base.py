"""What calibrators share: one interface, and one form of file.

A calibrator has ``fit(scores, answers, *, clusters=None, groups=None)``, ``transform(scores)``,
``predict_proba(scores)``, ``save`` and ``load``. Scores are the logits or log-probabilities (N, K)
of a question's options, answers the numbers (N,) of the right ones.

* ``keeps_answers``: the answer is the option of the highest score, whatever the calibrator says of
  its probability.
* ``of_confidence``: only the answer's probability is mapped. ``fit`` and ``transform`` then take
  ``given`` (N,) as well, the answers where they are not those of the highest score.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from calib.calibrators.scores import (
    Answered,
    Floats,
    answered,
    fitted_to,
    scores_of,
    with_confidence,
)
from calib.fields import Fields, check_fields, is_count, is_list, is_number, read_saved
from calib.records import InputError
from calib.runs.durable import replace

LARGE = 1e300
NUMBER = "a number", lambda value: is_number(value, -LARGE, LARGE)
NUMBERS = "a list of numbers", is_list(NUMBER[1])
SHARES = "a list of numbers from 0 to 1", is_list(lambda value: is_number(value, 0.0, 1.0))
SOME = "a whole number from 1", lambda value: is_count(value) and value > 0
COUNT = "a whole number from 0", is_count


class BaseCalibrator(ABC):
    """What every calibrator but the temperature does alike."""

    keeps_answers: bool = True
    of_confidence: bool = False

    n_fit_: int = 0

    @abstractmethod
    def transform(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """Log-probabilities (N, K) after calibration."""

    def predict_proba(self, scores: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """Probabilities (N, K) after calibration."""
        return np.exp(self.transform(scores, groups=groups))

    def need_fit(self) -> None:
        if self.n_fit_ == 0:
            raise InputError(f"this {type(self).__name__} has not been fitted: call fit first")


class FittedCalibrator(BaseCalibrator):
    """A calibrator whose fit is a few numbers, which its file holds by name."""

    format: ClassVar[str]
    fields: ClassVar[Fields]

    def words(self) -> list[str]:
        """What was fitted, a line each; nothing where that is a table."""
        return []

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What ``fields`` names, as JSON holds it."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` gave."""

    def save(self, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None) -> Path:
        """Write the fit as readable JSON, whole or not at all; ``facts`` are kept beside it."""
        self.need_fit()
        fitted = {"n_fit": self.n_fit_, **self.state()}
        content = {"format": self.format, **fitted, "facts": dict(facts or {})}
        replace(Path(path), json.dumps(content, indent=2) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote. Raises InputError for a file of another format."""
        content = read_saved(Path(path), "a saved calibrator", cls.format)
        check_fields(content, str(path), {"n_fit": SOME, **cls.fields})
        fitted = cls()
        fitted.n_fit_ = content["n_fit"]
        try:
            fitted.restore(content)
        except InputError as cause:
            raise InputError(f"{path}: {cause}") from cause
        return fitted


class ConfidenceMap(FittedCalibrator):
    """A calibrator that maps the answer's probability, from whether answers were right."""

    of_confidence = True

    def fit(
        self,
        scores: ArrayLike,
        answers: ArrayLike,
        *,
        clusters: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        given: ArrayLike | None = None,
    ) -> Self:
        """Fit to scores (N, K) and the right options (N,). Returns self.

        given: (N,) the answers; by default the options of the highest scores. The map has no use
        for clusters and groups. Warns where the answers do not decide the fit.
        """
        z, y = fitted_to(scores, answers)
        answer = answered(z, given)
        self.fit_map(answer, np.asarray(answer.option == y, dtype=np.float64))
        self.n_fit_ = len(z)
        return self

    def transform(
        self,
        scores: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        given: ArrayLike | None = None,
    ) -> Floats:
        """Log-probabilities (N, K) in which the answer has the mapped confidence."""
        self.need_fit()
        z = scores_of(scores)
        answer = answered(z, given)
        return with_confidence(z, answer.option, self.map(answer))

    @abstractmethod
    def fit_map(self, answer: Answered, right: Floats) -> None:
        """Fit to answers and whether each is right, 0 or 1 (N,)."""

    @abstractmethod
    def map(self, answer: Answered) -> Floats:
        """The calibrated confidences (N,)."""
