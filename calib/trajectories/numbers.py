"""What checkpoints on the same questions come to: their metrics, changes, and the best of them.

Axis legend: K checkpoints, N questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals import add_holm, bootstrap, paired_difference
from calib.intervals.clusters import Members, members_of
from calib.intervals.ratios import ratio_of
from calib.modalities.measures import own_specs
from calib.summary.compare import SHOWN, aligned
from calib.summary.curves import quantiles
from calib.summary.pairs import Side, difference
from calib.summary.remedies import fit_on, split
from calib.summary.rows import drawn_whole
from calib.summary.table import RESAMPLES, Spec, measure, specs
from calib.trajectories.best import Best, best_of_errors, best_of_means
from calib.trajectories.changes import change_of
from calib.trajectories.steps import Checkpoint

SERIES: Mapping[str, Any] = {
    "gap": ("confidence − accuracy", lambda r: r.confidence - r.correct),
    "brier_confidence": ("Brier of the confidence", lambda r: (r.confidence - r.correct) ** 2),
    "accuracy": ("accuracy", lambda r: r.correct.astype(float)),
}
"""What a change is looked for in: a label, and the value of each question (N,)."""
LOSSES = ("brier", "brier_confidence", "nll")
ENDS = ("accuracy", "gap", "debiased_rmsce", "brier", "brier_confidence", "nll", "entropy")
"""The last checkpoint is tested against the first in these."""
TOO_FEW = "all questions are one cluster, of which nothing can be tested"


def numbers_of(
    checkpoints: Sequence[Checkpoint], bins: int, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The trajectory's numbers, and those of each checkpoint, on their common questions.

    Raises InputError where they have none in common, or ask another question under one id.
    """
    sides, left_out = aligned([each.run for each in checkpoints])
    named = [replace(side, name=each.name) for side, each in zip(sides, checkpoints, strict=True)]
    first = named[0]
    table = [spec for spec in specs(bins, first.scored.has) if spec.name in SHOWN]
    if "options" in first.scored.has:
        table += [spec for spec in own_specs() if spec.name == "entropy"]
    members = members_of(first.scored.cluster, len(first.rows))
    several = members.count > 1
    each = [of_one(c, side, table, seed) for c, side in zip(checkpoints, named, strict=True)]
    return {
        "n": len(first.rows),
        "clusters": members.count,
        "left_out": {
            c.name: left for c, left in zip(checkpoints, left_out.values(), strict=True) if left
        },
        "resampled": drawn_whole(
            first.scored.cluster.tolist(),
            [tuple(row.get("images") or ()) for row in first.rows],
        ),
        "untested": None if several else TOO_FEW,
        "changes": changes(named, members, seed) if several else {},
        "best": bests(named, table, each, members, seed) if several else {},
        "chosen": chosen(named, table, seed) if several else None,
        "ends": ends(named, table, seed) if several else {},
    }, each


def of_one(at: Checkpoint, side: Side, table: Sequence[Spec], seed: int) -> dict[str, Any]:
    fitted = fit_on(side.scored, np.arange(len(side.scored)))
    return {
        "name": at.name,
        "step": at.step,
        "model": at.run.config.get("model"),
        "revision": at.run.config.get("revision"),
        "metrics": measure(side.scored, table, seed),
        "temperature": None
        if fitted is None
        else {
            "value": fitted.temperature_,
            "low": fitted.low_,
            "high": fitted.high_,
            "degenerate": fitted.degenerate_,
            "reason": fitted.reason_,
        },
        "quantiles": quantiles(side.scored),
    }


def changes(sides: Sequence[Side], members: Members, seed: int) -> dict[str, dict[str, Any]]:
    """A change point of each of ``SERIES``; their p are corrected together (Holm)."""
    found = {}
    for name, (label, of) in SERIES.items():
        series = np.stack([np.asarray(of(side.scored), float) for side in sides])
        change = asdict(change_of(series, members, seed))
        found[name] = {
            "label": label,
            **change,
            "before": sides[change["after"] - 1].name,
            "first": sides[change["after"]].name,
        }
    add_holm(found.values())
    return found


def losses_of(sides: Sequence[Side], spec: Spec) -> NDArray[np.float64]:
    """(K, N): the loss of each question, whose mean is the metric."""
    ratio = ratio_of(spec.function)
    assert ratio is not None, f"{spec.name} is a mean of questions"
    rows = []
    for side in sides:
        first, second, *_ = spec.arrays(side.scored)
        rows.append(ratio.rows(first, second).above)
    return np.stack(rows)


def bests(
    sides: Sequence[Side],
    table: Sequence[Spec],
    each: Sequence[Mapping[str, Any]],
    members: Members,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """For each loss the lowest, and those not shown to be worse than another."""
    found: dict[str, dict[str, Any]] = {}
    for spec in table:
        best: Best | None = None
        if spec.name in LOSSES:
            losses = losses_of(sides, spec)
            best = best_of_means(losses, members, seed) if np.isfinite(losses).all() else None
        elif spec.name == "debiased_rmsce":
            values = [one["metrics"][spec.name]["value"] for one in each]
            arrays = [(r.confidence, r.correct) for r in (side.scored for side in sides)]
            best = best_of_errors(spec.function, arrays, values, sides[0].scored.cluster, seed)
        if best is not None:
            found[spec.name] = {
                "label": spec.label,
                **asdict(best),
                "lowest_name": sides[best.lowest].name,
                "kept_names": [sides[i].name for i in best.kept],
                "earliest_name": sides[best.kept[0]].name,
            }
    return found


def chosen(sides: Sequence[Side], table: Sequence[Spec], seed: int) -> dict[str, Any] | None:
    """One half of the clusters chooses the lowest Brier score, the other judges it and the last."""
    spec = next(spec for spec in table if spec.name in LOSSES)
    choose, judge = split(sides[0].scored.cluster, seed)
    place = int(losses_of([take(side, choose) for side in sides], spec).mean(axis=1).argmin())
    judged = take(sides[place], judge), take(sides[-1], judge)
    (one, right, *_), (last, last_right, *_) = (spec.arrays(side.scored) for side in judged)
    clusters = judged[0].scored.cluster
    if len(set(clusters.tolist())) < 2:
        return None
    how: dict[str, Any] = {"clusters": clusters, "n": RESAMPLES, "seed": seed}
    against = None
    if place < len(sides) - 1:
        pair = (last, last_right), (one, right)
        against = asdict(paired_difference(spec.function, *pair, **how))
    return {
        "measure": spec.name,
        "label": spec.label,
        "place": place,
        "name": sides[place].name,
        "last": sides[-1].name,
        "chosen_on": len(choose),
        "judged_on": len(judge),
        "judged": asdict(bootstrap(spec.function, one, right, **how)),
        "last_minus_chosen": against,
    }


def take(side: Side, rows: NDArray[np.int64]) -> Side:
    mask = np.zeros(len(side.rows), bool)
    mask[rows] = True
    return side.take(mask)


def ends(sides: Sequence[Side], table: Sequence[Spec], seed: int) -> dict[str, dict[str, Any]]:
    """The last checkpoint minus the first; p corrected together (Holm)."""
    by_name = {spec.name: spec for spec in table}
    first, last = sides[0].scored, sides[-1].scored
    found = {name: difference(by_name[name], first, last, seed) for name in ENDS if name in by_name}
    add_holm(found.values())
    return found
