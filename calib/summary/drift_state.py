"""What ``calib drift`` carries from one file of outcomes to the next, in a JSON file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.fields import (
    Fields,
    check_fields,
    is_count,
    is_list,
    is_number,
    is_text,
    or_null,
    read_saved,
)
from calib.intervals.addressed import uniforms
from calib.intervals.betting import HALVINGS, Evidence
from calib.records import InputError
from calib.runs.durable import replace

Floats = NDArray[np.float64]

FORMAT = "calib.drift/1"
COUNT = "a whole number from 0", is_count
SHARE = "a number from 0 to 1", lambda value: is_number(value, 0, 1)
WORTH = (
    f"{HALVINGS} numbers from 0",
    lambda value: is_list(lambda one: is_number(one, 0, np.inf))(value) and len(value) == HALVINGS,
)
SAVED: Fields = {
    "margin": SHARE,
    "alpha": SHARE,
    "seed": COUNT,
    "calibrator": ("a digest or null", or_null(is_text)),
    "batches": COUNT,
    "above": WORTH,
    "below": WORTH,
    "n": COUNT,
    "sum": ("a number", lambda value: is_number(value, -np.inf, np.inf)),
    "alarm": ("a file's name or null", or_null(is_text)),
    "weeks": ("a list of objects", is_list(lambda value: isinstance(value, dict))),
    "counted": ("a list of texts", is_list(is_text)),
}
WEEK: Fields = {
    "file": ("a name", is_text),
    "digest": ("a digest", is_text),
    "new": COUNT,
    "left_out": COUNT,
    "difference": ("a number or null", or_null(lambda value: is_number(value, -1, 1))),
    "evidence": ("a number from 0", lambda value: is_number(value, 0, np.inf)),
}


@dataclass(frozen=True, slots=True)
class Week:
    """One file of outcomes.

    ``new`` outcomes counted, one a cluster; ``left_out`` rows did not, as their cluster had counted
    already, here or in an earlier file. ``difference``: the mean of correct - confidence over the
    new ones, None without any. ``evidence``: against the null, after this file.
    """

    file: str
    digest: str
    new: int
    left_out: int
    difference: float | None
    evidence: float


class Asked(NamedTuple):
    """What a state was begun with, and every file of it must be asked about with.

    ``calibrator``: the digest of its file, None for the confidence as it is.
    """

    margin: float
    alpha: float
    seed: int
    calibrator: str | None


@dataclass
class State:
    """What is carried from file to file."""

    asked: Asked
    evidence: Evidence
    n: int = 0
    sum: float = 0.0
    alarm: str | None = None
    weeks: list[Week] = field(default_factory=list)
    counted: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path | None, asked: Asked) -> State:
        """What ``path`` holds; a new one where it holds nothing. InputError for another file."""
        if path is None or not path.exists():
            return cls(asked, Evidence(asked.margin))
        content = read_saved(path, "the state of calib drift", FORMAT)
        check_fields(content, str(path), SAVED)
        for week in content["weeks"]:
            check_fields(week, str(path), WEEK)
        for name, value in asked._asdict().items():
            if content[name] != value:
                before, now = ("none" if each is None else each for each in (content[name], value))
                raise InputError(
                    f"{path}: it was begun with {name} {before}, got {now}; choose another --state "
                    "to begin anew"
                )
        return cls(
            asked,
            Evidence(
                asked.margin, content["batches"], tuple(content["above"]), tuple(content["below"])
            ),
            content["n"],
            content["sum"],
            content["alarm"],
            [Week(**{name: week[name] for name in WEEK}) for week in content["weeks"]],
            set(content["counted"]),
        )

    def write(self, path: Path) -> None:
        content = {
            "format": FORMAT,
            **self.asked._asdict(),
            "batches": self.evidence.batches,
            "above": self.evidence.above,
            "below": self.evidence.below,
            "n": self.n,
            "sum": self.sum,
            "alarm": self.alarm,
            "weeks": list(map(asdict, self.weeks)),
            "counted": sorted(self.counted),
        }
        replace(path, json.dumps(content, indent=1) + "\n")

    def take(
        self, file: str, digest: str, ids: Sequence[str], keys: Sequence[str], outcomes: Floats
    ) -> Week:
        """Count one row of each cluster that has not counted; ``keys`` (N,) are the clusters'."""
        luck = uniforms(self.asked.seed, ids)
        drawn: dict[str, int] = {}
        for row in np.argsort(luck, kind="stable").tolist():
            if keys[row] not in self.counted:
                drawn.setdefault(keys[row], row)
        d = outcomes[sorted(drawn.values())]
        self.evidence = self.evidence.after(d)
        self.n += len(d)
        self.sum += float(d.sum())
        self.counted |= set(drawn)
        mean = float(d.mean()) if len(d) else None
        week = Week(file, digest, len(d), len(keys) - len(d), mean, self.evidence.value)
        self.weeks.append(week)
        if self.alarm is None and week.evidence >= 1 / self.asked.alpha:
            self.alarm = file
        return week
