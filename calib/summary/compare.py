"""Checkpoints on the same questions: the metrics of each, and the differences from the first's.

A difference pairs the two answers to each question; questions about one image are resampled
together. The p of all differences are corrected for their number (Holm). A large p does not show
that there is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from calib.intervals import holm, paired_difference
from calib.records import CalibError, InputError
from calib.runs import Run
from calib.runs.config import checked
from calib.runs.kinds import need
from calib.summary import BINS, mistake, to_json
from calib.summary.curves import diagram, quantiles
from calib.summary.remedies import fit_on, rescaled, split
from calib.summary.rows import Row, Scored, collect
from calib.summary.table import RESAMPLES, Spec, measure, specs

SHOWN = (
    "accuracy", "parse_rate", "mass", "confidence", "gap", "ece", "debiased_rmsce", "mce", "ence",
    "brier", "brier_confidence", "nll", "auroc", "aurc",
)  # fmt: skip
COMPARED = (
    "accuracy", "parse_rate", "gap", "ece", "debiased_rmsce", "brier", "brier_confidence", "nll",
    "auroc",
)  # fmt: skip
"""One of each kind: calibration is tested by the debiased squared error; ECE itself has no test."""
SQUARED = "squared RMSCE, debiased"
"""The label of a difference of ``debiased_rmsce``, which is one of squared errors."""
FORGOTTEN = 6
FORMAT = "calib.comparison/1"


@dataclass(frozen=True)
class Side:
    """One run; its rows are in the order of the other sides' rows."""

    name: str
    run: Run
    rows: list[Row]
    scored: Scored

    def take(self, chosen: Any) -> Side:
        """The questions that a mask names."""
        rows = [row for row, use in zip(self.rows, chosen, strict=True) if use]
        return Side(self.name, self.run, rows, self.scored.take(chosen))


def compare(runs: Sequence[Run], *, seed: int = 0) -> dict[str, Any]:
    """The numbers of two or more runs of ``calib.score`` and the others' minus the first's.

    Questions are compared that can be judged in every run. Two rows are the same question where
    id, options and answer are the same; prompt and picture may differ. Plain JSON values: ``runs``
    (each with metrics and a temperature), ``pairs`` (each with differences and what changed).
    Raises InputError where the runs cannot be compared.
    """
    seed = checked("seed", seed)
    sides, left_out = aligned(runs)
    bins = int(runs[0].config.get("bins") or BINS)
    has = sides[0].scored.has
    table = [spec for spec in specs(bins, has) if spec.name in SHOWN]
    first, *others = sides
    fit, held_out = split(first.scored.cluster, seed)
    temperatures = [fitted_to(side.scored.take(fit)) for side in sides]
    pairs = [pair(first, other, table, seed) for other in others]
    correct_for_number(pairs)
    parsed = np.all([side.scored.parsed for side in sides], axis=0)
    if "parsed" not in has:
        parsed[:] = True
    results: dict[str, Any] = to_json(
        {
            "format": FORMAT,
            "n": len(first.rows),
            "left_out": left_out,
            "tests": len(tested(pairs)),
            "runs": [
                {
                    "name": side.name,
                    "model": side.run.config.get("model"),
                    "task": side.run.config.get("task"),
                    "path": str(side.run.path),
                    "metrics": measure(side.scored, table, seed),
                    "diagram": diagram(side.scored, bins),
                    "quantiles": quantiles(side.scored),
                    "temperature": temperature,
                    "judged": [
                        at_temperature(side.scored.take(held_out), t, bins, seed)
                        for t in (1.0, temperatures[0], temperature)
                    ],
                }
                for side, temperature in zip(sides, temperatures, strict=True)
            ],
            "pairs": pairs,
            "parsed": {
                "n": int(parsed.sum()),
                "runs": [measure(side.take(parsed).scored, table, seed) for side in sides]
                if 0 < parsed.sum() < len(parsed)
                else None,
            },
            "facts": {"seed": seed, "bins": bins, "resamples": RESAMPLES}
            | {side.name: dict(side.run.config) for side in sides},
        }
    )
    return results


def aligned(runs: Sequence[Run]) -> tuple[list[Side], dict[str, int]]:
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
    for name, run, rows in zip(names(runs), runs, rows_by_id, strict=True):
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


def pair(first: Side, other: Side, table: Sequence[Spec], seed: int) -> dict[str, Any]:
    """What the report says of the other run against the first."""
    compared = {spec.name: spec for spec in table if spec.name in COMPARED}
    right, before = other.scored.correct, first.scored.correct
    lost = [other.rows[i] for i in np.flatnonzero(before & ~right)]
    lost.sort(key=lambda row: (-row["confidence"], str(row["id"])))
    return {
        "first": first.name,
        "second": other.name,
        "differences": {
            name: difference(compared[name], first.scored, other.scored, seed)
            for name in COMPARED
            if name in compared
        },
        "both_right": int((before & right).sum()),
        "lost": int((before & ~right).sum()),
        "gained": int((~before & right).sum()),
        "both_wrong": int((~before & ~right).sum()),
        **same_answer(first, other),
        "forgotten": [mistake(row) for row in lost[:FORGOTTEN]],
    }


def same_answer(first: Side, other: Side) -> dict[str, float]:
    """The share of questions with the same prediction, where both runs record predictions."""
    if "prediction" not in first.scored.has:
        return {}
    pairs = zip(first.rows, other.rows, strict=True)
    return {"same_answer": float(np.mean([a["prediction"] == b["prediction"] for a, b in pairs]))}


def difference(spec: Spec, first: Scored, other: Scored, seed: int) -> dict[str, Any]:
    """Other minus first, with its interval and p; where it does not exist, None and the reason."""
    squared = spec.name == "debiased_rmsce"
    label = SQUARED if squared else spec.label
    facts = {"label": label, "convention": spec.convention, "holm": None}
    (a, right_a, *_), (b, right_b, *_) = spec.arrays(other), spec.arrays(first)
    try:
        result = paired_difference(
            spec.function,
            (a, right_a),
            (b, right_b),
            clusters=first.cluster,
            n=RESAMPLES,
            seed=seed,
        )
    except ValueError as reason:
        why = f"not defined here ({reason})"
        return {**dict.fromkeys(("value", "low", "high", "p")), "method": why, **facts}
    return {**asdict(result), **facts}


def tested(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The differences that have a p."""
    return [d for each in pairs for d in each["differences"].values() if d["p"] is not None]


def correct_for_number(pairs: Sequence[Mapping[str, Any]]) -> None:
    """Add ``holm`` to every difference: its p corrected for all of them (Holm, 1979)."""
    tests = tested(pairs)
    for test, corrected in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["holm"] = corrected


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
