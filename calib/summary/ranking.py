"""Calibrators ranked on questions that they were not fitted to.

Cross-fitting: the clusters are dealt into ``FOLDS`` parts, and each part's questions are judged by
calibrators fitted to the others. Or fitted on one run and judged on another. The measure is the
negative log-likelihood of the answer's confidence: how likely it made what then happened, that the
answer was right or wrong. Each calibrator's difference to none is tested in pairs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.calibrators.facts import made_for
from calib.calibrators.registry import CALIBRATORS
from calib.calibrators.scores import DegenerateCalibratorWarning, judged
from calib.calibrators.temperature import DegenerateTemperatureWarning
from calib.intervals import SAME, holm, paired_difference
from calib.records import CalibError, InputError
from calib.runs import open_run
from calib.runs.config import checked
from calib.summary.curves import diagram
from calib.summary.remedies import LEAST_QUESTIONS, lost, refuse_shared
from calib.summary.rows import Scored, collect
from calib.summary.table import RESAMPLES

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

FOLDS = 5
NONE = "none"
LEVEL = 0.05
FORMAT = "calib.ranking/1"
DRAWN = 2
"""Calibrators whose reliability is drawn beside none's, the first of the ranking."""
NEED_OPTIONS = ("vector",)
DEGENERATE = (DegenerateCalibratorWarning, DegenerateTemperatureWarning)


@dataclass(frozen=True)
class Outcome:
    """(N,) each: the confidence of each answer, whether it is right, ln p of the right option."""

    confidence: Floats
    correct: NDArray[np.bool_]
    gold: Floats


def fit_calibrator(name: str, scored: Scored, rows: Rows) -> Any:
    """The calibrator fitted to some rows. InputError, saying why, where it cannot be."""
    if name in NEED_OPTIONS and "options" not in scored.has:
        raise InputError("it needs the options' scores, and the records hold confidences alone")
    if name == "grouped" and len(np.unique(scored.group)) < 2:
        raise InputError("all questions are one group")
    calibrator = CALIBRATORS[name].load_class()()
    if not calibrator.of_confidence:  # no likelihood is left for what has a probability of 0
        rows = rows[np.isfinite(scored.logprob[rows, scored.answer[rows]])]
    if len(rows) == 0:
        raise InputError("no question to fit to gives its right option any probability")
    given = {"given": given_in(scored, rows)} if calibrator.of_confidence else {}
    with warnings.catch_warnings():
        for each in DEGENERATE:
            warnings.simplefilter("ignore", each)
        return calibrator.fit(
            scored.logprob[rows],
            scored.answer[rows],
            clusters=scored.cluster[rows],
            groups=scored.group[rows],
            **given,
        )


def given_in(scored: Scored, rows: Rows) -> Rows | None:
    """The answers, where they are not the options of the highest score."""
    return None if "options" in scored.has else np.zeros(len(rows), dtype=np.int64)


def outcome_of(calibrator: Any, scored: Scored, rows: Rows) -> Outcome:
    said = judged(
        calibrator, scored.logprob[rows], groups=scored.group[rows], given=given_in(scored, rows)
    )
    answer = scored.answer[rows]
    return Outcome(
        np.clip(said.confidence, 0.0, 1.0),
        said.prediction == answer,
        said.logprob[np.arange(len(rows)), answer],
    )


def folds(cluster: NDArray[np.int64], seed: int) -> list[tuple[Rows, Rows]]:
    """Row numbers to fit to and to judge, ``FOLDS`` times; no cluster is on both sides."""
    names = np.random.default_rng(seed).permutation(np.unique(cluster))
    parts = [np.isin(cluster, part) for part in np.array_split(names, FOLDS)]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts]


def outcomes(
    name: str, fit: Scored, judge: Scored, parts: Sequence[tuple[Rows, Rows]]
) -> Outcome | str:
    """What a calibrator says of all rows of ``judge``; a text where it cannot be fitted."""
    found = []
    try:
        for fit_rows, judge_rows in parts:
            calibrator = None if name == NONE else fit_calibrator(name, fit, fit_rows)
            found.append(outcome_of(calibrator, judge, judge_rows))
    except InputError as error:
        return str(error)
    order = np.argsort(np.concatenate([judge_rows for _, judge_rows in parts]))
    columns = zip(*(vars(each).values() for each in found), strict=True)
    return Outcome(*(np.concatenate(column)[order] for column in columns))


def rank(
    names: Sequence[str],
    fit: Scored,
    judge: Scored,
    parts: Sequence[tuple[Rows, Rows]],
    *,
    bins: int,
    seed: int,
) -> dict[str, Any]:
    """Every calibrator's figures on the judged rows, the best first, and why others have none.

    ``rows`` holds ``none`` as well, without a test. Where a wrong answer has the confidence 1, or a
    right one 0, the log-likelihood is infinite: then the measure is the Brier score of the
    confidence.
    """
    found = {name: outcomes(name, fit, judge, parts) for name in (NONE, *names)}
    done = {name: each for name, each in found.items() if isinstance(each, Outcome)}
    before = done[NONE]
    finite = np.isfinite(metrics.nll(before.confidence, before.correct))
    measure, label = (metrics.nll, "NLL") if finite else (metrics.brier, "Brier score")
    rows: list[dict[str, Any]] = [
        {
            "calibrator": name,
            "measure": measure(each.confidence, each.correct),
            "accuracy": float(each.correct.mean()),
            "confidence": float(each.confidence.mean()),
            "ece": metrics.ece(each.confidence, each.correct, bins=bins),
            "debiased_rmsce": metrics.debiased_rmsce(each.confidence, each.correct, bins=bins),
            "brier": metrics.brier(each.confidence, each.correct),
            "nll_options": float(-each.gold.mean()),
            "tests": tests_of(measure, each, before, judge.cluster, seed) if name != NONE else {},
        }
        for name, each in done.items()
    ]
    tests = [test for row in rows for test in row["tests"].values()]
    corrected = holm([1.0 if test["p"] is None else test["p"] for test in tests])
    for test, p in zip(tests, corrected, strict=True):
        test["holm"] = p
    rows.sort(key=lambda row: row["measure"])
    first = [row["calibrator"] for row in rows if row["calibrator"] != NONE][:DRAWN]
    return {
        "format": FORMAT,
        "measure": f"{label} of the answer's confidence",
        "n": len(judge),
        "clusters": len(np.unique(judge.cluster)),
        "bins": bins,
        "rows": rows,
        "better": [row["calibrator"] for row in rows if is_better(row)],
        "not_fitted": {name: each for name, each in found.items() if isinstance(each, str)},
        "diagrams": {name: bars_of(done[name], judge, bins) for name in (NONE, *first)},
    }


def bars_of(outcome: Outcome, judge: Scored, bins: int) -> list[dict[str, Any]]:
    """The reliability diagram of the judged rows with what a calibrator says of them."""
    said = replace(judge, confidence=outcome.confidence, correct=outcome.correct)
    return diagram(said, bins)


def tests_of(
    measure: Any, after: Outcome, before: Outcome, cluster: NDArray[np.int64], seed: int
) -> dict[str, dict[str, Any]]:
    """After minus before: of the measure, and of accuracy where an answer changed."""
    chosen = {"measure": measure}
    if not np.array_equal(after.correct, before.correct):
        chosen["accuracy"] = metrics.accuracy
    return {
        name: asdict(
            paired_difference(
                metric,
                (after.confidence, after.correct),
                (before.confidence, before.correct),
                clusters=cluster,
                n=RESAMPLES,
                seed=seed,
            )
        )
        for name, metric in chosen.items()
    }


def sign_of(test: Mapping[str, Any] | None) -> int:
    """-1 or 1 where a difference is shown, else 0.

    p, corrected, must be below 0.05 and the interval leave out 0: of a few surprising answers
    exchanges alone say too much. A difference that is the same in every resample has no interval,
    and no answers are surprising.
    """
    if test is None or test["p"] is None or test["holm"] >= LEVEL:
        return 0
    if test["low"] is None:
        same = test["method"].startswith(SAME)
        return (int(test["value"] > 0) - int(test["value"] < 0)) if same else 0
    return int(test["low"] > 0) - int(test["high"] < 0)


def is_better(row: Mapping[str, Any]) -> bool:
    """Whether it is shown to lower the measure, and nothing speaks of a loss of accuracy: there p
    is enough, whatever the interval."""
    loss = row["tests"].get("accuracy")
    if loss is not None and loss["holm"] < LEVEL and loss["value"] < 0:
        return False
    return sign_of(row["tests"].get("measure")) < 0


def rank_runs(
    run: Path,
    evaluate: Path | None,
    names: Sequence[str],
    *,
    seed: int,
    in_sample: bool = False,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Rank calibrators on a run by cross-fitting, or fitted on a run and judged on another.

    Returns the ranking, each calibrator fitted to all of ``run`` by its name, and the facts that
    their files state. Raises InputError where the two runs share questions, unless ``in_sample``
    is set, and CalibError where there are too few questions.
    """
    seed = checked("seed", seed)
    opened = open_run(run, "calib fit")
    scored, rows, _ = collect(opened.rows(), vocabulary=False, of=run)
    facts: dict[str, Any] = {"fitted on": dict(opened.config)}
    judge, how = scored, f"each of {FOLDS} parts by a fit to the others, seed {seed}"
    parts = folds(scored.cluster, seed)
    if evaluate is not None:
        other = open_run(evaluate, "calib fit")
        judge, others, _ = collect(other.rows(), vocabulary=False, of=evaluate)
        common = scored.has & judge.has
        scored, judge = scored.only(common), judge.only(common)
        if not in_sample:
            refuse_shared(opened, other, rows, others)
        how = str(evaluate) + (", in sample: questions may be those fitted to" if in_sample else "")
        parts = [(np.arange(len(scored)), np.arange(len(judge)))]
    right = int(scored.correct.sum())
    if right in (0, len(scored)):
        raise CalibError(
            f"{run}: all {len(scored)} answers are {'right' if right else 'wrong'}, which decides "
            "no calibrator"
        )
    few = min(len(scored), len(judge))
    if few < LEAST_QUESTIONS or len(np.unique(scored.cluster)) < 2 * FOLDS:
        raise CalibError(
            f"{run}: calibrators are ranked on {LEAST_QUESTIONS} questions of {2 * FOLDS} clusters "
            f"or more, got {few} questions of "
            f"{len(np.unique(scored.cluster))} clusters"
        )
    facts["made for"] = made_for(opened.config, [row["id"] for row in rows], scored.scores)
    bins = int(opened.config.get("bins") or 15)
    ranking = {**rank(names, scored, judge, parts, bins=bins, seed=seed), "judged on": how}
    ranking["lost"] = lost(scored)
    fitted = {
        name: fit_calibrator(name, scored, np.arange(len(scored)))
        for name in names
        if name not in ranking["not_fitted"]
    }
    return ranking, fitted, facts
