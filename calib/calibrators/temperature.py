"""Temperature scaling: one number that makes a model's confidence honest, and no answer different.

``logits / T`` keeps every arg-max. T minimises the mean negative log-likelihood, which is convex
in the inverse temperature b = 1/T. The solve is Newton's in log b inside a shrinking bracket, one
read of the logits a step.

Axis legend: N rows, K classes (the options of a question, or the vocabulary).
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.calibrators.likelihood import Likelihood, as_array, likelihood
from calib.fields import (
    Fields,
    check_fields,
    is_bool,
    is_count,
    is_number,
    is_text,
    or_null,
    read_saved,
)
from calib.intervals.clusters import Members, members_of
from calib.records import InputError
from calib.runs.durable import replace

Floats = NDArray[np.float64]

COLDEST, HOTTEST = 1e-3, 1e3
"""Temperatures outside these bounds are clamped and called degenerate."""

GRID: Floats = np.arange(1, 1000) / 100.0
"""0.01 to 9.99 by 0.01: the search grid of the published code, without its T = 0."""

GOLD_NOT_ABOVE = (
    "the gold classes' logits are on average no higher than the other classes', which one gold "
    "class of almost no probability can cause"
)
MAX_STEPS = 200
METHODS = ("exact", "grid", "streamed")
FORMAT = "calib.temperature/1"
POSITIVE = "a positive number", lambda value: is_number(value, sys.float_info.min, math.inf)
LOSS = "a number", lambda value: isinstance(value, float)  # NaN, too: where nothing was fitted
SAVED: Fields = {
    "method": ("exact, grid or streamed", lambda value: value in METHODS),
    "temperature": POSITIVE,
    "degenerate": ("true or false", is_bool),
    "reason": ("text or null", or_null(is_text)),
    "n_fit": ("a whole number from 0", is_count),
    "nll_before": LOSS,
    "nll_after": LOSS,
}
BOUNDS: Fields = dict.fromkeys(
    ("low", "high"),
    (  # infinity, too: the bounds of few rows may be as far away as floats go
        "a number from 0 or null",
        or_null(lambda value: isinstance(value, float) and value >= 0),
    ),
)


class DegenerateTemperatureWarning(UserWarning):
    """No finite positive temperature minimises the likelihood; the result was clamped."""


@dataclass(frozen=True, slots=True)
class TemperatureLogitsProcessor:
    """Divide scores by a temperature; fits where transformers expects a LogitsProcessor."""

    temperature: float

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        return scores / self.temperature


@dataclass
class TemperatureScaling:
    """Fit one temperature to logits (N, K) and gold classes (N,).

    ``method="exact"`` solves for the minimum; ``"grid"`` takes the first minimum of 0.01 .. 9.99.
    K may be the options of a question or a whole vocabulary; a class that a row does not have is
    ``-inf`` there. A tensor of at most 32 bits is summed where it lies, by
    ``calib_kernels.temperature_sweep``, and T is within 1e-6 of itself of the minimum; anything
    else is summed in float64. Fitted: ``temperature_``, its 95 % bounds ``low_`` and ``high_``,
    ``n_fit_``, ``nll_before_``, ``nll_after_`` (nats), and ``degenerate_`` with ``reason_`` where
    no finite positive temperature is best; then there are no bounds (None).
    """

    method: str = "exact"
    keeps_answers: ClassVar[bool] = True
    of_confidence: ClassVar[bool] = False
    temperature_: float = field(default=math.nan, init=False)
    degenerate_: bool = field(default=False, init=False)
    reason_: str | None = field(default=None, init=False)
    n_fit_: int = field(default=0, init=False)
    nll_before_: float = field(default=math.nan, init=False)
    nll_after_: float = field(default=math.nan, init=False)
    low_: float | None = field(default=None, init=False)
    high_: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method: expected 'exact' or 'grid', got {self.method!r}")

    def fit(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        *,
        clusters: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to ``logits`` (N, K) and ``labels`` (N,), integers in [0, K). Returns self.

        clusters: (N,) labels of rows that belong together; the bounds then allow for that. All
        ``groups`` share one temperature (``GroupedTemperature`` has one for each). Warns
        where rows of probabilities stand in place of logits, and where the fit is degenerate.
        """
        if self.method == "streamed":
            raise InputError("method: logits that stream by are fitted by TemperatureStream")
        data = likelihood(logits, labels)
        solve = _exact if self.method == "exact" else _on_grid
        self.temperature_, self.reason_ = solve(data)
        self.degenerate_ = self.reason_ is not None
        self.n_fit_ = data.n
        self.nll_before_ = data.moments(1.0).nll
        best = data.moments(1.0 / self.temperature_)
        self.nll_after_ = best.nll
        self.low_, self.high_ = None, None
        if not self.degenerate_:
            self.low_, self.high_ = _bounds(data, self.temperature_, best.curvature, clusters)
        if data.probabilities:
            warnings.warn(
                "every row of the logits sums to 1 as probabilities do; their temperature is "
                "another number: pass logits or log-probabilities",
                UserWarning,
                stacklevel=2,
            )
        if self.reason_ is not None:
            warnings.warn(
                f"{self.reason_}; the temperature was set to {self.temperature_:g}",
                DegenerateTemperatureWarning,
                stacklevel=2,
            )
        return self

    def transform(self, logits: Any, *, groups: ArrayLike | None = None) -> Any:
        """Return ``logits / temperature_``: an array for an array, a tensor for a tensor."""
        temperature = self._fitted()
        if hasattr(logits, "detach"):
            return logits / temperature
        return np.asarray(logits) / temperature

    def predict_proba(self, logits: ArrayLike, *, groups: ArrayLike | None = None) -> Floats:
        """Softmax of the transformed logits (N, K), in float64.

        A row that holds NaN or +inf, or nothing but -inf, has no probabilities: it becomes NaN.
        """
        return softmax(np.asarray(as_array("logits", logits), dtype=np.float64) / self._fitted())

    def logits_processor(self) -> TemperatureLogitsProcessor:
        """A processor for ``model.generate(logits_processor=[...])`` that divides by T."""
        return TemperatureLogitsProcessor(self._fitted())

    def save(self, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None) -> Path:
        """Write the fit as readable JSON, whole or not at all; ``facts`` are kept beside it."""
        content = {
            "format": FORMAT,
            "temperature": self._fitted(),
            "low": self.low_,
            "high": self.high_,
            "method": self.method,
            "objective": "mean negative log-likelihood of the gold class, nats",
            "degenerate": self.degenerate_,
            "reason": self.reason_,
            "n_fit": self.n_fit_,
            "nll_before": self.nll_before_,
            "nll_after": self.nll_after_,
            "facts": dict(facts or {}),
        }
        replace(Path(path), json.dumps(content, indent=2) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote. Raises InputError for a file that is not a temperature."""
        content = read_saved(Path(path), "a saved temperature", FORMAT)
        check_fields(content, str(path), SAVED, BOUNDS)
        fitted = cls(method=content["method"])
        fitted.temperature_ = float(content["temperature"])
        fitted.degenerate_ = content["degenerate"]
        fitted.reason_ = content["reason"]
        fitted.n_fit_ = content["n_fit"]
        fitted.nll_before_ = float(content["nll_before"])
        fitted.nll_after_ = float(content["nll_after"])
        fitted.low_, fitted.high_ = content.get("low"), content.get("high")
        return fitted

    def _fitted(self) -> float:
        if math.isnan(self.temperature_):
            raise InputError("this TemperatureScaling has not been fitted: call fit or load first")
        return self.temperature_


def softmax(logits: Floats) -> Floats:
    """Softmax over the last axis; ``-inf`` gets probability 0."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float64)


def _bounds(
    data: Likelihood, temperature: float, curvature: float, clusters: ArrayLike | None
) -> tuple[float, float] | tuple[None, None]:
    """The 95 % bounds of T: Student's t in ln T, with the sandwich error of clusters of rows.

    None of fewer than two clusters, or where the likelihood is flat.
    """
    from scipy import special  # takes 0.15 s, and fits without bounds do without

    members = clustered(clusters, data.n)
    error = log_error(data, 1 / temperature, curvature, members)
    if error is None:
        return None, None
    reach = float(special.stdtrit(members.count - 1, 0.975)) * error
    return temperature * math.exp(-reach), temperature * math.exp(reach)


def clustered(clusters: ArrayLike | None, n: int) -> Members:
    """``members_of``; InputError for what it refuses."""
    try:
        return members_of(clusters, n)
    except ValueError as unfit:
        raise InputError(str(unfit)) from unfit


def log_error(data: Likelihood, beta: float, curvature: float, members: Members) -> float | None:
    """The sandwich standard error of ln b at its minimum, with the likelihood's curvature there.

    None of fewer than two clusters, or where the likelihood is flat.
    """
    sums = np.bincount(members.of, data.slopes(beta))
    slope = data.n * curvature * beta  # of the gradient's sum, in ln b
    if len(sums) < 2 or slope <= 0:
        return None
    return math.sqrt(len(sums) / (len(sums) - 1) * float((sums**2).sum())) / slope


def _degenerate(data: Likelihood) -> tuple[float, str] | None:
    """The clamped temperature and why, where no finite positive one is best.

    Unless the slope at b = 0 is negative, a larger T never raises the loss. Where every gold class
    has the highest logit, a smaller T never raises it.
    """
    ends = data.ends()
    if ends.spread == 0.0:
        return 1.0, "every row's logits are constant, so the temperature has no effect"
    if ends.slope >= 0.0:
        return HOTTEST, GOLD_NOT_ABOVE
    if ends.gold_on_top:
        return COLDEST, "every row's gold class has the highest logit"
    return None


def _exact(data: Likelihood) -> tuple[float, str | None]:
    """The minimum by Newton's method in log(1/T), kept in a bracket: the gradient is monotone."""
    if (clamped := _degenerate(data)) is not None:
        return clamped
    low, high = -math.log(HOTTEST), -math.log(COLDEST)
    if data.moments(math.exp(low)).gradient >= 0.0:
        return HOTTEST, f"the best temperature lies above {HOTTEST:g}"
    if data.moments(math.exp(high)).gradient <= 0.0:
        return COLDEST, f"the best temperature lies below {COLDEST:g}"
    at = 0.0
    for _ in range(MAX_STEPS):
        beta = math.exp(at)
        here = data.moments(beta)
        if here.gradient < 0.0:
            low = at
        else:
            high = at
        slope = beta * here.curvature
        following = at - here.gradient / slope if slope > 0.0 else math.inf
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - at) < data.tolerance:
            return math.exp(-following), None
        at = following
    return math.exp(-at), None


def _on_grid(data: Likelihood) -> tuple[float, str | None]:
    """The first minimum over the grid; an end of the grid is degenerate, since it is no minimum."""
    clamped = _degenerate(data)
    if clamped is not None and clamped[0] == 1.0:
        return clamped
    best = int(np.argmin(data.losses(GRID.tolist())))
    reason = clamped[1] if clamped is not None else None
    if reason is None and best in (0, len(GRID) - 1):
        reason = "the best temperature lies outside the grid 0.01 .. 9.99"
    return float(GRID[best]), reason
