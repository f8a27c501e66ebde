"""What each pair came to, and what all pairs of a way come to: shares and masses, in pairs.

dual accuracy  the question is answered right, and its twin abstained from
abstains       shares of each side; their difference is tested (McNemar, or exchanges of clusters)
mass           the mean share of "I don't know" among the options, of each side

Every number is of the same pairs. Pairs of one cluster are resampled and exchanged together; the p
of all tests of a study are corrected together (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.intervals import Difference, Interval, add_holm, bootstrap, paired_difference
from calib.summary.table import RESAMPLES, mean

Floats = NDArray[np.float64]
FORMAT = "calib.twins/1"
SCORES, ANSWERS = "scores", "answers"
"""Folders of the runs: of questions with options, and of those without."""
RATES = {
    "dual": "dual accuracy",
    "accuracy": "right, question",
    "abstains_twin": "abstains, twin",
    "abstains": "abstains, question",
    "mass_twin": "mass, twin",
    "mass": "mass, question",
}
TESTS = {
    "abstention": ("abstains, twin − question", "abstains_twin", "abstains"),
    "mass": ("mass, twin − question", "mass_twin", "mass"),
}
"""Each test: its label, and the two of ``RATES`` whose difference it is of."""


@dataclass(frozen=True)
class Outcome:
    """What the two answers of a pair were; ``mass`` is None where there are no options."""

    pair: str
    how: str
    cluster: str
    right: bool
    abstains: bool
    abstains_twin: bool
    mass: float | None = None
    mass_twin: float | None = None
    unread: bool = False
    unread_twin: bool = False

    @property
    def accuracy(self) -> bool:
        return self.right

    @property
    def dual(self) -> bool:
        return self.right and self.abstains_twin


def by_way(outcomes: Sequence[Outcome], seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    """The numbers of each way, in the order of their first pair, and the tests of all of them."""
    ways = list(dict.fromkeys(outcome.how for outcome in outcomes))
    groups = {way: [outcome for outcome in outcomes if outcome.how == way] for way in ways}
    rows = [{"how": way, **measured(own, seed)} for way, own in groups.items()]
    tests = [
        {"how": way, "measure": name, "label": label, **asdict(found)}
        for way, own in groups.items()
        for name, (label, first, second) in TESTS.items()
        if (found := tested(own, first, second, seed)) is not None
    ]
    add_holm(tests)
    return rows, tests


def measured(own: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Each of ``RATES`` with its 95 % interval, and the counts behind the drawing."""
    return {
        "pairs": len(own),
        "clusters": len(set(clusters_of(own))),
        "unread": sum(o.unread for o in own),
        "unread_twin": sum(o.unread_twin for o in own),
        "without_mass": sum(o.mass is None or o.mass_twin is None for o in own),
        "rates": {
            name: {**asdict(share(own, name, seed)), "n": len(own)}
            for name in RATES
            if values_of(own, name) is not None
        },
        "shown": {
            "answerable": {
                "right": sum(o.right for o in own),
                "refused": sum(o.abstains for o in own),
                "wrong": sum(not o.right and not o.abstains for o in own),
            },
            "unanswerable": {
                "right": 0,
                "refused": sum(o.abstains_twin for o in own),
                "wrong": sum(not o.abstains_twin for o in own),
            },
        },
    }


def values_of(own: Sequence[Outcome], name: str) -> Floats | None:
    """The values of one of ``RATES`` (N,); None where a pair has none."""
    values = [getattr(outcome, name) for outcome in own]
    return None if None in values else np.array(values, float)


def clusters_of(own: Sequence[Outcome]) -> list[str]:
    return [outcome.cluster for outcome in own]


def share(own: Sequence[Outcome], name: str, seed: int) -> Interval:
    values = values_of(own, name)
    assert values is not None, "it was asked for where every pair has it"
    try:
        nothing = np.zeros(len(values))
        return bootstrap(mean, values, nothing, clusters=clusters_of(own), n=RESAMPLES, seed=seed)
    except ValueError as error:  # one cluster
        return Interval(float(values.mean()), None, None, f"none: {error}")


def tested(own: Sequence[Outcome], first: str, second: str, seed: int) -> Difference | None:
    """The mean of ``first`` minus that of ``second`` over the pairs; None where they lack one."""
    one, other = values_of(own, first), values_of(own, second)
    if one is None or other is None:
        return None
    nothing = np.zeros(len(own))
    try:
        return paired_difference(
            mean,
            (one, nothing),
            (other, nothing),
            clusters=clusters_of(own),
            n=RESAMPLES,
            seed=seed,
        )
    except ValueError as error:  # one cluster
        return Difference(float((one - other).mean()), None, None, f"none: {error}", None)
