"""What can be done about it, judged on questions that were not used to choose it.

One seeded split by cluster (all questions about one image stay on one side): the temperature is
fitted and the abstention thresholds are chosen on the first half, both are judged on the second.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.fit import DegenerateTemperatureWarning, TemperatureScaling, softmax
from calib.intervals import wilson
from calib.records import CalibError
from calib.runs import open_run
from calib.summary.curves import diagram
from calib.summary.rows import Scored, collect
from calib.summary.table import measure, specs

Rows = NDArray[np.int64]

TARGETS = (0.80, 0.90, 0.95, 0.99)
LEAST_ANSWERED = 20
"""A threshold that leaves fewer answers than this on the choosing half is luck: not offered."""
JUDGED = ("ece", "mce", "brier", "nll", "accuracy", "confidence")


def split(cluster: NDArray[np.int64], seed: int) -> tuple[Rows, Rows]:
    """Row numbers of the fitting and the judging half; no cluster is on both sides."""
    names = np.unique(cluster)
    order = np.random.default_rng(seed).permutation(names)
    first = np.isin(cluster, order[: len(names) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


def temperature(
    scored: Scored, fit: Rows, judge: Rows, bins: int, seed: int
) -> dict[str, Any] | None:
    """Before and after on the judged half; None where a half is empty."""
    fitted = fit_on(scored, fit)
    if fitted is None or len(judge) == 0:
        return None
    how = {"split": f"half of the clusters, seed {seed}"}
    return {**judged(fitted, scored.take(judge), bins, seed), **how}


def judged(fitted: TemperatureScaling, scored: Scored, bins: int, seed: int) -> dict[str, Any]:
    """What a fitted temperature does to questions it was not fitted on.

    It acts on the options' log-probabilities, so both sides of the comparison use the confidence
    among the options, whichever confidence the run itself records.
    """
    before, after = rescaled(scored, 1.0), rescaled(scored, fitted.temperature_)
    if not np.array_equal(before.correct, after.correct):
        raise ArithmeticError("a temperature changed an answer, which dividing by it cannot do")
    chosen = [spec for spec in specs(bins) if spec.name in JUDGED]
    first, second = measure(before, chosen, seed), measure(after, chosen, seed)
    return {
        "value": fitted.temperature_,
        "method": fitted.method,
        "degenerate": fitted.degenerate_,
        "reason": fitted.reason_,
        "confidence": "options",
        "n_fit": fitted.n_fit_,
        "n_judged": len(scored),
        "accuracy_unchanged": True,
        "metrics": {
            name: {"label": first[name]["label"], "before": first[name], "after": second[name]}
            for name in JUDGED
        },
        "before": diagram(before, bins),
        "after": diagram(after, bins),
    }


def fit_on(scored: Scored, rows: Rows, method: str = "exact") -> TemperatureScaling | None:
    """The temperature of some rows; degenerate fits are told by their fields, not by a warning."""
    usable = rows[np.isfinite(scored.logprob[rows, scored.answer[rows]])]
    if len(usable) == 0 or scored.logprob.shape[1] < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateTemperatureWarning)
        return TemperatureScaling(method=method).fit(scored.logprob[usable], scored.answer[usable])


def rescaled(scored: Scored, temperature: float) -> Scored:
    """The rows as they would be at a temperature: confidence among the options."""
    logits = scored.logprob / temperature
    return replace(
        scored,
        logprob=logits,
        confidence=softmax(logits).max(axis=1),
        correct=logits.argmax(axis=1) == scored.answer,
        vocabulary=False,
    )


def abstain(scored: Scored, choose: Rows, judge: Rows) -> dict[str, Any] | None:
    """The confidence to ask for, per wanted accuracy, and what it gives on the other half."""
    if len(choose) == 0 or len(judge) == 0:
        return None
    rows = []
    for target in TARGETS:
        threshold = lowest_threshold(scored.confidence[choose], scored.correct[choose], target)
        if threshold is None:
            rows.append({"target": target, "threshold": None})
            continue
        answered = scored.confidence[judge] >= threshold
        right, n = int(scored.correct[judge][answered].sum()), int(answered.sum())
        low, high = wilson(right, n) if n else (math.nan, math.nan)
        rows.append(
            {
                "target": target,
                "threshold": threshold,
                "n": n,
                "coverage": n / len(judge),
                "accuracy": right / n if n else math.nan,
                "low": low,
                "high": high,
            }
        )
    return {"n_choose": len(choose), "n_judged": len(judge), "rows": rows}


def lowest_threshold(
    confidence: NDArray[Any], correct: NDArray[Any], target: float
) -> float | None:
    """The lowest confidence above which the answers are right with the target share."""
    order = np.argsort(-confidence, kind="stable")
    ranked, right = confidence[order], np.cumsum(correct[order])
    answered = np.arange(1, len(order) + 1)
    # Equal confidences are answered together, so only the last of them is a threshold.
    last = np.append(ranked[1:] != ranked[:-1], True)
    reached = last & (answered >= LEAST_ANSWERED) & (right >= target * answered)
    return float(ranked[np.flatnonzero(reached)[-1]]) if reached.any() else None


def fit_runs(
    run: Path, evaluate: Path | None, *, method: str, seed: int
) -> tuple[TemperatureScaling, dict[str, Any]]:
    """Fit on one run and judge on another, or fit on half of a run and judge on its other half.

    Returns the fit and what ``temperature`` returns, with the facts of both runs.
    """
    opened = open_run(run)
    scored, _, _ = collect(opened.rows(), vocabulary=False)
    fit_rows, judge_rows = split(scored.cluster, seed)
    facts: dict[str, Any] = {"fitted on": dict(opened.config)}
    judged_rows = scored.take(judge_rows)
    if evaluate is not None:
        other = open_run(evaluate)
        facts["judged on"] = dict(other.config)
        judged_rows, _, _ = collect(other.rows(), vocabulary=False)
        fit_rows = np.arange(len(scored))
    fitted = fit_on(scored, fit_rows, method)
    if fitted is None or len(judged_rows) == 0:
        raise CalibError(
            f"{run}: too few questions to fit a temperature on some and judge it on others"
        )
    how = f"half of the clusters, seed {seed}" if evaluate is None else str(evaluate)
    bins = int(opened.config.get("bins") or 15)
    return fitted, {**judged(fitted, judged_rows, bins, seed), "split": how, "facts": facts}
