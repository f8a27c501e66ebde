"""What a trajectory claims, by simulation: ``python -m tests.trajectories.simulated``.

A question's answers at the six checkpoints share their luck as a stationary process of order one
does, of correlation ``RHO`` between neighbours; its confidence is the same at all of them. A model
is sure by 0.05 more than it is right from checkpoint ``AT`` on, or, under the null, nowhere.
Counted are changes found, confidence sets that hold the true place, and checkpoints said to be
worse than another where all are alike.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from calib.intervals.clusters import members_of
from calib.trajectories.best import best_of_means
from calib.trajectories.changes import change_of

COUNT, AT, RHO, FLIPS = 6, 3, 0.8, 999


@dataclass(frozen=True)
class Case:
    """``right``: the mean confidence; ``over``: by how much it is too high after the change;
    ``per``: questions of one cluster, which share their luck."""

    n: int
    right: float = 0.7
    over: float = 0.0
    per: int = 1


NULLS = {
    "300 questions": Case(300),
    "1,000 questions": Case(1000),
    "300, 95 % right": Case(300, right=0.95),
    "300 in 100 clusters": Case(300, per=3),
}
CHANGED = {f"{n:,} questions, 5 points": Case(n, over=0.05) for n in (200, 500, 1000)}


def drawn(case: Case, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence (N,) and which answers are right (K, N)."""
    clusters = -(-case.n // case.per)
    luck = np.empty((COUNT, clusters))
    luck[0] = rng.normal(size=clusters)
    for step in range(1, COUNT):
        luck[step] = RHO * luck[step - 1] + (1 - RHO**2) ** 0.5 * rng.normal(size=clusters)
    uniform = ndtr(np.repeat(luck, case.per, axis=1)[:, : case.n])
    confidence = np.clip(case.right + 0.1 * rng.normal(size=case.n), 0.3, 0.99)
    over = np.where(np.arange(COUNT) >= AT, case.over, 0.0)
    return confidence, uniform < confidence - over[:, None]


def shares(case: Case, runs: int, seed: int = 0) -> dict[str, float]:
    """Of ``runs`` trajectories: how often a change is found, how often the set of places holds the
    true one and how large it is, how often some checkpoint is said to be worse."""
    members = members_of(np.arange(case.n) // case.per, case.n)
    found = np.zeros((runs, 4))
    for number in range(runs):
        confidence, right = drawn(case, np.random.default_rng([seed, number]))
        change = change_of(confidence - right, members, number, FLIPS)
        best = best_of_means((confidence - right) ** 2, members, number, FLIPS)
        found[number] = (
            change.p < 0.05,
            AT in change.splits,
            len(change.splits),
            len(best.kept) < COUNT,
        )
    names = ("found", "covered", "places", "worse")
    return dict(zip(names, found.mean(axis=0).tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    for name, case in {**NULLS, **CHANGED}.items():
        told = shares(case, runs)
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in told.items()))


if __name__ == "__main__":
    main()
