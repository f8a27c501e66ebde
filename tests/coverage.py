"""How often intervals and promises hold, by simulation: ``python -m tests.coverage --sets 2000``.

A population has confidences c = logistic of a normal, folded to [0.5, 1], and is right with
probability c ("calibrated") or c^1.3 ("over-confident"); clustered rows come in fours that share a
shift. Its true values are those of 800,000 rows. A cell counts on how many sets the interval holds
the population's value. The thresholds' cells count how often the promised risk is broken, the
costs' how often the bound of the cheapest is, and how often intervals of costs hold. Of drift,
alarms are counted where there is none and weeks until the alarm where there is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.calibrators.abstention import Threshold, abstention
from calib.calibrators.cost import Prices, cheapest_on, expected_cost
from calib.intervals import bootstrap
from calib.intervals.betting import Evidence

Floats = NDArray[np.float64]
TRUTH = 800_000
RESAMPLES = 500
METRICS = {
    name: getattr(metrics, name)
    for name in ("accuracy", "brier", "nll", "auroc", "aurc", "debiased_rmsce")
}


@dataclass(frozen=True)
class Population:
    exponent: float  # right with probability c ** exponent
    clustered: bool

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Confidence, correct and cluster of n rows, a multiple of four."""
        cluster = np.arange(n) // 4 if self.clustered else np.arange(n)
        shift = 0.7 * rng.normal(size=n)[cluster] if self.clustered else 0.0
        c = 1 / (1 + np.exp(-(rng.normal(1.5, 1.2, n) + shift)))
        c = np.maximum(c, 1 - c)
        return c, (rng.random(n) < c**self.exponent).astype(float), cluster.astype(float)


def coverage(name: str, population: Population, n: int, sets: int, seed: int = 0) -> float:
    """The share of ``sets`` intervals of n rows that hold the population's value of a metric."""
    rng = np.random.default_rng(seed)
    metric = METRICS[name]
    c, a, _ = population.rows(TRUTH, rng)
    true = metric(c, a)
    holds = 0
    for number in range(sets):
        c, a, cluster = population.rows(n, rng)
        found = bootstrap(metric, c, a, clusters=cluster, n=RESAMPLES, seed=number)
        assert found.low is not None and found.high is not None
        holds += found.low <= true <= found.high
    return holds / sets


@dataclass(frozen=True)
class Answers:
    """Confidences uniform in [0, 1], wrong with a probability that depends on them."""

    wrong: Callable[[Floats], Floats]
    risk: float

    def rows(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        c = rng.random(n)
        return c, (rng.random(n) >= self.wrong(c)).astype(float)

    def true_risk(self, threshold: float) -> float:
        return float(self.wrong(np.linspace(threshold, 1, 20_001)).mean())

    @property
    def best_coverage(self) -> float:
        """The largest share that can be answered at the promised risk."""
        at = np.linspace(0, 1, 1001)[:-1]
        return float(max((1 - t for t in at if self.true_risk(t) <= self.risk), default=0.0))


ABOVE = Answers(lambda c: np.full_like(c, 0.105), 0.10)
CROSSING = Answers(lambda c: np.where(c > 0.4, 0.03, 0.4), 0.10)


def promises(answers: Answers, n: int, sets: int, seed: int = 0) -> tuple[int, float]:
    """Promises broken in ``sets`` sets of n rows, and the mean share of answers given."""
    rng = np.random.default_rng(seed)
    broken, answered = 0, []
    for _ in range(sets):
        c, a = answers.rows(n, rng)
        found = abstention(c, a, risk=answers.risk)
        assert found is None or isinstance(found, Threshold)
        if found is not None:
            broken += answers.true_risk(found.value) > answers.risk
        answered.append(0.0 if found is None else 1 - found.value)
    return broken, float(np.mean(answered))


def broken_costs(prices: Prices, n: int, sets: int, seed: int = 0) -> tuple[int, int]:
    """Of ``sets`` sets of n rows, how often the bound of the cheapest threshold's cost at 0.05 is
    below its expected cost, and how often the cost on the half that judges it is."""
    rng = np.random.default_rng(seed)
    grid = np.linspace(0, 1, 20_001)
    wrong = 1 - grid**1.3
    bounds = means = 0
    for _ in range(sets):
        c = rng.random(n)
        a = (rng.random(n) < c**1.3).astype(float)
        value = cheapest_on(c[: n // 2], a[: n // 2], prices)
        costs = prices.of(c[n // 2 :], a[n // 2 :], value)
        answered = prices.right + (prices.wrong - prices.right) * wrong
        true = float(np.where(grid >= value, answered, prices.abstain).mean())
        bounds += true > prices.bound(costs, 0.05)
        means += true > costs.mean()
    return bounds, means


def held_costs(
    prices: Prices, wrong: float, n: int, sets: int, clustered: bool = False, seed: int = 0
) -> dict[str, float]:
    """The share of ``sets`` sets of n rows on which intervals of costs hold what is expected.

    Every answer is wrong with the same probability; clustered rows come in fours that are alike.
    Of the threshold with 6 % answered, of answering everything, and of the cheapest: its cost, and
    that minus the cost of answering nothing.
    """
    rng = np.random.default_rng(seed)
    given = prices.right + (prices.wrong - prices.right) * wrong
    held: dict[str, list[bool]] = {}
    for number in range(sets):
        size = n // 4 if clustered else n
        c, a = rng.random(size), (rng.random(size) >= wrong).astype(float)
        alike = np.repeat(np.arange(size), 4 if clustered else 1)
        found = expected_cost(
            c[alike],
            a[alike],
            wrong=prices.wrong,
            abstain=prices.abstain,
            right=prices.right,
            clusters=alike,
            n=RESAMPLES,
            seed=number,
        )
        few, every, best = found.thresholds[3], found.thresholds[-1], found.cheapest
        assert best is not None

        def expected(value: float) -> float:
            coverage = 1 - min(value, 1.0)
            return coverage * given + (1 - coverage) * prices.abstain

        for name, interval, true in (
            ("6 % answered", few.cost, expected(few.value)),
            ("everything", every.cost, given),
            ("cheapest", best.cost, expected(best.value)),
            ("over nothing", best.over_abstaining, expected(best.value) - prices.abstain),
        ):
            if interval.low is not None and interval.high is not None:
                rounding = 1e-9 * prices.wrong
                low, high = interval.low - rounding, interval.high + rounding
                held.setdefault(name, []).append(low <= true <= high)
    return {name: sum(each) / len(each) for name, each in held.items()}


Right = Callable[[Floats, int], Floats]
"""Confidences and the number of their week to the probabilities of being right."""
MARGIN = 0.02
NULLS: dict[str, Right] = {
    "calibrated": lambda c, week: c,
    "over-confident by the margin": lambda c, week: c - MARGIN,
    "under-confident by the margin": lambda c, week: c + MARGIN,
    "by the margin, in turns": lambda c, week: c + MARGIN * (-1) ** week,
    "wrong both ways": lambda c, week: np.where(c > 0.7125, c - 0.2, c + 0.2),  # c: 0.475 to 0.95
}


def weeks_to_alarm(
    right: Right, weeks: int, week_size: int, sets: int, seed: int = 0
) -> list[float]:
    """Of each of ``sets`` streams the week, from 1, at whose end the alarm is raised; or inf."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(sets):
        evidence, alarm = Evidence(MARGIN), math.inf
        for week in range(weeks):
            c = rng.uniform(0.475, 0.95, week_size)
            evidence = evidence.after((rng.random(week_size) < right(c, week)) - c)
            if evidence.value >= 20:
                alarm = week + 1
                break
        found.append(alarm)
    return found


def over(size: float, since: int) -> Right:
    """Over-confident by ``size`` from week ``since``, from 0, on."""
    return lambda c, week: c - size * (week >= since)


def drifts(sets: int) -> None:
    for name, right in NULLS.items():
        alarms = sum(week < math.inf for week in weeks_to_alarm(right, 52, 200, sets))
        print(f"drift, {name}: {alarms} false alarms in {sets} years of 52 weeks of 200 outcomes")
    print("drift of  since week  outcomes a week  weeks until the alarm: half, nine tenths")
    for size in (0.05, 0.10, 0.15):
        for since in (0, 20):
            for week_size in (100, 400):
                weeks = weeks_to_alarm(over(size, since), since + 80, week_size, sets)
                half, most = np.quantile(weeks, [0.5, 0.9], method="higher") - since
                print(f"{size:8.2f}  {since + 1:10d}  {week_size:15d}  {half:4.0f} {most:4.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    print("metric          rows  rows stand  calibrated  over-confident   (share of intervals)")
    for name in METRICS:
        for n in (200, 2000):
            for clustered in (False, True):
                cells = [
                    coverage(name, Population(exponent, clustered), n, sets)
                    for exponent in (1.0, 1.3)
                ]
                how = "in fours" if clustered else "alone"
                told = "  ".join(f"{100 * cell:9.1f} %" for cell in cells)
                print(f"{name:15s} {n:4d}  {how:10s} {told}", flush=True)
    error = 100 * math.sqrt(0.05 * 0.95 / sets)
    print(f"One standard error of a cell at 95 %: {error:.1f} points.")
    for title, answers in (("just above the promise", ABOVE), ("crossing it", CROSSING)):
        broken, answered = promises(answers, 1000, sets)
        best = f", {answered / answers.best_coverage:.0%} of the best" if answered > 0.1 else ""
        print(f"risk {title}: {broken} of {sets} promises broken, {answered:.1%} answered{best}")
    bounds, means = broken_costs(Prices(wrong=4.0, abstain=1.0, right=0.0), 400, sets)
    print(f"cost: {bounds} of {sets} bounds broken; below the expected cost: {means} means")
    for wrong in (0.01, 0.05, 0.3):
        for clustered in (False, True):
            held = held_costs(Prices(100.0, 1.0, 0.0), wrong, 200, sets, clustered)
            told = ", ".join(f"{name} {share:.1%}" for name, share in held.items())
            print(f"intervals of cost, {wrong:.0%} wrong{', alike in fours' * clustered}: {told}")
    drifts(sets)


if __name__ == "__main__":
    main()
