"""Does calibration help decisions (N2)? Answering only where it is sure, before and after remedies.

Half of the clusters choose: each remedy is fitted to them, and the confidence from which on to
answer is chosen at a promised accuracy (``calib.abstention``). The other half judges: coverage,
accuracy of what was answered, and utility (+1 for a right answer, -accuracy/(1 - accuracy) for a
wrong one, 0 for none), its change against no remedy tested by clusters; p corrected over runs and
remedies (Holm). One temperature changes no answer, and of two questions it may change the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import metrics
from calib.calibrators.abstention import Threshold, abstention
from calib.intervals import paired_difference
from calib.records import InputError
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
from calib.studies.findings.outcome import SCORED, Outcome, of_kind
from calib.studies.findings.tests import TESTED, Test, cells, corrected, said, sign
from calib.summary.ranking import fit_calibrator, outcome_of
from calib.summary.remedies import kept_because, split
from calib.summary.rows import Scored
from calib.summary.table import RESAMPLES, mean

ACCURACY, COVERAGE, REMEDIES, NONE = 0.9, 0.8, ["temperature", "grouped"], "none"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A run under one remedy: on the half that judges, (N,) confidence, right, answered, worth."""

    run: str
    remedy: str
    threshold: Threshold | None
    confidence: Floats
    correct: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    worth: Floats
    half: Scored


def find(outcomes: Sequence[Outcome], options: Mapping[str, Any], seed: int) -> Found:
    promised = float(options.get("accuracy", ACCURACY))
    remedies = [NONE, *options.get("remedies", REMEDIES)]
    judged: list[Judged] = []
    cautions: list[str] = []
    for run in of_kind(outcomes, *SCORED):
        for remedy in remedies:
            found = judge(run.name, run.scored, remedy, promised, seed)
            if isinstance(found, str):
                cautions.append(f"{run.name}, {remedy}: {found}")
            else:
                judged.append(found)
    tests = corrected(changes(judged, seed))
    return Found(
        [conclusion(test) for test in tests],
        [table(judged, promised), differences(tests, promised), groups(judged)],
        [forest(tests)] if tests else [],
        cautions,
    )


def judge(name: str, scored: Scored, remedy: str, promised: float, seed: int) -> Judged | str:
    """What a remedy does on the half that judges; a text where it cannot be fitted."""
    fit, held_out = split(scored.cluster, seed)
    if len(fit) == 0 or len(held_out) == 0:
        return "a half is empty"
    before, after = scored.take(fit), scored.take(held_out)
    chosen, shown = (before.confidence, before.correct), (after.confidence, after.correct)
    if remedy != NONE:
        if why := kept_because(scored, fit):
            return why
        try:
            calibrator = fit_calibrator(remedy, scored, fit)
        except InputError as error:
            return str(error)
        one, other = outcome_of(calibrator, scored, fit), outcome_of(calibrator, scored, held_out)
        chosen, shown = (one.confidence, one.correct), (other.confidence, other.correct)
    threshold = abstention(*chosen, risk=1 - promised, clusters=before.cluster, seed=seed)
    assert threshold is None or isinstance(threshold, Threshold)  # only groups give a dict
    confidence, correct = shown
    answered = confidence >= (threshold.value if threshold else np.inf)
    cost = promised / (1 - promised)
    worth = np.where(answered, np.where(correct, 1.0, -cost), 0.0)
    return Judged(name, remedy, threshold, confidence, correct, answered, worth, after)


def changes(judged: Sequence[Judged], seed: int) -> list[dict[str, Any]]:
    """The change of utility by each remedy, question by question."""
    base = {each.run: each for each in judged if each.remedy == NONE}
    tests = []
    for each in judged:
        if each.remedy == NONE:
            continue
        zeros = np.zeros(len(each.worth))
        found = paired_difference(
            mean,
            (each.worth, zeros),
            (base[each.run].worth, zeros),
            clusters=each.half.cluster,
            n=RESAMPLES,
            seed=seed,
        )
        tests.append({**asdict(found), "of": each.run, "remedy": each.remedy})
    return tests


def conclusion(test: Test) -> Conclusion:
    found = sign(test)
    does = {1: "raises", -1: "lowers", 0: "is not shown to change"}[found]
    tail = f" ({said(test)})" if found else ""
    return Conclusion(
        f"{test['of']}: {test['remedy']}",
        SHOWN if found else OPEN,
        f"{test['of']}: {test['remedy']} {does} the utility of answering where it is sure{tail}.",
    )


def table(judged: Sequence[Judged], promised: float) -> Table:
    rows = []
    for each in judged:
        order = np.argsort(-each.confidence, kind="stable")
        most = order[: max(1, round(COVERAGE * len(order)))]
        answered = each.correct[each.answered]
        rows.append(
            [
                each.run,
                each.remedy,
                len(each.worth),
                each.threshold.value if each.threshold else None,
                float(each.answered.mean()),
                float(answered.mean()) if len(answered) else None,
                float(each.worth.mean()),
                float(each.correct[most].mean()),
                metrics.aurc(each.confidence, each.correct),
            ]
        )
    return Table(
        "selective",
        f"Answering where {promised:.0%} are promised to be right",
        [
            Column("run"),
            Column("remedy"),
            Column("n", "count"),
            Column("answers from", "fixed"),
            Column("coverage", "percent"),
            Column("right of these", "percent"),
            Column("utility", "signed"),
            Column(f"right of the surest {COVERAGE:.0%}", "percent"),
            Column("AURC", "fixed"),
        ],
        rows,
        "The threshold is chosen on one half, and kept with a probability of 95 %; the other half "
        "is shown. Without a threshold nothing can be promised, and nothing is answered.",
    )


def differences(tests: Sequence[Test], promised: float) -> Table:
    return Table(
        "utility",
        "Change of utility against no remedy",
        [Column("run"), Column("remedy"), *TESTED],
        [[test["of"], test["remedy"], *cells(test)] for test in tests],
        f"A right answer is worth 1, a wrong one −{promised / (1 - promised):.3g}, none 0.",
    )


def groups(judged: Sequence[Judged]) -> Table:
    rows = []
    for each in judged:
        for group in np.unique(each.half.group):
            own = each.half.group == group
            answered = own & each.answered
            rows.append(
                [
                    each.run,
                    each.remedy,
                    str(group) or "(none)",
                    int(own.sum()),
                    float(each.answered[own].mean()),
                    float(each.correct[answered].mean()) if answered.any() else None,
                ]
            )
    columns = [
        Column("run"),
        Column("remedy"),
        Column("group"),
        Column("n", "count"),
        Column("coverage", "percent"),
        Column("right of these", "percent"),
    ]
    note = "One threshold for all groups promises nothing of a group."
    return Table("groups", "By group", columns, rows, note)


def forest(tests: Sequence[Test]) -> Figure:
    return Figure(
        "forest",
        "Change of utility",
        "Per question, with 95 % intervals by clusters; right of 0: the remedy helps.",
        {
            "rows": [[f"{test['of']}: {test['remedy']}", *bounds(test)] for test in tests],
            "unit": "fixed",
            "zero": 0.0,
        },
    )
