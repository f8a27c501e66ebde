"""Temperature scaling: one number that makes a model's confidence honest, and no answer different.

``logits / T`` keeps every arg-max. T minimises the mean negative log-likelihood, which is convex
in the inverse temperature b = 1/T: gradient mean(E_p[z] - z_y), curvature mean(Var_p[z]). The solve
is Newton's in log b inside a shrinking bracket, with float64 sums over one read of the logits a
step.

Axis legend: N rows, K classes (the options of a question, or the vocabulary).
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.records import InputError
from calib.runs import replace

Floats = NDArray[np.float64]

COLDEST, HOTTEST = 1e-3, 1e3
"""Temperatures outside these bounds are clamped and called degenerate."""

GRID: Floats = np.arange(1, 1000) / 100.0
"""0.01 to 9.99 by 0.01: the search grid of the published code, without its T = 0."""

BLOCK_VALUES = 1 << 22
TOLERANCE = 1e-12
MAX_STEPS = 200
FORMAT = "calib.temperature/1"


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
    ``-inf`` there. Fitted: ``temperature_``, ``n_fit_``, ``nll_before_``, ``nll_after_`` (nats),
    and ``degenerate_`` with ``reason_`` where no finite positive temperature is best.
    """

    method: str = "exact"
    temperature_: float = field(default=math.nan, init=False)
    degenerate_: bool = field(default=False, init=False)
    reason_: str | None = field(default=None, init=False)
    n_fit_: int = field(default=0, init=False)
    nll_before_: float = field(default=math.nan, init=False)
    nll_after_: float = field(default=math.nan, init=False)

    def __post_init__(self) -> None:
        if self.method not in ("exact", "grid"):
            raise InputError(f"method: expected 'exact' or 'grid', got {self.method!r}")

    def fit(self, logits: ArrayLike, labels: ArrayLike) -> Self:
        """Fit to ``logits`` (N, K) and ``labels`` (N,), integers in [0, K). Returns self."""
        data = _Data.of(logits, labels)
        solve = _exact if self.method == "exact" else _on_grid
        self.temperature_, self.reason_ = solve(data)
        self.degenerate_ = self.reason_ is not None
        self.n_fit_ = data.n
        self.nll_before_ = data.moments(1.0).nll
        self.nll_after_ = data.moments(1.0 / self.temperature_).nll
        if self.reason_ is not None:
            warnings.warn(
                f"{self.reason_}; the temperature was set to {self.temperature_:g}",
                DegenerateTemperatureWarning,
                stacklevel=2,
            )
        return self

    def transform(self, logits: Any) -> Any:
        """Return ``logits / temperature_``: an array for an array, a tensor for a tensor."""
        temperature = self._fitted()
        if hasattr(logits, "detach"):
            return logits / temperature
        return np.asarray(logits) / temperature

    def predict_proba(self, logits: ArrayLike) -> Floats:
        """Softmax of the transformed logits (N, K), in float64."""
        return softmax(np.asarray(_array(logits), dtype=np.float64) / self._fitted())

    def logits_processor(self) -> TemperatureLogitsProcessor:
        """A processor for ``model.generate(logits_processor=[...])`` that divides by T."""
        return TemperatureLogitsProcessor(self._fitted())

    def save(self, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None) -> Path:
        """Write the fit as readable JSON, whole or not at all; ``facts`` are kept beside it."""
        content = {
            "format": FORMAT,
            "temperature": self._fitted(),
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
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as cause:
            raise InputError(f"{path}: cannot be read as a saved temperature ({cause})") from cause
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"{path}: expected a file with format {FORMAT!r}")
        fitted = cls(method=content["method"])
        fitted.temperature_ = float(content["temperature"])
        fitted.degenerate_ = bool(content["degenerate"])
        fitted.reason_ = content["reason"]
        fitted.n_fit_ = int(content["n_fit"])
        fitted.nll_before_ = float(content["nll_before"])
        fitted.nll_after_ = float(content["nll_after"])
        return fitted

    def _fitted(self) -> float:
        if math.isnan(self.temperature_):
            raise InputError("this TemperatureScaling has not been fitted: call fit or load first")
        return self.temperature_


def softmax(logits: Floats) -> Floats:
    """Softmax over the last axis; ``-inf`` gets probability 0."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Moments:
    nll: float
    gradient: float
    curvature: float


@dataclass(frozen=True, slots=True)
class _Data:
    """Checked logits (N, K) and labels (N,); sums over rows in float64, a block at a time."""

    logits: NDArray[Any]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, logits: ArrayLike, labels: ArrayLike) -> _Data:
        z, y = _array(logits), _array(labels)
        if z.ndim != 2 or z.shape[0] == 0 or z.shape[1] < 2:
            raise InputError(
                f"logits: expected shape (N, K), at least one row and two classes, got {z.shape}"
            )
        if y.shape != (z.shape[0],):
            raise InputError(f"labels: expected shape ({z.shape[0]},), got {y.shape}")
        if y.dtype.kind not in "iu":
            raise InputError(f"labels: expected integers, got {y.dtype}")
        if y.min() < 0 or y.max() >= z.shape[1]:
            raise InputError(f"labels: expected 0..{z.shape[1] - 1}, got {y.min()}..{y.max()}")
        # Of each row's maximum, NaN and +inf show whatever else stands in the row.
        top = z.max(axis=1)
        if not (top < np.inf).all():
            raise InputError("logits: NaN and +inf have no likelihood; leave such rows out")
        if not np.isfinite(z[np.arange(len(z)), y]).all():
            raise InputError("logits: a gold class has logit -inf, so no temperature can help")
        return cls(z, y.astype(np.int64))

    @property
    def n(self) -> int:
        return int(self.logits.shape[0])

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Float64 logits shifted so that each row's maximum is 0, and the gold class's."""
        rows = max(1, BLOCK_VALUES // self.logits.shape[1])
        for start in range(0, self.n, rows):
            z = np.asarray(self.logits[start : start + rows], dtype=np.float64)
            z = z - z.max(axis=1, keepdims=True)
            yield z, z[np.arange(len(z)), self.labels[start : start + rows]]

    def moments(self, beta: float) -> _Moments:
        """Mean NLL at inverse temperature ``beta``, with both derivatives in it."""
        nll = gradient = curvature = 0.0
        for z, gold in self.blocks():
            weight = np.exp(beta * z)
            total = weight.sum(axis=1)
            finite = np.where(np.isneginf(z), 0.0, z)
            mean = (weight * finite).sum(axis=1) / total
            nll += float((np.log(total) - beta * gold).sum())
            gradient += float((mean - gold).sum())
            centred = np.where(np.isneginf(z), 0.0, z - mean[:, None])
            curvature += float(((weight * centred**2).sum(axis=1) / total).sum())
        return _Moments(nll / self.n, gradient / self.n, curvature / self.n)

    def degenerate(self) -> tuple[float, str] | None:
        """The clamped temperature and why, where no finite positive one is best.

        At beta = 0 the slope is mean(row mean - z_y): unless negative, larger T never hurts. And
        where every gold class is on top, smaller T never hurts.
        """
        spread = slope = 0.0
        gold_on_top = True
        for z, gold in self.blocks():
            present = ~np.isneginf(z)
            low = np.where(present, z, 0.0)
            spread = max(spread, float(-low.min()))
            slope += float((low.sum(axis=1) / present.sum(axis=1) - gold).sum())
            gold_on_top = gold_on_top and not bool((gold < 0).any())
        if spread == 0.0:
            return 1.0, "every row's logits are constant, so the temperature has no effect"
        if slope / self.n >= 0.0:
            return HOTTEST, "the logits say nothing in favour of the gold classes"
        if gold_on_top:
            return COLDEST, "every row's gold class has the highest logit"
        return None


def _array(values: Any) -> NDArray[Any]:
    """A numpy array of an array-like or of a tensor on any device (bfloat16 becomes float32)."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if "bfloat16" in str(tensor.dtype) else tensor)
    return np.asarray(values)


def _exact(data: _Data) -> tuple[float, str | None]:
    """The minimum by safeguarded Newton in log(1/T): the gradient is monotone there."""
    if (clamped := data.degenerate()) is not None:
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
        if abs(following - at) < TOLERANCE:
            return math.exp(-following), None
        at = following
    return math.exp(-at), None


def _on_grid(data: _Data) -> tuple[float, str | None]:
    """The first minimum over the grid; its ends are degenerate, being no minimum at all."""
    clamped = data.degenerate()
    if clamped is not None and clamped[0] == 1.0:
        return clamped
    losses = [data.moments(1.0 / float(temperature)).nll for temperature in GRID]
    best = int(np.argmin(losses))
    reason = clamped[1] if clamped is not None else None
    if reason is None and best in (0, len(GRID) - 1):
        reason = "the best temperature lies outside the grid 0.01 .. 9.99"
    return float(GRID[best]), reason
