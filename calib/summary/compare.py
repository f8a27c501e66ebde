"""Checkpoints on the same questions: the metrics of each, and the differences from the first's.

A difference pairs the two answers to each question; questions of one cluster, such as those about
one image, are resampled together. The p of all differences are corrected for their number (Holm). A
large p does not show that there is no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calib.intervals.equivalence import MARGIN
from calib.records import CalibError, InputError
from calib.runs import Run
from calib.runs.config import checked
from calib.runs.kinds import need
from calib.summary import BINS, to_json
from calib.summary.curves import diagram, quantiles
from calib.summary.equivalence import (
    checked_margin,
    claimed,
    correct_claims,
    equivalences,
    parts,
    refinement,
)
from calib.summary.pairs import Side, correct_for_number, groups_of, of_groups, pair, tested
from calib.summary.remedies import fit_on, rescaled, split
from calib.summary.rows import Row, Scored, collect, drawn_whole
from calib.summary.table import RESAMPLES, measure, specs

SHOWN = (
    "accuracy", "parse_rate", "mass", "confidence", "gap", "ece", "debiased_rmsce", "mce", "ence",
    "brier", "brier_confidence", "nll", "auroc", "aurc",
)  # fmt: skip
FORMAT = "calib.comparison/1"


def compare(
    runs: Sequence[Run],
    *,
    margin: float = MARGIN,
    seed: int = 0,
    called: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The numbers of two or more runs of ``calib.score`` and the others' minus the first's.

    Questions are compared that can be judged in every run. Two rows are the same question where
    id, options and answer are the same; prompt and picture may differ. Plain JSON values: ``runs``
    (each with metrics and a temperature), ``pairs`` (each with differences, equivalences and what
    changed), ``groups`` (the largest groups of questions, with the numbers of every run).
    ``margin``, above 0 and below 1: equivalent are quantities that differ by less, in their own
    unit. ``called``: a name for each run, where their own do not do. Raises InputError for another
    margin, and where the runs cannot be compared.
    """
    seed, margin = checked("seed", seed), checked_margin(margin)
    sides, left_out = aligned(runs, called)
    bins = int(runs[0].config.get("bins") or BINS)
    has = sides[0].scored.has
    table = [spec for spec in specs(bins, has) if spec.name in SHOWN]
    first, *others = sides
    fit, held_out = split(first.scored.cluster, seed)
    temperatures = [fitted_to(side.scored.take(fit)) for side in sides]
    groups = groups_of(first)
    pairs = [
        pair(first, other, table, groups, seed)
        | {
            "equivalences": equivalences(first.scored, other.scored, table, margin),
            "refinement": refinement(first.scored, other.scored, bins),
        }
        for other in others
    ]
    correct_for_number(pairs)
    correct_claims(pairs)
    parsed = np.all([side.scored.parsed for side in sides], axis=0)
    if "parsed" not in has:
        parsed[:] = True
    results: dict[str, Any] = to_json(
        {
            "format": FORMAT,
            "n": len(first.rows),
            "left_out": left_out,
            "tests": len(tested(pairs)),
            "equivalence_tests": len(claimed(pairs)),
            "margin": margin,
            "resampled": drawn_whole(
                first.scored.cluster.tolist(),
                [tuple(row.get("images") or ()) for row in first.rows],
            ),
            "runs": [
                {
                    "name": side.name,
                    "model": side.run.config.get("model"),
                    "task": side.run.config.get("task"),
                    "path": str(side.run.path),
                    "metrics": measure(side.scored, table, seed),
                    "diagram": diagram(side.scored, bins),
                    "quantiles": quantiles(side.scored),
                    "parts": parts(side.scored, bins),
                    "temperature": temperature,
                    "judged": [
                        at_temperature(side.scored.take(held_out), t, bins, seed)
                        for t in (1.0, temperatures[0], temperature)
                    ],
                }
                for side, temperature in zip(sides, temperatures, strict=True)
            ],
            "pairs": pairs,
            "groups": of_groups(sides, groups, bins, seed),
            "groups_left_out": len(set(first.scored.group)) - len(groups) if groups else 0,
            "parsed": {
                "n": int(parsed.sum()),
                "runs": [measure(side.take(parsed).scored, table, seed) for side in sides]
                if 0 < parsed.sum() < len(parsed)
                else None,
            },
            "facts": {"seed": seed, "bins": bins, "resamples": RESAMPLES, "margin": margin}
            | {side.name: dict(side.run.config) for side in sides},
        }
    )
    return results


def aligned(
    runs: Sequence[Run], called: Sequence[str] | None = None
) -> tuple[list[Side], dict[str, int]]:
    """The runs on their common questions, in the order of the first run.

    Also returns, by the side's name, how many questions that run has besides these.
    """
    if len(runs) < 2:
        raise InputError(f"compare takes two or more runs, got {len(runs)}")
    if len({Path(run.path).resolve() for run in runs}) < len(runs):
        raise InputError("compare takes each run once, got one of them twice")
    kinds = {str(run.config.get("confidence", "options")) for run in runs}
    if len(kinds) > 1:
        raise InputError(
            "the runs measure two confidences, among the options and in the vocabulary"
        )
    rows_by_id = [judgeable_rows(run) for run in runs]
    ids = [row_id for row_id in rows_by_id[0] if all(row_id in rows for rows in rows_by_id)]
    if not ids:
        raise InputError("the runs have no question in common that can be judged in all of them")
    for rows, run in zip(rows_by_id[1:], runs[1:], strict=True):
        for row_id in ids:
            refuse_another_question(rows_by_id[0][row_id], rows[row_id], runs[0], run)
    sides = []
    for name, run, rows in zip(called or names(runs), runs, rows_by_id, strict=True):
        chosen = [rows[row_id] for row_id in ids]
        scored, _, _ = collect(chosen, vocabulary=kinds == {"vocab"})
        sides.append(Side(name, run, chosen, scored))
    has = frozenset.intersection(*(side.scored.has for side in sides))
    sides = [replace(side, scored=side.scored.only(has)) for side in sides]
    more = {side.name: len(rows) - len(ids) for side, rows in zip(sides, rows_by_id, strict=True)}
    return sides, more


def judgeable_rows(run: Run) -> dict[str, Row]:
    """The rows of a run that can be judged, by their question's id."""
    rows = need(run, "calib compare").rows()
    try:
        _, judgeable, _ = collect(rows, vocabulary=False, of=run.path)
    except CalibError as error:
        raise InputError(f"{run.path}: {error}") from error
    return {str(row["id"]): row for row in judgeable}


def refuse_another_question(one: Row, other: Row, first: Run, second: Run) -> None:
    for name in ("options", "answer"):
        if name in one and name in other and one[name] != other[name]:
            raise InputError(
                f"question {one['id']!r} has the {name} {one[name]!r} in {first.path} and "
                f"{other[name]!r} in {second.path}: they are not the same question"
            )


def names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its model where models differ, else its task, else its folder."""
    for labels in (
        [str(run.config.get("model", "")) for run in runs],
        [str(run.config.get("task")) for run in runs],
        [Path(run.path).name for run in runs],
    ):
        if len(set(labels)) == len(runs) and all(labels):
            return labels
    return [str(run.path) for run in runs]


def fitted_to(scored: Scored) -> float | None:
    fitted = fit_on(scored, np.arange(len(scored))) if len(scored) else None
    return None if fitted is None else fitted.temperature_


def at_temperature(
    scored: Scored, temperature: float | None, bins: int, seed: int
) -> dict[str, float] | None:
    """ECE and NLL of the held-out half at a temperature."""
    if temperature is None or len(scored) == 0:
        return None
    warm = rescaled(scored, temperature)
    chosen = [spec for spec in specs(bins, scored.has) if spec.name in ("ece", "nll")]
    return {spec.name: float(spec.function(*spec.arrays(warm))) for spec in chosen}
