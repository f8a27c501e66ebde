"""The confidence above which to answer, so that a promised share of the answers is right.

Learn then test (Angelopoulos et al. 2021), with fixed sequences from several starts. The candidate
thresholds depend on the confidences alone, not on which answers were right. From each of five
starts downwards, the exact binomial tail tests "more than ``risk`` of the answers given at this
threshold are wrong" at delta / 5, up to the first test that does not reject. The lowest threshold
whose test rejects is returned: with probability 1 - delta the promise holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from calib.metrics import binning
from calib.metrics.arrays import labels, whole

STARTS = 5
STEPS = 50
"""At most so many thresholds are tested."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Answer where confidence >= ``value``.

    Of the ``n`` rows that it was chosen on (one a cluster), ``coverage`` is the share answered and
    ``risk`` the share of wrong ones among these. ``bound`` is the exact upper bound of the risk at
    the level of the test, and never above the ``risk`` that the caller allowed.
    """

    value: float
    coverage: float
    risk: float
    bound: float
    n: int


def abstention(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    risk: float,
    delta: float = 0.05,
    clusters: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Threshold | dict[Any, Threshold | None] | None:
    """The lowest threshold at which at most ``risk`` of the answers given are wrong.

    With probability 1 - ``delta`` over these rows, at most ``risk`` of the new answers with
    confidence >= value are wrong. Returns None where no threshold can promise that.

    confidence (N,) in [0, 1], correct (N,) of 0 and 1. clusters: (N,) labels of rows that belong
    together: only one row of each is used, drawn by ``seed``. groups: (N,) labels of
    sub-populations: each gets a threshold of its own, in a dict by its label, and delta is divided
    among them so that all promises hold together.

    Raises ValueError on unfit arrays and for a risk or delta not between 0 and 1.
    """
    c, a = binning.pairs(confidence, correct)
    seed = whole("seed", seed, 0)
    for name, share in (("risk", risk), ("delta", delta)):
        if not isinstance(share, Real) or not 0 < share < 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {share!r}")
    cluster_labels = None if clusters is None else labels("clusters", clusters, len(c))
    independent = one_a_cluster(cluster_labels, len(c), seed)
    if groups is None:
        return promised(c[independent], a[independent], risk, delta)
    of = labels("groups", groups, len(c))
    names = np.unique(of)
    by_group = {name: independent[of[independent] == name] for name in names.tolist()}
    return {
        name: promised(c[rows], a[rows], risk, delta / len(by_group))
        for name, rows in by_group.items()
    }


def one_a_cluster(clusters: NDArray[np.generic] | None, n: int, seed: int) -> NDArray[np.int64]:
    """Numbers of rows of which no two share a cluster, in order."""
    if clusters is None:
        return np.arange(n)
    order = np.random.default_rng(seed).permutation(n)
    _, first = np.unique(clusters[order], return_index=True)
    return np.sort(order[first])


def promised(
    c: NDArray[np.float64], a: NDArray[np.float64], risk: float, delta: float
) -> Threshold | None:
    """The lowest threshold that the tests reach; None where every start fails at once."""
    values = candidates(c)
    answered = np.array([(c >= value).sum() for value in values])
    wrong = np.array([(a[c >= value] == 0).sum() for value in values])
    level = delta / STARTS
    holds = special.bdtr(wrong, answered, risk) <= level
    reached = [
        end for start in starts(len(values)) if (end := last_of_run(holds, start)) is not None
    ]
    if not reached:
        return None
    best = max(reached)
    n, errors = int(answered[best]), int(wrong[best])
    return Threshold(
        value=float(values[best]),
        coverage=n / len(c),
        risk=errors / n,
        bound=float(special.betaincinv(errors + 1, n - errors, 1 - level)),
        n=len(c),
    )


def candidates(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distinct thresholds from high to low, at even steps of coverage; the last answers all."""
    ranks = np.unique(np.ceil(np.linspace(0, len(c), STEPS + 1)[1:]).astype(int)) - 1
    return np.unique(np.sort(c)[::-1][ranks])[::-1]


def starts(count: int) -> Iterable[int]:
    """Places of the starts among ``count`` thresholds, the first at the top, none at the end."""
    return sorted({count * k // STARTS for k in range(STARTS)})


def last_of_run(holds: NDArray[np.bool_], start: int) -> int | None:
    """The last place of the unbroken run of rejections that begins at ``start``."""
    if not holds[start]:
        return None
    broken = np.flatnonzero(~holds[start:])
    return start + int(broken[0]) - 1 if len(broken) else len(holds) - 1
