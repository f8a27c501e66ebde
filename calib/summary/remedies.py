"""Remedies for miscalibration, judged on questions that were not used to choose them.

One seeded split by cluster (all questions about one image stay on one side): the temperature is
fitted on the first half and judged on the second, the held-out half. A threshold needs no split:
it comes with a promise about new questions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.abstention import Threshold, abstention
from calib.calibrators.facts import HOLDS, made_for
from calib.calibrators.grouped import GroupedTemperature
from calib.calibrators.temperature import DegenerateTemperatureWarning, TemperatureScaling, softmax
from calib.intervals import holm, paired_difference
from calib.intervals.clusters import split as split
from calib.records import CalibError, InputError
from calib.runs import Run, open_run
from calib.runs.config import checked
from calib.summary.by_type import by_types, fit_by_type, is_typed
from calib.summary.curves import diagram, quantiles
from calib.summary.rows import Floats, Row, Scored, collect
from calib.summary.table import RESAMPLES, Spec, measure, specs

Rows = NDArray[np.int64]
Fitted = TemperatureScaling | GroupedTemperature

LEAST_QUESTIONS = 50
"""A run of fewer questions is given no temperature: its interval spans a factor of two and more."""
SHOWN = (
    "ece", "mce", "debiased_rmsce", "brier", "brier_confidence", "nll", "accuracy", "confidence",
)  # fmt: skip
TESTED = ("debiased_rmsce", "brier", "brier_confidence", "nll")
"""The errors that a temperature is to lower: after is tested against before."""

SQUARED = "the debiased squared calibration error"
"""The label of a difference of ``debiased_rmsce``, which is one of squared errors."""

TARGETS = (0.80, 0.90, 0.95, 0.99)
DELTA = 0.05
"""The probability with which a promised accuracy may fail."""


def kept_because(scored: Scored, fit: Rows) -> str | None:
    """Why no temperature is fitted, so that 1 is kept; None where one can be fitted."""
    if len(scored) < LEAST_QUESTIONS:
        return f"fewer than {LEAST_QUESTIONS} questions are scored ({len(scored)})"
    if len(fit) == 0:
        return "all questions are one cluster, of which no half can be held out"
    if "options" not in scored.has:
        certain = int((scored.confidence == ~scored.correct).sum())
        if certain:
            return (
                f"{certain} wrong answers have the confidence 1, or right ones 0, which no "
                "temperature changes"
            )
    right = int(scored.correct[fit].sum())
    if right in (0, len(fit)):
        return f"all {len(fit)} answers to fit to are {'right' if right else 'wrong'}"
    return None


def temperature(
    scored: Scored, fit: Rows, held_out: Rows, bins: int, seed: int
) -> dict[str, Any] | None:
    """Before and after on the held-out half; None where T stays 1 or a half is empty."""
    if kept_because(scored, fit) is not None:
        return None
    fitted = fit_on(scored, fit)
    if fitted is None or len(held_out) == 0:
        return None
    how = {"split": f"half of the clusters, seed {seed}", "lost": lost(scored.take(fit))}
    return {**before_and_after(fitted, scored.take(held_out), bins, seed), **how}


def before_and_after(fitted: Fitted, scored: Scored, bins: int, seed: int) -> dict[str, Any]:
    """What a fitted temperature does to questions it was not fitted on.

    A temperature divides the options' log-probabilities. So before and after are the confidence
    among the options, even where the run records the one over the vocabulary.
    """
    at: float | Floats
    if isinstance(fitted, GroupedTemperature):
        one, at = TemperatureScaling(), fitted.temperatures_of(scored.group.tolist())[:, None]
    else:
        one, at = fitted, fitted.temperature_
    before, after = rescaled(scored, 1.0), rescaled(scored, at)
    if not np.array_equal(before.correct, after.correct):
        raise ArithmeticError("a temperature changed an answer, which dividing by it cannot do")
    chosen = [spec for spec in specs(bins, scored.has) if spec.name in SHOWN]
    first, second = measure(before, chosen, seed), measure(after, chosen, seed)
    return {
        "value": fitted.temperature_,
        "low": one.low_,
        "high": one.high_,
        "method": one.method,
        "degenerate": one.degenerate_,
        "reason": one.reason_,
        "confidence": scored.scores,
        "n_fit": fitted.n_fit_,
        "n_judged": len(scored),
        "accuracy_unchanged": True,
        "metrics": {
            name: {"label": first[name]["label"], "before": first[name], "after": second[name]}
            for name in SHOWN
            if name in first
        },
        "tests": tests_of(before, after, chosen, seed),
        "before": diagram(before, bins),
        "after": diagram(after, bins),
        "before_quantiles": quantiles(before),
        "after_quantiles": quantiles(after),
    }


def tests_of(
    before: Scored,
    after: Scored,
    chosen: Sequence[Spec],
    seed: int,
    tested: Sequence[str] = TESTED,
) -> dict[str, dict[str, Any]]:
    """After minus before of each metric in ``tested``, p corrected for their number (Holm)."""
    tests: dict[str, dict[str, Any]] = {}
    for spec in chosen:
        if spec.name not in tested or len(np.unique(before.cluster)) < 2:
            continue
        (first, right, *_), (second, right_before, *_) = spec.arrays(after), spec.arrays(before)
        difference = paired_difference(
            spec.function,
            (first, right),
            (second, right_before),
            clusters=before.cluster,
            n=RESAMPLES,
            seed=seed,
        )
        squared = spec.name == "debiased_rmsce"
        tests[spec.name] = {"label": SQUARED if squared else spec.label, **asdict(difference)}
    ps = [1.0 if test["p"] is None else test["p"] for test in tests.values()]
    for test, corrected in zip(tests.values(), holm(ps), strict=True):
        test["holm"] = corrected
    return tests


def lost(scored: Scored) -> int:
    """Questions whose right option has the probability 0, to which no temperature can be fitted."""
    return int((~np.isfinite(scored.logprob[np.arange(len(scored)), scored.answer])).sum())


def tell_lost(scored: Scored) -> None:
    """Warn of them."""
    if number := lost(scored):
        warnings.warn(
            f"{number:,} of the {len(scored):,} questions to fit to give their right option the "
            "probability 0, which no temperature changes: they are not fitted to, and T is that "
            "of the others",
            stacklevel=2,
        )


def fit_on(scored: Scored, rows: Rows, method: str = "exact") -> TemperatureScaling | None:
    """The temperature fitted on some rows; a degenerate fit says so in its fields, unwarned."""
    usable = rows[np.isfinite(scored.logprob[rows, scored.answer[rows]])]
    if len(usable) == 0 or scored.logprob.shape[1] < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateTemperatureWarning)
        return TemperatureScaling(method=method).fit(
            scored.logprob[usable], scored.answer[usable], clusters=scored.cluster[usable]
        )


def rescaled(scored: Scored, temperature: float | Floats) -> Scored:
    """The rows as they would be at a temperature, or at those of rows (N, 1): confidence among the
    options.

    Without options, a temperature divides the log-odds of the confidence.
    """
    logits = scored.logprob / temperature
    if "options" not in scored.has:
        return replace(scored, logprob=logits, confidence=softmax(logits)[:, 0])
    return replace(
        scored,
        logprob=logits,
        confidence=softmax(logits).max(axis=1),
        correct=logits.argmax(axis=1) == scored.answer,
        vocabulary=False,
    )


def abstain(scored: Scored, seed: int) -> dict[str, Any]:
    """The confidence to ask for, per promised accuracy, by ``calib.abstention`` on all questions.

    ``utility`` is the mean over questions of +1 for a right answer, -``cost`` for a wrong one and 0
    for none; at that cost, answering with exactly the promised accuracy is worth nothing.
    ``utility_all`` is the utility of answering every question.
    """
    rows: list[dict[str, Any]] = []
    for target in TARGETS:
        cost = target / (1 - target)
        threshold = abstention(
            scored.confidence,
            scored.correct,
            risk=1 - target,
            delta=DELTA,
            clusters=scored.cluster,
            seed=seed,
        )
        # Only ``groups`` would give a dict.
        assert threshold is None or isinstance(threshold, Threshold)
        row = {"target": target, "cost": cost, "utility_all": utility(scored, 0.0, cost)}
        rows.append(row | ({"threshold": None} if threshold is None else numbers(threshold)))
        if threshold is not None:
            rows[-1]["utility"] = utility(scored, threshold.value, cost)
    return {"n": len(np.unique(scored.cluster)), "delta": DELTA, "rows": rows}


def numbers(threshold: Threshold) -> dict[str, Any]:
    return {
        "threshold": threshold.value,
        "coverage": threshold.coverage,
        "risk": threshold.risk,
        "bound": threshold.bound,
    }


def utility(scored: Scored, threshold: float, cost: float) -> float:
    worth = np.where(scored.correct, 1.0, -cost)
    return float(np.where(scored.confidence >= threshold, worth, 0.0).mean())


def unfitted(method: str, reason: str) -> TemperatureScaling:
    """The temperature 1, with the reason why none was fitted."""
    scaling = TemperatureScaling(method=method)
    scaling.temperature_, scaling.degenerate_ = 1.0, True
    scaling.reason_ = f"T = 1 is kept: {reason}"
    return scaling


def question_of(row: Row) -> tuple[str, str, tuple[str, ...]]:
    """What two rows have in common that are one question: id, text and options."""
    return str(row["id"]), row.get("question", ""), tuple(row.get("options", ()))


def refuse_shared(run: Run, other: Run, rows: Sequence[Row], others: Sequence[Row]) -> None:
    """InputError where questions of ``run``, which is fitted to, are judged in ``other``.

    Ids that say no more than a row's number in its file do not make questions the same.
    """
    same_file = run.config.get("digest") == other.config.get("digest")
    if run.config.get("numbered") and not same_file:
        return

    shared = set(map(question_of, rows)) & set(map(question_of, others))
    if shared:
        raise InputError(
            f"{other.path}: {len(shared):,} of its {len(others):,} questions are those of "
            f"{run.path}, which is fitted to; judge on others, leave --evaluate out to judge on "
            "questions of the run itself, or insist with --in_sample"
        )


def fit_runs(
    run: Path, evaluate: Path | None, *, method: str, seed: int, in_sample: bool = False
) -> tuple[Fitted, dict[str, Any]]:
    """Fit on one run and judge on another, or fit on half of a run and judge on its other half.

    Returns the fit, and what ``before_and_after`` says of it with the facts of both runs. In a
    prompt form of questions that have a type, each type has a temperature. Raises InputError where
    the two runs share questions, unless ``in_sample`` is set.
    """
    seed = checked("seed", seed)
    opened = open_run(run, "calib fit")
    scored, rows, _ = collect(opened.rows(), vocabulary=False, of=run)
    typed = is_typed(opened, method)
    if typed:
        scored = by_types(scored, rows, run)
    fit_rows, held_out_rows = split(scored.cluster, seed)
    facts: dict[str, Any] = {"fitted on": dict(opened.config)}
    held_out = scored.take(held_out_rows)
    if evaluate is not None:
        other = open_run(evaluate, "calib fit")
        facts["judged on"] = dict(other.config)
        held_out, others, _ = collect(other.rows(), vocabulary=False, of=evaluate)
        if scored.scores != held_out.scores:
            raise InputError(
                f"{evaluate}: it holds {HOLDS[held_out.scores]}, and {run} {HOLDS[scored.scores]}: "
                "a temperature of the one is none of the other"
            )
        common = scored.has & held_out.has
        scored, held_out = scored.only(common), held_out.only(common)
        if not in_sample:
            refuse_shared(opened, other, rows, others)
        if typed:
            held_out = by_types(held_out, others, evaluate)
        fit_rows = np.arange(len(scored))
    facts["made for"] = made_for(
        opened.config, [rows[row]["id"] for row in fit_rows], scored.scores
    )
    reason = kept_because(scored, fit_rows)
    tell_lost(scored.take(fit_rows))
    fitted: Fitted | None = (
        fit_on(scored, fit_rows, method) if reason is None else unfitted(method, reason)
    )
    if typed and isinstance(fitted, TemperatureScaling) and not fitted.degenerate_:
        fitted = fit_by_type(scored, fit_rows)
    if fitted is None or len(held_out) == 0:
        raise CalibError(
            f"{run}: too few questions to fit a temperature on some and judge it on others"
        )
    how = f"half of the clusters, seed {seed}" if evaluate is None else str(evaluate)
    if evaluate is not None and in_sample:
        how += ", in sample: questions may be those it was fitted on"
    bins = int(opened.config.get("bins") or 15)
    return fitted, {**before_and_after(fitted, held_out, bins, seed), "split": how, "facts": facts}
