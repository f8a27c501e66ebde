"""Whether confidence still holds in use: files of new outcomes, one after the other.

The null is that the mean of correct - confidence is no further from 0 than a margin. An exact null
would be rejected in the end for any map that was ever fitted. ``calib.intervals.betting`` gives the
evidence against it, which may be looked at after every file; the alarm at 1 / alpha is false with a
probability of at most alpha, over all files together. A cluster of outcomes counts once, as the one
of its rows that a seed draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.calibrators import judged, load
from calib.calibrators.facts import HOLDS, OPTIONS, STATED
from calib.fields import refuse_irregular
from calib.logs.read import read_log
from calib.records import InputError
from calib.runs.config import checked
from calib.summary.drift_state import Asked, State, Week
from calib.summary.rows import Scored, cluster_name, collect

Floats = NDArray[np.float64]

KEY_BYTES = 8
"""Of the hash by which a cluster is remembered."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What all files so far say.

    ``week``: the file that was asked about. ``alarm``: the file after which the evidence had
    reached 1 / ``alpha``, None without one; it stays. ``n`` outcomes, and the mean ``difference``
    of correct - confidence over them, None without any. ``then``: what the files up to ``week``
    said, where ``later`` ones have counted since, else None; ``evidence``: after all of them.
    """

    week: Week
    alarm: str | None
    margin: float
    alpha: float
    n: int
    difference: float | None
    evidence: float
    later: int = 0
    then: Drift | None = None

    def __str__(self) -> str:
        """One line, for a log. Of an earlier file it begins as it did then."""
        state = "no alarm" if self.alarm is None else f"ALARM since {self.alarm}"
        every = f"in all {self.n:,}"
        if self.difference is not None:
            every += f", {self.difference:+.3f}"
        if self.then is not None:
            return (
                f"{self.then}; {self.later:,} file{'s' * (self.later > 1)} since: {state}; "
                f"evidence {self.evidence:.3g}; {every}"
            )
        week = f"{self.week.file}: {self.week.new:,} new outcomes"
        if self.week.difference is not None:
            week += f", correct - confidence {self.week.difference:+.3f}"
        if self.week.left_out:
            week += f", {self.week.left_out:,} rows left out (their cluster has counted)"
        return (
            f"drift: {state}; evidence {self.evidence:.3g} of {1 / self.alpha:g}; {week}; "
            f"{every} (margin {self.margin:g})"
        )

    @classmethod
    def of(cls, state: State, week: Week) -> Drift:
        """What ``state`` says, asked about ``week``, which is one of its files."""
        margin, alpha, place = state.asked.margin, state.asked.alpha, state.weeks.index(week)

        def after(weeks: Sequence[Week]) -> Drift:
            n = sum(each.new for each in weeks)
            total = sum(each.new * (each.difference or 0.0) for each in weeks)
            alarms = (each.file for each in weeks if each.evidence >= 1 / alpha)
            evidence = weeks[-1].evidence
            return cls(
                week, next(alarms, None), margin, alpha, n, total / n if n else None, evidence
            )

        now, later = after(state.weeks), len(state.weeks) - 1 - place
        return replace(now, later=later, then=after(state.weeks[: place + 1])) if later else now


def drift(
    path: str | Path,
    *,
    state: str | Path | None = None,
    calibrator: str | Path | None = None,
    margin: float = 0.02,
    alpha: float = 0.05,
    seed: int = 0,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Drift:
    """Whether the outcomes in a file, after those of earlier ones, still fit their confidence.

    path: a table or log that ``calib.read_log`` reads, whose rows have an id or a cluster of their
    own. state: the JSON file that carries the evidence from one file to the next; made where there
    is none, and nothing is carried without it. A file whose content has counted changes nothing.
    calibrator: a saved calibrator, which makes the confidence out of the table's scores; by default
    the confidence is the table's. margin: how far the mean of correct - confidence may be from 0.
    alpha: the probability of a false alarm, ever. format, columns: the format of ``read_log`` and
    its arguments, by name.

    Raises InputError for a file that is none of these, and for a state that was begun otherwise.
    """
    for name, share in (("margin", margin), ("alpha", alpha)):
        least = share == 0 and name == "margin"
        if not isinstance(share, Real) or not (least or 0 < share < 1):
            raise InputError(f"{name}: expected a number between 0 and 1, got {share!r}")
    run = read_log(path, format, out=None, bins=15, seed=0, **(columns or {}))
    if run.config.get("numbered") and not all("cluster" in row for row in run.rows()):
        raise InputError(
            f"{path}: expected a column id or cluster, by which an outcome is known when it comes "
            "again"
        )
    if calibrator is not None and not Path(calibrator).is_file():
        raise InputError(f"{calibrator}: there is no such file")
    saved = None if calibrator is None else load(calibrator)
    place = None if state is None else Path(state)
    if place is not None:
        refuse_irregular(place)
        if not place.parent.is_dir():
            raise InputError(f"{place}: there is no folder {place.parent}")
    fitted = None if calibrator is None else digest_of(Path(calibrator).read_bytes())
    kept = State.read(place, Asked(float(margin), float(alpha), checked("seed", seed), fitted))
    digest = run.config["digest"]
    before = next((week for week in kept.weeks if week.digest == digest), None)
    if before is not None:
        return Drift.of(kept, before)
    scored, rows, _ = collect(run.rows(), vocabulary=False, of=path)
    ids, keys = zip(
        *((str(r["id"]), digest_of(cluster_name(r).encode())) for r in rows), strict=True
    )
    found = Outcomes(scored.correct, scored.confidence)
    if saved is not None:
        found = calibrated(scored, saved, f"{path}, {calibrator}")
    week = kept.take(name_of(Path(path)), digest, ids, keys, found.correct - found.confidence)
    if place is not None:
        kept.write(place)
    return Drift.of(kept, week)


class Outcomes(NamedTuple):
    """(N,) each: whether answers are right, and how likely that was said to be."""

    correct: NDArray[np.bool_]
    confidence: Floats


def calibrated(scored: Scored, calibrator: Any, where: str) -> Outcomes:
    """The outcomes after ``calibrator``, which may answer otherwise where it maps all options.

    A map of the answer's confidence holds whatever scores that came from. Any other holds for the
    kind of scores that it was fitted to: of options, or of right and wrong where a confidence is
    all there is. Raises InputError, beginning with ``where``, for the other kind, and for groups
    that a table does not say.
    """
    fitted = calibrator.made_for_["scores"]
    unfit = fitted != scored.scores and (fitted is not None or scored.scores == STATED)
    if unfit and not calibrator.of_confidence:
        raise InputError(
            f"{where}: the table has {HOLDS[scored.scores]}, and the calibrator was "
            f"{'not said to be ' if fitted is None else ''}fitted to "
            f"{HOLDS[fitted or scored.scores]}"
        )
    right = None if scored.scores == OPTIONS else np.zeros(len(scored), np.int64)
    groups = scored.group if scored.group.any() else None
    try:
        said = judged(calibrator, scored.logprob, groups=groups, given=right)
    except InputError as unfit_table:
        raise InputError(f"{where}: {unfit_table}") from unfit_table
    return Outcomes(said.prediction == scored.answer, said.confidence)


def name_of(path: Path) -> str:
    """The file's name as one line of a text that can be written."""
    return " ".join(path.name.encode(errors="replace").decode().split())


def digest_of(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=KEY_BYTES).hexdigest()
