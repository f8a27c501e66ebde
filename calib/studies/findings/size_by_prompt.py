"""Do larger models gain more from prompts (Q2)?

The inference is of questions: what a prompt form changes in each question's Brier score of the
confidence and in its confidence - right, for the largest model less for the smallest (an
interaction), by clusters; p corrected over all of them (Holm). Over three sizes or more the rank
correlation and the slope against ln parameters are shown, and describe no more than these models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import stats

from calib.intervals import paired_difference
from calib.records import CalibError, InputError
from calib.studies.findings.found import (
    OPEN,
    SHOWN,
    Column,
    Conclusion,
    Figure,
    Found,
    Table,
    bounds,
)
from calib.studies.findings.outcome import Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign
from calib.summary.compare import aligned
from calib.summary.rows import Scored
from calib.summary.table import RESAMPLES, mean

MEASURES = {"brier": "Brier score of the confidence", "gap": "confidence − accuracy"}


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    runs = of_kind(outcomes, "score")
    tests, cautions = interactions(runs, seed)
    tests = corrected(tests)
    tables = [sizes(runs), changes(runs, seed), differences(tests), trends(runs)]
    return Found(
        [conclusion(test) for test in tests],
        tables,
        [curves(runs, name) for name in dict.fromkeys(run.task for run in runs)],
        cautions,
    )


def parameters(run: Outcome) -> float | None:
    """Millions: what the study says, else what the model has."""
    stated = None if run.job.model is None else run.job.model.parameters
    known = run.run.config.get("parameters")
    return stated if stated is not None else known / 1e6 if known else None


def form_of(run: Outcome) -> str:
    return run.form or str(run.run.config.get("prompt"))


def by_place(runs: Sequence[Outcome]) -> dict[tuple[str, str, str], Outcome]:
    """By task, model and prompt form."""
    return {(run.task, run.model, form_of(run)): run for run in runs}


def interactions(runs: Sequence[Outcome], seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """(large at a form - large at the first form) - the same of the small model."""
    at, tests, cautions = by_place(runs), [], []
    for task in dict.fromkeys(run.task for run in runs):
        own = [run for run in runs if run.task == task]
        forms = list(dict.fromkeys(map(form_of, own)))
        sized = {run.model: size for run in own if (size := parameters(run)) is not None}
        if len(set(sized.values())) < 2:
            cautions.append(f"{task}: all models are of one size, so that size decides nothing.")
            continue
        small, large = min(sized, key=sized.__getitem__), max(sized, key=sized.__getitem__)
        for form in forms[1:]:
            corner = [(large, form), (large, forms[0]), (small, form), (small, forms[0])]
            four = [at.get((task, model, each)) for model, each in corner]
            name = f"{task}: {form} − {forms[0]}, {large} less {small}"
            if None in four:
                cautions.append(f"{name}: a run is missing.")
                continue
            try:
                sides, _ = aligned([run.run for run in four if run is not None])
            except (InputError, CalibError) as error:
                cautions.append(f"{name}: {error}")
                continue
            scored = [side.scored for side in sides]
            tests += [{**interaction(scored, m, seed), "of": name, "measure": m} for m in MEASURES]
    return tests, cautions


def interaction(scored: Sequence[Scored], measure: str, seed: int) -> dict[str, Any]:
    """Of four runs on the same questions: (0 - 1) - (2 - 3), question by question."""
    values = [values_of(each, measure) for each in scored]
    zeros = np.zeros(len(values[0]))
    return asdict(
        paired_difference(
            mean,
            (values[0] + values[3], zeros),
            (values[1] + values[2], zeros),
            clusters=scored[0].cluster,
            n=RESAMPLES,
            seed=seed,
        )
    )


def values_of(scored: Scored, measure: str) -> Any:
    """(N,), of each question."""
    off = scored.confidence - scored.correct
    return off**2 if measure == "brier" else off


def conclusion(test: Test) -> Conclusion:
    found = sign(test)
    told = {1: "by more", -1: "by less"}.get(found)
    does = (
        f"the form changes the {MEASURES[test['measure']]} {told} ({said(test)})"
        if told
        else f"sizes are not shown to differ in how the form changes {MEASURES[test['measure']]}"
    )
    name = f"{test['of']}, {test['measure']}"
    return Conclusion(name, SHOWN if found else OPEN, f"{test['of']}: {does}.")


def sizes(runs: Sequence[Outcome]) -> Table:
    """Calibration beside what it costs."""
    rows = []
    for run in runs:
        metrics, size, seconds = run.results["metrics"], parameters(run), run.known["seconds"]
        width = {"bfloat16": 2, "float16": 2}.get(str(run.run.config.get("dtype")), 4)
        known = run.run.config.get("parameters")
        rows.append(
            [
                run.task,
                run.model,
                form_of(run),
                size,
                None if not known else known * width / 1e9,
                run.known["prompts"] / seconds if seconds else None,
                bounds(metrics["accuracy"]),
                metrics["confidence"]["value"],
                metrics["ece"]["value"],
                metrics["ece"].get("expected"),
            ]
        )
    return Table(
        "sizes",
        "Calibration, size and cost",
        [
            Column("task"),
            Column("model"),
            Column("form"),
            Column("million parameters", "fixed"),
            Column("weights, GB", "fixed"),
            Column("prompts/s", "fixed"),
            Column("accuracy", "percents"),
            Column("confidence", "percent"),
            Column("ECE", "fixed"),
            Column("if calibrated", "fixed"),
        ],
        rows,
        "Prompts a second with loading and the page, on this machine.",
    )


def changes(runs: Sequence[Outcome], seed: int) -> Table:
    """Each model's own change by each form."""
    at, rows = by_place(runs), []
    for task, model in dict.fromkeys((run.task, run.model) for run in runs):
        forms = [form for t, m, form in at if (t, m) == (task, model)]
        for form in forms[1:]:
            pair = [at[task, model, form].run, at[task, model, forms[0]].run]
            sides, _ = aligned(pair)
            for measure, told in MEASURES.items():
                zeros = np.zeros(len(sides[0].scored))
                found = paired_difference(
                    mean,
                    (values_of(sides[0].scored, measure), zeros),
                    (values_of(sides[1].scored, measure), zeros),
                    clusters=sides[0].scored.cluster,
                    n=RESAMPLES,
                    seed=seed,
                )
                span = [found.value, found.low, found.high]
                rows.append([task, model, f"{form} − {forms[0]}", told, span])
    columns = [
        Column("task"),
        Column("model"),
        Column("forms"),
        Column("measure"),
        Column("change", "signeds"),
    ]
    return Table("changes", "What a form changes, model by model", columns, rows)


def differences(tests: Sequence[Test]) -> Table:
    return Table(
        "interactions",
        "Does the largest model gain more than the smallest?",
        [Column("of the same questions"), Column("measure"), *TESTED],
        [[test["of"], MEASURES[test["measure"]], *cells(test)] for test in tests],
    )


def trends(runs: Sequence[Outcome]) -> Table:
    """Over three sizes or more: rank correlation and slope of the ECE against ln parameters."""
    rows = []
    for task, form in dict.fromkeys((run.task, form_of(run)) for run in runs):
        own = [run for run in runs if (run.task, form_of(run)) == (task, form)]
        points = [
            (math.log(size), run.results["metrics"]["ece"]["value"])
            for run in own
            if (size := parameters(run)) is not None
        ]
        if len({x for x, _ in points}) < 3:
            continue
        x, y = np.array(points).T
        rho = float(stats.spearmanr(x, y).statistic)
        slope = float(stats.linregress(x, y).slope)
        rows.append([task, form, len(points), rho if math.isfinite(rho) else None, slope])
    columns = [
        Column("task"),
        Column("form"),
        Column("models", "count"),
        Column("rank correlation", "fixed"),
        Column("ECE per ln parameters", "signed"),
    ]
    note = "Of these models; a few models support no inference about sizes."
    return Table("trends", "ECE over sizes", columns, rows, note)


def curves(runs: Sequence[Outcome], task: str) -> Figure:
    series = []
    own = [run for run in runs if run.task == task]
    for form in dict.fromkeys(map(form_of, own)):
        sized = [
            (size, run.results["metrics"]["gap"])
            for run in own
            if form_of(run) == form and (size := parameters(run)) is not None
        ]
        points = sorted(sized, key=lambda point: point[0])
        series.append(
            {
                "name": form,
                "x": [size for size, _ in points],
                "y": [gap["value"] for _, gap in points],
                "low": [gap["low"] for _, gap in points],
                "high": [gap["high"] for _, gap in points],
            }
        )
    return Figure(
        "curves",
        f"Confidence − accuracy over size: {task}",
        "With 95 % intervals by clusters; a line for each prompt form.",
        {"series": series, "x": "million parameters", "y": "points", "unit": "points"},
    )
