"""The likelihood of gold classes as a function of the temperature, which a fit minimises.

With inverse temperature b and p = softmax(b z), the mean of ln(1 / p[y]) over rows has the gradient
mean(E_p[z] - z_y) and the curvature mean(Var_p[z]) in b.

Axis legend: N rows, K classes (the options of a question, or the vocabulary).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.metrics.arrays import numbers
from calib.records import InputError

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

BLOCK_VALUES = 1 << 22  # logits that are read at once
LARGEST = 1e100  # its square times any number of rows is still finite
FIRST_ROWS = 64  # checked before all others: among logits one of these has a sum other than 1


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean over rows of the negative log-likelihood (nats), and its derivatives in b."""

    nll: float
    gradient: float
    curvature: float


@dataclass(frozen=True, slots=True)
class Ends:
    """What decides whether any finite positive temperature is best."""

    spread: float  # the largest distance of a class below its row's maximum
    slope: float  # the gradient at b = 0: mean of (row mean - z_y)
    gold_on_top: bool  # whether every gold class has its row's maximum


class Likelihood(Protocol):
    tolerance: ClassVar[float]
    """Of ln b: what rounding leaves uncertain."""

    @property
    def n(self) -> int: ...
    @property
    def probabilities(self) -> bool:
        """Whether every row is non-negative and sums to 1."""
        ...

    def ends(self) -> Ends: ...
    def moments(self, beta: float) -> Moments: ...
    def slopes(self, beta: float) -> Floats:
        """(N,): what each row adds to N times the gradient, E_p[z] - z_y."""
        ...

    def losses(self, temperatures: Sequence[float]) -> Sequence[float]:
        """The mean negative log-likelihood at each."""
        ...


def likelihood(logits: Any, labels: Any) -> Likelihood:
    """Of logits (N, K) and labels (N,), integers in [0, K). Raises InputError for anything else."""
    if hasattr(logits, "detach") and logits.element_size() <= 4 and logits.is_floating_point():
        return TensorLikelihood.of(logits, labels)
    return ArrayLikelihood.of(logits, labels)


def as_array(name: str, values: Any) -> NDArray[Any]:
    """``calib.metrics.arrays.numbers``; InputError for what it refuses."""
    try:
        return numbers(name, values)
    except ValueError as error:
        raise InputError(str(error)) from error


def check_labels(
    shape: Sequence[int], labels: NDArray[Any], logits: str = "logits", name: str = "labels"
) -> None:
    """InputError, by the arguments' names, unless one class is gold in each row of (N, K)."""
    if len(shape) != 2 or shape[0] == 0 or shape[1] < 2:
        raise InputError(
            f"{logits}: expected shape (N, K), at least one row and two classes, got {tuple(shape)}"
        )
    if labels.shape != (shape[0],):
        raise InputError(f"{name}: expected shape ({shape[0]},), got {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise InputError(f"{name}: expected integers, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= shape[1]:
        raise InputError(f"{name}: expected 0..{shape[1] - 1}, got {labels.min()}..{labels.max()}")


def _check_likely(tops_below_inf: bool, gold_finite: bool) -> None:
    # A row that holds NaN or +inf has it as its maximum.
    if not tops_below_inf:
        raise InputError("logits: NaN and +inf have no likelihood; leave such rows out")
    if not gold_finite:
        raise InputError("logits: a gold class has logit -inf, so no temperature can help")


@dataclass(frozen=True, slots=True)
class ArrayLikelihood:
    """Arrays, summed in float64 by NumPy, a block of rows at a time."""

    logits: NDArray[Any]
    labels: NDArray[np.int64]
    tolerance: ClassVar[float] = 1e-12

    @classmethod
    def of(cls, logits: ArrayLike, labels: ArrayLike) -> ArrayLikelihood:
        z, y = as_array("logits", logits), as_array("labels", labels)
        check_labels(z.shape, y)
        gold = z[np.arange(len(z)), y]
        _check_likely(bool((z.max(axis=1) < np.inf).all()), bool(np.isfinite(gold).all()))
        largest = max(float(z.max()), -float(np.min(z, initial=0, where=z > -np.inf)))
        if largest > LARGEST:
            raise InputError(
                f"logits: expected numbers of at most {LARGEST:g} in size, got {largest:g}; a "
                "class that a row does not have is -inf"
            )
        return cls(z, y.astype(np.int64))

    @property
    def n(self) -> int:
        return int(self.logits.shape[0])

    @property
    def probabilities(self) -> bool:
        def sum_to_one(z: NDArray[Any]) -> bool:
            return bool((z >= 0).all() and (abs(z.sum(axis=1, dtype=np.float64) - 1) < 1e-3).all())

        return sum_to_one(self.logits[:FIRST_ROWS]) and sum_to_one(self.logits)

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Float64 logits shifted so that each row's maximum is 0, and the gold class's."""
        rows = max(1, BLOCK_VALUES // self.logits.shape[1])
        for start in range(0, self.n, rows):
            z = np.asarray(self.logits[start : start + rows], dtype=np.float64)
            z = z - z.max(axis=1, keepdims=True)
            yield z, z[np.arange(len(z)), self.labels[start : start + rows]]

    def ends(self) -> Ends:
        spread = slope = 0.0
        gold_on_top = True
        for z, gold in self.blocks():
            present = ~np.isneginf(z)
            low = np.where(present, z, 0.0)
            spread = max(spread, float(-low.min()))
            slope += float((low.sum(axis=1) / present.sum(axis=1) - gold).sum())
            gold_on_top = gold_on_top and not bool((gold < 0).any())
        return Ends(spread, slope / self.n, gold_on_top)

    def moments(self, beta: float) -> Moments:
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
        return Moments(nll / self.n, gradient / self.n, curvature / self.n)

    def slopes(self, beta: float) -> Floats:
        parts = []
        for z, gold in self.blocks():
            weight = np.exp(beta * z)
            finite = np.where(np.isneginf(z), 0.0, z)
            parts.append((weight * finite).sum(axis=1) / weight.sum(axis=1) - gold)
        return np.concatenate(parts)

    def losses(self, temperatures: Sequence[float]) -> Sequence[float]:
        return [self.moments(1.0 / temperature).nll for temperature in temperatures]


@dataclass(frozen=True, slots=True)
class TensorLikelihood:
    """Tensors where they lie, read once for any number of temperatures."""

    logits: Tensor
    labels: Tensor
    tolerance: ClassVar[float] = 1e-7

    @classmethod
    def of(cls, logits: Tensor, labels: Any) -> TensorLikelihood:
        import torch

        z, y = logits.detach(), as_array("labels", labels)
        check_labels(z.shape, y)
        at = torch.as_tensor(y.astype(np.int64)).to(z.device)
        gold = z.gather(1, at[:, None])
        _check_likely(bool((z.amax(1) < float("inf")).all()), bool(gold.isfinite().all()))
        return cls(z, at)

    @property
    def n(self) -> int:
        return self.logits.shape[0]

    @property
    def probabilities(self) -> bool:
        import torch

        def sum_to_one(z: Tensor) -> bool:
            near = (z.sum(1, dtype=torch.float32) - 1).abs() < 1e-2
            return bool(near.all() & (z.amin() >= 0))

        return sum_to_one(self.logits[:FIRST_ROWS]) and sum_to_one(self.logits)

    def ends(self) -> Ends:
        import torch

        spread, slope, below = [], [], []
        some_absent = bool(self.logits.amin().isneginf())  # waits for the device, once
        rows = max(1, BLOCK_VALUES // self.logits.shape[1])
        for start in range(0, self.n, rows):
            z, y = self.logits[start : start + rows], self.labels[start : start + rows]
            lowest, top = z.aminmax(dim=1)
            gold = z.gather(1, y[:, None])[:, 0]
            classes: Tensor | int = z.shape[1]
            if some_absent:
                absent = z.isneginf()
                classes = (~absent).sum(1)
                lowest = z.where(~absent, top[:, None]).amin(1)
                z = z.masked_fill(absent, 0.0)
            mean = z.sum(1, dtype=torch.float32) / classes
            spread.append((top - lowest).amax())
            slope.append((mean - gold).double().sum())
            below.append((gold < top).any())
        return Ends(
            float(torch.stack(spread).max()),
            float(torch.stack(slope).sum()) / self.n,
            not bool(torch.stack(below).any()),
        )

    def moments(self, beta: float) -> Moments:
        import torch
        from calib_kernels import temperature_sweep

        sums = temperature_sweep(self.logits, self.labels, [1.0 / beta], derivatives=2)
        assert sums.grad is not None and sums.hess is not None
        three = torch.cat((sums.nll, sums.grad, sums.hess)) / self.n
        return Moments(*three.tolist())

    def slopes(self, beta: float) -> Floats:
        from calib_kernels import row_stats

        # With the entropy H = lse - b E_p[z] and ln p[y] = b z_y - lse, both from one read.
        rows = row_stats(self.logits, self.labels, temperature=1 / beta)
        assert rows.label_logprob is not None
        return np.asarray(-(rows.entropy + rows.label_logprob).double().cpu() / beta)

    def losses(self, temperatures: Sequence[float]) -> Sequence[float]:
        from calib_kernels import temperature_sweep

        nll: list[float] = temperature_sweep(self.logits, self.labels, temperatures).nll.tolist()
        return [each / self.n for each in nll]
