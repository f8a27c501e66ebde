"""A calibrator fitted on one run and judged on others: does it hold where it was not fitted?

No question is on both sides. Where two runs share none, a fit to all of the one is judged on the
other. A run's own fit is cross-fitted, as in ``calib.summary.ranking``. Runs that share questions,
such as two models on one task, are cross-fitted too: each part of the judged run by a fit to all of
the other but the clusters that share a question with that part. So two models on the same questions
need no second set, and a few questions in common cost no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.facts import HOLDS
from calib.calibrators.registry import CALIBRATORS
from calib.records import CalibError, InputError
from calib.runs import Run
from calib.runs.config import checked
from calib.runs.kinds import need
from calib.summary import BINS, to_json
from calib.summary.compare import names
from calib.summary.ranking import (
    FOLDS,
    NONE,
    Outcome,
    Rows,
    fit_calibrator,
    folds,
    outcomes,
)
from calib.summary.remedies import LEAST_QUESTIONS, question_of
from calib.summary.rows import Scored, collect
from calib.summary.transfer_cells import FORMAT, Carried, Judged, matrix

Question: TypeAlias = tuple[Any, ...]
"""What makes questions of two runs the same."""
MOST_RUNS = 12
"""Of more, the smallest p of 10,000 exchanges could not stay below 0.05 when it is corrected."""
TEMPERATURE = "temperature"


@dataclass(frozen=True)
class Side:
    """A run as arrays; ``linked`` (N,) numbers what its rows share with those of other runs.

    Two rows, of whichever runs, have one number where their clusters hold a question in common.
    """

    name: str
    run: Run
    questions: list[Question]
    scored: Scored
    linked: NDArray[np.int64]


def transfer_runs(
    runs: Sequence[Run],
    judge: Sequence[Run] = (),
    *,
    calibrator: str = TEMPERATURE,
    seed: int = 0,
    called: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A calibrator fitted on each of ``runs`` and judged on each of them and of ``judge``.

    Plain JSON values: ``fitted`` (a fit to all of each run), ``judged`` (each run as it is),
    ``cells`` (before, after, the tests against as it is and against the run's own cross-fitted
    fit). ``called``: a name for each, where their own do not do. Raises InputError for what cannot
    be judged so, and CalibError for too few questions.
    """
    seed = checked("seed", seed)
    if calibrator not in CALIBRATORS:
        raise InputError(
            f"calibrator: expected one of {', '.join(CALIBRATORS)}, got {calibrator!r}"
        )
    every = [*runs, *judge]
    refuse_number(runs, every)
    sides = read(every, called)
    fitting = sides[: len(runs)]
    columns, carried = [], []
    for side in sides:
        own = carry(calibrator, side, side, seed)
        whole = [(np.arange(0), np.arange(len(side.scored)))]
        before = outcomes(NONE, side.scored, side.scored, whole)
        assert isinstance(before, Outcome)  # nothing is fitted that could fail
        columns.append(Judged(side.name, before, own.after, side.scored.cluster))
        carried += [
            own if other is side else carry(calibrator, other, side, seed) for other in fitting
        ]
    if all(isinstance(each.after, str) for each in carried):
        raise InputError(f"{calibrator}: it is judged on no run: {carried[0].after}")
    bins = int(runs[0].config.get("bins") or BINS)
    found: dict[str, Any] = to_json(
        {
            "format": FORMAT,
            "calibrator": calibrator,
            "what": calibrator if calibrator == TEMPERATURE else f"{calibrator} calibrator",
            "made": "fitted on",
            "seed": seed,
            "bins": bins,
            "folds": FOLDS,
            "fitted": [fit_to_all(calibrator, side) for side in fitting],
            **matrix(columns, carried, bins=bins, seed=seed),
            "facts": {side.name: dict(side.run.config) for side in sides},
            "paths": {side.name: str(side.run.path) for side in sides},
        }
    )
    return found


def refuse_number(runs: Sequence[Run], every: Sequence[Run]) -> None:
    """InputError for no run to fit to, too few or too many runs, and one that is given twice."""
    if not runs or not 2 <= len(every) <= MOST_RUNS:
        raise InputError(
            f"runs: expected 2 to {MOST_RUNS} runs, one or more of them to fit to, got {len(every)}"
        )
    paths = [Path(run.path).resolve() for run in every]
    twice = [run.path for run, path in zip(every, paths, strict=True) if paths.count(path) > 1]
    if twice:
        raise InputError(f"{twice[0]}: expected each run once, got this one twice")


def read(runs: Sequence[Run], called: Sequence[str] | None = None) -> list[Side]:
    """The runs' rows that can be judged. CalibError where they are too few."""
    scored, questions = [], []
    for run in runs:
        rows = need(run, "calib transfer").rows()
        found, judgeable, _ = collect(rows, vocabulary=False, of=run.path)
        scored.append(found)
        # Ids that are no more than a row's number make questions the same in one file alone.
        file = run.config.get("digest") if run.config.get("numbered") else None
        questions.append([(file, *question_of(row)) for row in judgeable])
    linked = link(questions, scored)
    for run, numbers in zip(runs, linked, strict=True):
        clusters = len(np.unique(numbers))
        if len(numbers) < LEAST_QUESTIONS or clusters < 2 * FOLDS:
            raise CalibError(
                f"{run.path}: transfer is judged on {LEAST_QUESTIONS} questions of {2 * FOLDS} "
                f"clusters or more, got {len(numbers)} questions of {clusters}"
            )
    parts = zip(called or names(runs), runs, questions, scored, linked, strict=True)
    return [Side(*part) for part in parts]


def link(
    questions: Sequence[Sequence[Question]], scored: Sequence[Scored]
) -> list[NDArray[np.int64]]:
    """``Side.linked`` of every run: the clusters of all, joined where they share a question."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [int(each.cluster.max()) + 1 for each in scored]
    starts = np.cumsum([0, *sizes])
    clusters = [
        start + each.cluster for start, each in zip(starts[:-1], scored, strict=True)
    ]  # numbered through all runs
    first: dict[Question, int] = {}
    nodes = np.concatenate(clusters)
    asked = (question for own in questions for question in own)
    others = [first.setdefault(*pair) for pair in zip(asked, nodes.tolist(), strict=True)]
    edges = coo_array((np.ones(len(nodes)), (nodes, others)), shape=(starts[-1], starts[-1]))
    _, numbers = connected_components(edges, directed=False)
    return [numbers[own].astype(np.int64) for own in clusters]


def parts_of(fit: Side, judge: Side, seed: int) -> list[tuple[Rows, Rows]]:
    """Row numbers of ``fit`` to fit to and of ``judge`` to judge; each of the latter once.

    One part where they share nothing. Of a run and itself, the folds of ``calib.summary.ranking``.
    """
    if not np.isin(fit.linked, judge.linked).any():
        return [(np.arange(len(fit.scored)), np.arange(len(judge.scored)))]
    _, place = np.unique(judge.linked, return_inverse=True)
    least = np.full(place.max() + 1, len(place))  # each is dealt as the first of its clusters
    np.minimum.at(least, place, judge.scored.cluster)
    return [
        (np.flatnonzero(~np.isin(fit.linked, judge.linked[rows])), rows)
        for _, rows in folds(least[place], seed)
    ]


def carry(calibrator: str, fit: Side, judge: Side, seed: int) -> Carried:
    """What a calibrator fitted to the one run says of the other."""
    parts = parts_of(fit, judge, seed)
    shared = 0 if fit is judge else len(set(fit.questions) & set(judge.questions))
    how = "fitted to all of it" if len(parts) == 1 else "cross-fitted"
    after: Outcome | str
    if (why := unfit(calibrator, fit.scored, judge.scored)) is not None:
        after = why
    else:
        after = outcomes(calibrator, fit.scored, judge.scored, parts)
    return Carried(fit.name, judge.name, after, how, shared)


def unfit(calibrator: str, fit: Scored, judge: Scored) -> str | None:
    """Why a calibrator of the one's scores cannot map the other's; None where it can.

    A map of the answer's confidence holds whatever scores that came from.
    """
    if fit.scores == judge.scores or CALIBRATORS[calibrator].load_class().of_confidence:
        return None
    return f"it is fitted to {HOLDS[fit.scores]}, and the judged run has {HOLDS[judge.scores]}"


def fit_to_all(calibrator: str, side: Side) -> dict[str, Any]:
    """The fit to all of a run: its temperature where it is one, else its words."""
    entry: dict[str, Any] = {"name": side.name, "n": len(side.scored), "temperature": None}
    try:
        fitted = fit_calibrator(calibrator, side.scored, np.arange(len(side.scored)))
    except InputError as error:
        return {**entry, "why": str(error)}
    if calibrator != TEMPERATURE:
        return {**entry, "words": fitted.words()}
    return {
        **entry,
        "temperature": {
            "value": fitted.temperature_,
            "low": fitted.low_,
            "high": fitted.high_,
            "reason": fitted.reason_,
        },
    }
