"""Does the best temperature depend on the training stage (Q1)?

The temperature of each run is fitted to all of its questions, for its own value, and to halves, for
what it does (the transfers). Two temperatures of the same questions are compared by the difference
of their logarithms; its error is that of a delete-a-group jackknife over clusters (Kott, "The
delete-a-group jackknife", Journal of Official Statistics 17, 2001), t with groups - 1 degrees of
freedom; p corrected over all pairs (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calib.studies.findings import elsewhere
from calib.studies.findings.found import (
    OPEN,
    SHOWN,
    Column,
    Conclusion,
    Figure,
    Found,
    Table,
)
from calib.studies.findings.outcome import SCORED, Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign
from calib.summary.compare import aligned
from calib.summary.remedies import fit_on, kept_because
from calib.summary.rows import Scored

GROUPS = 40
"""Groups of clusters that the jackknife leaves out, one by one."""


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    runs = of_kind(outcomes, *SCORED)
    tests = corrected(tested(runs, seed))
    moved = elsewhere.find(outcomes, {}, seed)
    fitted = temperatures(runs)
    return Found(
        [conclusion(test) for test in tests],
        [fitted, differences(tests), *moved.tables[:1]],
        [forest(fitted), *moved.figures],
        moved.cautions,
    )


def tested(runs: Sequence[Outcome], seed: int) -> list[dict[str, Any]]:
    """The differences of ln T of every two runs of one task."""
    tests = []
    for task in dict.fromkeys(run.task for run in runs):
        own = [run for run in runs if run.task == task]
        for first, second in combinations(own, 2):
            (one, other), _ = aligned([first.run, second.run])
            if found := log_ratio(one.scored, other.scored, seed):
                tests.append({**found, "of": f"{task}: {second.model} against {first.model}"})
    return tests


def log_ratio(first: Scored, second: Scored, seed: int) -> dict[str, Any] | None:
    """ln of the second temperature over the first's, on the same questions in the same order; None
    where either is undetermined."""
    every = np.arange(len(first))
    whole = log_temperature(first, every), log_temperature(second, every)
    if not all(map(math.isfinite, whole)):
        return None
    names = np.random.default_rng(seed).permutation(np.unique(first.cluster))
    groups = np.array_split(names, min(GROUPS, len(names)))
    if len(groups) < 3:
        return None
    left_out = []
    for group in groups:
        kept = np.flatnonzero(~np.isin(first.cluster, group))
        left_out.append(log_temperature(second, kept) - log_temperature(first, kept))
    if not all(map(math.isfinite, left_out)):
        return None
    value, number = whole[1] - whole[0], len(groups)
    error = math.sqrt((number - 1) / number * sum((each - value) ** 2 for each in left_out))
    if error == 0:
        return {"value": value, "low": value, "high": value, "p": None if value else 1.0}
    reach = float(stats.t.ppf(0.975, number - 1)) * error
    p = 2 * float(stats.t.sf(abs(value) / error, number - 1))
    return {"value": value, "low": value - reach, "high": value + reach, "p": p}


def log_temperature(scored: Scored, rows: NDArray[np.int64]) -> float:
    """ln T fitted to some rows; NaN where they determine none."""
    if kept_because(scored, rows) is not None:
        return math.nan
    fitted = fit_on(scored, rows)
    if fitted is None or fitted.degenerate_:
        return math.nan
    return math.log(fitted.temperature_)


def conclusion(test: Test) -> Conclusion:
    found = sign(test)
    needs = {1: "needs a higher temperature", -1: "needs a lower temperature"}
    told = needs.get(found, "is not shown to need another temperature")
    tail = f" ({said(test)})" if found else ""
    return Conclusion(test["of"], SHOWN if found else OPEN, f"{test['of']}: it {told}{tail}.")


def temperatures(runs: Sequence[Outcome]) -> Table:
    rows = []
    for run in runs:
        every = np.arange(len(run.scored))
        why = kept_because(run.scored, every)
        fitted = None if why else fit_on(run.scored, every)
        known = fitted is not None and not fitted.degenerate_
        span = [fitted.temperature_, fitted.low_, fitted.high_] if fitted and known else [None] * 3
        reason = why or (fitted.reason_ if fitted and not known else None) or ""
        before = run.results["metrics"]["ece"]
        held_out = run.results["temperature"]
        after = held_out["metrics"]["ece"]["after"]["value"] if held_out else None
        half = held_out["metrics"]["ece"]["before"]["value"] if held_out else None
        rows.append([run.name, len(run.scored), span, before["value"], half, after, reason])
    return Table(
        "temperatures",
        "The best temperature of every run",
        [
            Column("run"),
            Column("n", "count"),
            Column("temperature", "interval"),
            Column("ECE", "fixed"),
            Column("ECE, held-out half", "fixed"),
            Column("at the other half's temperature", "fixed"),
            Column("why there is none"),
        ],
        rows,
        "Below 1 the model is under-confident. Bounds allow for clusters.",
    )


def differences(tests: Sequence[Test]) -> Table:
    return Table(
        "log-ratios",
        "Do temperatures differ?",
        [Column("of the same questions"), *TESTED],
        [[test["of"], *cells(test)] for test in tests],
        "Differences of ln T, by a delete-a-group jackknife over clusters.",
    )


def forest(fitted: Table) -> Figure:
    rows = [row for row in fitted.rows if row[2][0] is not None]
    return Figure(
        "forest",
        "The best temperature",
        "With 95 % bounds; at 1 nothing is to be scaled.",
        {"rows": [[row[0], *row[2]] for row in rows], "unit": "fixed", "zero": 1.0},
    )
