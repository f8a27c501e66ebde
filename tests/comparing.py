"""What ``calib compare`` claims of two models, by simulation: ``python -m tests.comparing``.

Confidences are uniform in [0.3, 1), "blunt", or the same drawn away from their middle, "sharp". An
answer is right with its confidence less ``over``, so that the calibration error is ``over``. Both
models answer the same questions: of half of them, drawn at random, they share their luck. Counted
are rejections where the errors are equal, equivalences where they differ by the margin and where
they are equal, and rejections where they differ by 0.03.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.intervals import mean_of, paired_difference, paired_equivalence
from calib.intervals.equivalence import needs_at
from calib.intervals.shares import holm
from calib.summary.equivalence import add_needs

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

GAP = mean_of(lambda confidence, correct: np.asarray(confidence, float) - correct)
METRICS = {"calibration error": metrics.debiased_rmsce, "gap": GAP, "Brier": metrics.brier}
LOW, HIGH = 0.3, 1.0


@dataclass(frozen=True)
class Model:
    over: float = 0.0
    sharp: bool = False

    def confidences(self, uniform: Floats) -> Floats:
        """(N,) in [0.3, 1) of (N,) in [0, 1)."""
        if self.sharp:
            side = np.sign(uniform - 0.5)
            uniform = 0.5 + side * np.sqrt(np.abs(2 * uniform - 1)) / 2
        return LOW + (HIGH - LOW) * uniform


@dataclass(frozen=True)
class Two:
    """Two models, of the same confidences or of confidences of their own."""

    first: Model
    second: Model
    same: bool = False

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Pair, Pair]:
        """(confidence, correct) of each on the same n questions."""
        drawn, luck = rng.random((2, n)), rng.random((2, n))
        luck[1] = np.where(rng.random(n) < 0.5, luck[0], luck[1])
        if self.same:
            drawn[1] = drawn[0]
        sides = []
        for model, uniform, of in zip((self.first, self.second), drawn, luck, strict=True):
            c = model.confidences(uniform)
            sides.append((c, (of < c - model.over).astype(float)))
        return sides[0], sides[1]


NULLS = {
    "same confidences": Two(Model(), Model(), same=True),
    "both calibrated, one sharper": Two(Model(sharp=True), Model()),
    "both over-confident by .1, one sharper": Two(Model(0.1, sharp=True), Model(0.1)),
}
AT_MARGIN = {
    "0 against .02": Two(Model(), Model(0.02)),
    ".08 against .10": Two(Model(0.08), Model(0.1)),
}
EQUAL = {"0 and 0": Two(Model(), Model()), ".08 and .08": Two(Model(0.08), Model(0.08))}
APART = {
    "0 against .03": Two(Model(), Model(0.03)),
    ".08 against .11": Two(Model(0.08), Model(0.11)),
}


def rejections(two: Two, n: int, runs: int, name: str = "calibration error", seed: int = 0) -> int:
    """Of ``runs`` sets of n rows, how many show a difference (p < 0.05)."""
    rng = np.random.default_rng(seed)
    found = 0
    for number in range(runs):
        # p does not come of the resamples, but of jackknife and exchanges.
        test = paired_difference(METRICS[name], *two.rows(n, rng), n=2, seed=number)
        assert test.p is not None
        found += test.p < 0.05
    return found


def equivalences(
    two: Two, n: int, runs: int, name: str = "calibration error", seed: int = 0
) -> int:
    """Of ``runs`` sets of n rows, how many show equivalence (p < 0.05)."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(runs):
        test = paired_equivalence(METRICS[name], *two.rows(n, rng))
        assert test.p is not None
        found += test.p < 0.05
    return found


def shown_together(two: Two, n: int, runs: int, seed: int = 0) -> dict[str, int]:
    """Of ``runs`` sets of n rows, how many show each equivalence as a comparison does, with p
    corrected (Holm) for all three."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(METRICS, 0)
    for _ in range(runs):
        sides = two.rows(n, rng)
        ps = [paired_equivalence(metric, *sides).p for metric in METRICS.values()]
        for name, p in zip(METRICS, holm([1.0 if p is None else p for p in ps]), strict=True):
            found[name] += p < 0.05
    return found


def family(two: Two, n: int, seed: int = 1) -> dict[str, dict[str, Any]]:
    """The equivalences of one set of n rows, each with what it ``needs`` among the three."""
    sides, tests = two.rows(n, np.random.default_rng(seed)), {}
    for name, metric in METRICS.items():
        found, at = needs_at(metric, *sides, tests=len(METRICS))
        tests[name] = {**asdict(found), "needs_at": at}
    add_needs(list(tests.values()))
    return tests


def needed(two: Two, n: int, runs: int, seed: int = 0) -> list[int]:
    """Rows that ``runs`` sets of n rows say equivalent calibration errors need, quartiles."""
    rng = np.random.default_rng(seed)
    metric = METRICS["calibration error"]
    each = [paired_equivalence(metric, *two.rows(n, rng)).needs for _ in range(runs)]
    return [round(q) for q in np.quantile([x for x in each if x is not None], [0.25, 0.5, 0.75])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs

    def told(title: str, n: int, name: str, found: int) -> None:
        print(f"{title:42s} n {n:6,d}  {name:18s} {100 * found / runs:5.1f} %", flush=True)

    print("differences shown where there is none")
    for title, two in NULLS.items():
        for n in (200, 1000, 5000):
            told(title, n, "calibration error", rejections(two, n, runs))
        told(title, 400, "gap", rejections(two, 400, runs, "gap"))
    told(
        "same confidences", 400, "Brier", rejections(NULLS["same confidences"], 400, runs, "Brier")
    )
    print("equivalence shown at a true difference of the margin")
    for title, two in AT_MARGIN.items():
        for n in (1000, 5000, 20_000):
            told(title, n, "calibration error", equivalences(two, n, runs))
            told(title, n, "gap", equivalences(two, n, runs, "gap"))
    print("differences shown of a true difference of .03")
    for title, two in APART.items():
        for n in (1000, 5000, 10_000):
            told(title, n, "calibration error", rejections(two, n, runs))
    print("equivalence shown where there is no difference")
    for title, two in EQUAL.items():
        for n in (1000, 2000, 5000, 10_000, 20_000):
            for name in METRICS:
                told(title, n, name, equivalences(two, n, runs, name))
        for n in (1000, 5000):
            print(f"{title}: of n {n:,} rows, needed: {needed(two, n, runs)}")
    print(f"One standard error at 5 %: {100 * math.sqrt(0.05 * 0.95 / runs):.1f} points.")


if __name__ == "__main__":
    main()
