"""Every metric of a report: value, interval, expectation and p under perfect calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import intervals, metrics
from calib.summary.rows import EVERYTHING, Scored

RESAMPLES = 1000
LEAST_P = 1 / (RESAMPLES + 1)
"""The smallest p that ``RESAMPLES`` redraws can give."""
Pair = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Spec:
    """One metric: its function of two arrays, which arrays of the rows, and what it means."""

    name: str
    label: str
    convention: str
    function: Callable[..., float]
    arrays: Callable[[Scored], tuple[NDArray[Any], ...]]  # the third, where given: offered
    null: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    needs: str | None = None  # what of ``EVERYTHING`` the records must say
    instead: str | None = None  # what they must not say


def specs(bins: int, has: frozenset[str] = EVERYTHING) -> list[Spec]:
    """The metrics of records that say what ``has`` names, in reading order."""
    every = [*plain(), *binned(bins), classwise(bins), *proper_and_ranking()]
    return [
        spec
        for spec in every
        if (spec.needs is None or spec.needs in has) and spec.instead not in has
    ]


def plain() -> list[Spec]:
    def share(
        name: str,
        label: str,
        convention: str,
        of: Callable[[Scored], Any],
        needs: str | None = None,
    ) -> Spec:
        def arrays(r: Scored) -> Pair:
            return np.asarray(of(r), float), r.correct

        return Spec(name, label, convention, mean, arrays, needs=needs)

    return [
        share("accuracy", "accuracy", "right / scored", lambda r: r.correct),
        share("confidence", "mean confidence", "mean over scored", lambda r: r.confidence),
        share(
            "gap",
            "confidence − accuracy",
            "above 0: over-confident",
            lambda r: r.confidence - r.correct,
        ),
        share(
            "parse_rate",
            "parse rate",
            "the likeliest token of all was an option",
            lambda r: r.parsed,
            "parsed",
        ),
        share(
            "mass", "option mass", "probability of all options together", lambda r: r.mass, "mass"
        ),
        share(
            "tie_rate",
            "tie rate",
            "two best options equal; the first taken",
            Scored.ties,
            "options",
        ),
    ]


def binned(bins: int) -> list[Spec]:
    """Binned errors of the answer's confidence; all know their value under perfect calibration."""
    gap = "|accuracy − confidence|"
    equal = f"{bins} bins of equal width, [a, b), the last closed"
    width = {"bins": bins, "closed": "left", "strategy": "width"}
    mass = {"bins": bins, "strategy": "mass"}
    rows: list[tuple[str, str, str, Callable[..., float], dict[str, Any]]] = [
        ("ece", "ECE", f"Σ n_b/n · {gap}; {equal}", metrics.ece, {**width, "norm": "l1"}),
        (
            "ece_mass",
            "ECE, equal mass",
            f"Σ n_b/n · {gap}; {bins} bins of equal count",
            metrics.ece,
            {**mass, "norm": "l1"},
        ),
        ("mce", "MCE", f"largest {gap}; {equal}", metrics.mce, {**width, "norm": "max"}),
        ("rmsce", "RMSCE", f"√(Σ n_b/n · {gap}²); {equal}", metrics.rmsce, {**width, "norm": "l2"}),
        (
            "debiased_rmsce",
            "RMSCE, debiased",
            f"√(Σ n_b/n · (gap² − acc(1 − acc)/(n_b − 1))), not below 0; {equal}",
            metrics.debiased_rmsce,
            {**width, "norm": "l2", "debiased": True},
        ),
        (
            "ence",
            "ENCE, confidence",
            f"mean over bins of {gap} / confidence; {equal}",
            metrics.ence,
            {**width, "kind": "confidence"},
        ),
        (
            "ence_bernoulli",
            "ENCE, Bernoulli",
            f"mean over bins of |RMSE − RMV| / RMV, std = √(c(1−c)); {bins} bins of equal width "
            "over the std",
            metrics.ence,
            {**width, "kind": "bernoulli"},
        ),
        (
            "ace",
            "ACE",
            f"mean {gap} over {bins} bins of equal count, unweighted",
            metrics.ace,
            mass,
        ),
        (
            "smooth_ece",
            "smooth ECE",
            "reflected Gaussian kernel, bandwidth by fixed point; no bins",
            metrics.smooth_ece,
            {},
        ),
        ("ks", "KS", "largest |Σ (right − confidence)| / n by confidence; no bins", metrics.ks, {}),
    ]

    def bound(function: Callable[..., float], facts: Mapping[str, Any]) -> Callable[..., float]:
        takes = signature(function).parameters
        return partial(function, **{name: v for name, v in facts.items() if name in takes})

    return [
        Spec(
            name,
            label,
            convention,
            bound(function, facts),
            lambda r: (r.confidence, r.correct),
            function is not metrics.debiased_rmsce,
            facts,
        )
        for name, label, convention, function, facts in rows
    ]


def classwise(bins: int) -> Spec:
    """Binned error of every answer's probability, over the questions that offer the answer."""

    def by_class(r: Scored) -> tuple[NDArray[Any], ...]:
        names = np.unique(r.classes[r.classes >= 0])
        rows, columns = np.nonzero(r.classes >= 0)
        column = np.searchsorted(names, r.classes[rows, columns])
        p, offered = np.zeros((2, len(r), len(names)))
        p[rows, column] = r.probabilities()[rows, columns]
        offered[rows, column] = 1
        gold = np.searchsorted(names, r.classes[np.arange(len(r)), r.answer])
        return p, gold, offered.astype(bool)

    return Spec(
        "classwise_ece",
        "classwise ECE",
        f"mean over answers of the ECE of their probability, where offered; {bins} bins of equal "
        "width, [a, b), the last closed",
        partial(metrics.classwise_ece, bins=bins),
        by_class,
        facts={"bins": bins, "closed": "left", "strategy": "width", "norm": "l1"},
        needs="options",
    )


def proper_and_ranking() -> list[Spec]:
    def top(r: Scored) -> Pair:
        return r.confidence, r.correct

    def options(r: Scored) -> Pair:
        return r.probabilities(), r.answer

    return [
        Spec(
            "brier",
            "Brier",
            "Σ over options of (p − [right])², not halved",
            metrics.brier,
            options,
            needs="options",
        ),
        Spec(
            "nll",
            "NLL",
            "mean −ln p of the right option, nats",
            metrics.nll,
            options,
            needs="options",
        ),
        Spec(
            "brier_confidence",
            "Brier, confidence",
            "mean of (confidence − [right])²",
            metrics.brier,
            top,
            instead="options",
        ),
        Spec("auroc", "AUROC", "a right answer is surer than a wrong one", metrics.auroc, top),
        Spec("aurc", "AURC", "mean error rate over all coverages", metrics.aurc, top),
    ]


mean = intervals.mean_of(lambda values, _: np.asarray(values, float))


def measure(scored: Scored, chosen: Sequence[Spec], seed: int) -> dict[str, dict[str, Any]]:
    """One entry of results.json per metric: its interval, and its value if calibrated.

    A metric that does not exist on these rows (answers of one kind only) has the value None, and
    its convention says why. All metrics share their resamples and redraws.
    """
    functions, cases, missing = {}, {}, {}
    for spec in chosen:
        first, second, *offered = spec.arrays(scored)
        function = partial(spec.function, offered=offered[0]) if offered else spec.function
        try:
            function(first, second)
        except ValueError as reason:
            missing[spec.name] = f"not defined here ({reason})"
            continue
        functions[spec.name], cases[spec.name] = spec.function, (function, first, second)
    bounds = intervals_of(cases, scored, seed)
    nulls = intervals.all_under_calibration(
        {spec.name: functions[spec.name] for spec in chosen if spec.null and spec.name in cases},
        scored.confidence,
        scored.correct,
        clusters=scored.cluster,
        n=RESAMPLES,
        seed=seed,
    )
    entries = {}
    for spec in chosen:
        facts = {"label": spec.label, "convention": spec.convention, **spec.facts, "n": len(scored)}
        if spec.name in missing:
            facts["convention"] += f"; {missing[spec.name]}"
            entries[spec.name] = {"value": None, "low": None, "high": None, "method": None, **facts}
            continue
        entries[spec.name] = {**asdict(bounds[spec.name]), **facts}
        if spec.name in nulls and np.isfinite(bounds[spec.name].value):
            null = nulls[spec.name]
            entries[spec.name] |= {"expected": null.expected, "p": null.p, "least_p": LEAST_P}
    return entries


def intervals_of(
    cases: Mapping[str, tuple[Callable[..., float], NDArray[Any], NDArray[Any]]],
    scored: Scored,
    seed: int,
) -> dict[str, intervals.Interval]:
    """The interval of each metric; where all rows are one cluster, its value without bounds."""
    if len(np.unique(scored.cluster)) > 1:
        found = intervals.bootstrap_all(cases, clusters=scored.cluster, n=RESAMPLES, seed=seed)
        if "confidence" in found and np.ptp(scored.confidence) == 0:
            # All 1 is no share of hits.
            only = found["confidence"].value
            found["confidence"] = intervals.Interval(only, None, None, intervals.SAME)
        return found
    why = "none: all questions are one cluster"
    return {
        name: intervals.Interval(float(metric(*arrays)), None, None, why)
        for name, (metric, *arrays) in cases.items()
    }
