"""A matrix of transfer: what was made on one run, judged on another, against as it was.

A cell says what was made on its row's run and judged on its column's: the measure before and after
on the same questions, tested in pairs, and how much worse that is than what was made on questions
like those judged (the column's own). The p of all tests of a matrix are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.intervals import holm, paired_difference
from calib.records import InputError
from calib.runs import Run
from calib.runs.config import checked
from calib.summary import BINS, to_json
from calib.summary.compare import aligned
from calib.summary.ranking import Outcome, outcome_of, tests_of
from calib.summary.table import RESAMPLES

Cell = dict[str, Any]
FORMAT = "calib.transfer/1"


@dataclass(frozen=True)
class Judged:
    """A column: N answers as they are, ``own`` what was made on their own run makes of them.

    ``own`` is a text where there is no such thing. cluster: (N,).
    """

    name: str
    before: Outcome
    own: Outcome | str
    cluster: NDArray[np.int64]


@dataclass(frozen=True)
class Carried:
    """What was made on the run ``fitted``, on the questions of the column ``judged``.

    ``after`` is a text where it cannot be judged there, ``how`` says on what it was made. Of the
    column's own, ``after`` is the column's ``own``.
    """

    fitted: str
    judged: str
    after: Outcome | str
    how: str
    shared: int = 0

    @property
    def is_own(self) -> bool:
        return self.fitted == self.judged


def matrix(
    columns: Sequence[Judged], carried: Sequence[Carried], *, bins: int, seed: int
) -> dict[str, Any]:
    """``judged`` (each column as it is), ``cells`` and the number of ``tests``.

    The measure of a column is the negative log-likelihood of the answer's confidence, or its Brier
    score where the former is infinite for anything in that column.
    """
    judged, cells = [], []
    for column in columns:
        here = [each for each in carried if each.judged == column.name]
        label, measure = measure_of(column, here)
        judged.append(
            {
                "name": column.name,
                "n": len(column.cluster),
                "clusters": len(np.unique(column.cluster)),
                "measure": f"{label} of the answer's confidence",
                **figures(column.before, measure, bins),
                "own": None if isinstance(column.own, str) else measured(column.own, measure),
            }
        )
        cells += [cell_of(each, column, measure, bins, seed) for each in here]
    tests = list(tests_in(cells))
    corrected = holm([1.0 if test["p"] is None else test["p"] for test in tests])
    for test, p in zip(tests, corrected, strict=True):
        test["holm"] = p
    return {"judged": judged, "cells": cells, "tests": len(tests)}


def measure_of(column: Judged, here: Sequence[Carried]) -> tuple[str, Any]:
    """The measure by its name and its function."""
    said = (column.before, column.own, *(each.after for each in here))
    finite = all(
        np.isfinite(metrics.nll(each.confidence, each.correct))
        for each in said
        if isinstance(each, Outcome)
    )
    return ("NLL", metrics.nll) if finite else ("Brier score", metrics.brier)


def measured(outcome: Outcome, measure: Any) -> float:
    return float(measure(outcome.confidence, outcome.correct))


def figures(outcome: Outcome, measure: Any, bins: int) -> dict[str, float]:
    return {
        "value": measured(outcome, measure),
        "ece": metrics.ece(outcome.confidence, outcome.correct, bins=bins),
        "accuracy": float(outcome.correct.mean()),
        "confidence": float(outcome.confidence.mean()),
    }


def cell_of(each: Carried, column: Judged, measure: Any, bins: int, seed: int) -> Cell:
    cell: Cell = {
        "fitted": each.fitted,
        "judged": each.judged,
        "own": each.is_own,
        "how": each.how,
        "shared": each.shared,
        "before": figures(column.before, measure, bins),
        "after": None,
        "tests": {},
        "loss": None,
        "why": each.after if isinstance(each.after, str) else None,
    }
    if isinstance(each.after, str):
        return cell
    cell["after"] = figures(each.after, measure, bins)
    cell["tests"] = tests_of(measure, each.after, column.before, column.cluster, seed)
    if not each.is_own and isinstance(column.own, Outcome):
        cell["loss"] = asdict(
            paired_difference(
                measure,
                (each.after.confidence, each.after.correct),
                (column.own.confidence, column.own.correct),
                clusters=column.cluster,
                n=RESAMPLES,
                seed=seed,
            )
        )
    return cell


def tests_in(cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """Every test of the matrix."""
    for cell in cells:
        yield from cell["tests"].values()
        if cell["loss"] is not None:
            yield cell["loss"]


def transfer_pairs(
    before: Mapping[str, Run],
    after: Mapping[tuple[str, str], Run],
    *,
    what: str = "prompt",
    seed: int = 0,
) -> dict[str, Any]:
    """The matrix of something that is found on questions and then asked with, such as a prompt.

    before: a run of each set of questions, by its name, as they were asked before. after: (found
    on, judged on) -> the run of the latter's questions asked with what was found on the former's;
    (name, name) is the column's own, whose questions must not be those that it was found on. what:
    its name in sentences. Confidences are those among the options. Returns what
    ``calib.report.transfer.write_transfer`` takes. Raises InputError where runs of one column do
    not hold the same questions.
    """
    seed = checked("seed", seed)
    columns, carried = [], []
    for name, run in before.items():
        here = {found: each for (found, judged), each in after.items() if judged == name}
        if not here:
            raise InputError(f"after: expected runs that are judged on {name!r}, got none")
        once = {Path(each.path).resolve(): each for each in (run, *here.values())}
        sides, _ = aligned(list(once.values()))  # the same may have been found on two sets
        said = {
            path: outcome_of(None, side.scored, np.arange(len(side.scored)))
            for path, side in zip(once, sides, strict=True)
        }
        outcomes = {found: said[Path(each.path).resolve()] for found, each in here.items()}
        own = outcomes.get(name, f"nothing was found on {name}")
        before_all = said[Path(run.path).resolve()]
        columns.append(Judged(name, before_all, own, sides[0].scored.cluster))
        carried += [Carried(found, name, each, "found on it") for found, each in outcomes.items()]
    unknown = sorted({judged for _, judged in after} - set(before))
    if unknown:
        raise InputError(f"after: expected runs judged on {', '.join(before)}, got {unknown[0]!r}")
    names = list(dict.fromkeys(found for found, _ in after))
    bins = int(next(iter(before.values())).config.get("bins") or BINS)
    found: dict[str, Any] = to_json(
        {
            "format": FORMAT,
            "what": what,
            "made": "found on",
            "seed": seed,
            "bins": bins,
            "fitted": [{"name": name} for name in names],
            **matrix(columns, carried, bins=bins, seed=seed),
            "facts": {name: dict(run.config) for name, run in before.items()},
        }
    )
    return found
