"""Venn-Abers: two isotonic fits a confidence, one as if its answer were right, one as if wrong.

The new answer joins the fitted ones once as right and once as wrong; isotonic regression gives it
p1 and p0, and p1 / (1 - p0 + p1) is the probability that loses least in log loss (Vovk et al.
2015). Both depend only on where the confidence lies among the fitted ones: at one of M distinct
values, or in one of the M + 1 gaps. So they are tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from calib.calibrators.base import SHARES, ConfidenceMap
from calib.calibrators.scores import Answered, Floats
from calib.fields import Fields
from calib.records import InputError


class Block(NamedTuple):
    """Answers pooled by isotonic regression, and the pools beyond them (None at the end)."""

    right: float
    answers: float
    beyond: Block | None

    @property
    def mean(self) -> float:
        return self.right / self.answers


@dataclass
class VennAbers(ConfidenceMap):
    """``confidences_`` (M,), ``p0_`` and ``p1_`` (2M + 1,): gap, value, gap, ..., value, gap."""

    format: ClassVar[str] = "calib.venn_abers/1"
    fields: ClassVar[Fields] = {"confidences": SHARES, "p0": SHARES, "p1": SHARES}
    confidences_: Floats = field(default_factory=lambda: np.empty(0), init=False)
    p0_: Floats = field(default_factory=lambda: np.empty(0), init=False)
    p1_: Floats = field(default_factory=lambda: np.empty(0), init=False)

    def fit_map(self, answer: Answered, right: Floats) -> None:
        self.confidences_, where = np.unique(answer.confidence, return_inverse=True)
        self.p0_, self.p1_ = tables(np.bincount(where, right).tolist(), np.bincount(where).tolist())

    def bounds(self, answer: Answered) -> tuple[Floats, Floats]:
        """p0 and p1 (N,) of each answer; they are far apart where few answers were fitted."""
        below = np.searchsorted(self.confidences_, answer.confidence, side="left")
        upto = np.searchsorted(self.confidences_, answer.confidence, side="right")
        return self.p0_[below + upto], self.p1_[below + upto]

    def map(self, answer: Answered) -> Floats:
        p0, p1 = self.bounds(answer)
        return np.asarray(p1 / (1 - p0 + p1))

    def state(self) -> dict[str, Any]:
        return {
            "confidences": self.confidences_.tolist(),
            "p0": self.p0_.tolist(),
            "p1": self.p1_.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        c, p0, p1 = (np.asarray(state[name], float) for name in ("confidences", "p0", "p1"))
        if not len(c) or not len(p0) == len(p1) == 2 * len(c) + 1 or (np.diff(c) <= 0).any():
            raise InputError("confidences: expected M rising numbers, and 2M + 1 of p0 and p1")
        if (p0 >= 1).any() or (p1 <= 0).any():
            raise InputError("p0, p1: expected numbers below 1 and above 0")
        self.confidences_, self.p0_, self.p1_ = c, p0, p1


def tables(right: Sequence[float], count: Sequence[int]) -> tuple[Floats, Floats]:
    """p0 and p1 (2M + 1,) of M distinct confidences in order, with their right answers."""
    lower: list[Block | None] = [None]  # the pools of the first k values, the highest first
    for k in range(len(count)):
        lower.append(pooled(right[k], count[k], lower[-1], None)[0])
    upper: list[Block | None] = [None]  # of the last k values, the lowest first
    for k in reversed(range(len(count))):
        upper.append(pooled(right[k], count[k], None, upper[-1])[1])
    upper.reverse()
    both = [np.empty(2 * len(count) + 1) for _ in range(2)]
    for label, table in enumerate(both):
        for k in range(len(count) + 1):
            table[2 * k] = joined(float(label), 1.0, lower[k], upper[k])
        for k in range(len(count)):
            with_new = right[k] + label, count[k] + 1
            table[2 * k + 1] = joined(*with_new, lower[k], upper[k + 1])
    return both[0], both[1]


def joined(right: float, count: float, below: Block | None, above: Block | None) -> float:
    """The mean of the pool that some answers end in, between the pools below and above them."""
    pool, _ = pooled(right, count, below, above)
    return pool.mean


def pooled(
    right: float, count: float, below: Block | None, above: Block | None
) -> tuple[Block, Block]:
    """The pool of some answers with those neighbours that they would contradict.

    It is returned twice: with the pools that are left below it, and with those above.
    """
    while True:
        if below is not None and below.mean * count >= right:
            right, count, below = right + below.right, count + below.answers, below.beyond
        elif above is not None and above.mean * count <= right:
            right, count, above = right + above.right, count + above.answers, above.beyond
        else:
            return Block(right, count, below), Block(right, count, above)
