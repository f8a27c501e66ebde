"""Which checkpoints there are, what they are called, and the order of their steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.records import InputError
from calib.runs import Run
from calib.runs.kinds import need

FORMAT = "calib.trajectory/1"
BY_STEP, AS_GIVEN = "step", "given"
ORDERS = (BY_STEP, AS_GIVEN)
NUMBER = re.compile(r"(\d{1,15})$", re.ASCII)
"""The number at the end of a name: a step."""
CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})", re.ASCII)
"""What a Trainer calls a checkpoint's folder."""
INSIDE = "checkpoints"
"""The sub-folder of a work folder in which ``python -m training --keep`` keeps its states."""
LEAST, MOST = 2, 40
"""With more checkpoints every comparison of two costs more than it says."""


@dataclass(frozen=True)
class Checkpoint:
    """A finished run of one checkpoint; ``step`` is None where nothing says it."""

    name: str
    step: int | None
    run: Run


def in_order(runs: Sequence[Run], order: str = BY_STEP) -> tuple[list[Checkpoint], str]:
    """The checkpoints in the order of their steps, and in words where that comes from.

    A step is the number at the end of the names of the runs' folders or else of their models, if
    each has one and no two are alike; else, and with ``order`` "given", runs stay as they are
    given. Raises InputError for an unknown order, for no scored runs, too few, too many, and one
    that is given twice.
    """
    if order not in ORDERS:
        raise InputError(f"order: expected {' or '.join(ORDERS)}, got {order!r}")
    if not LEAST <= len(runs) <= MOST:
        raise InputError(f"runs: a trajectory has {LEAST} to {MOST} checkpoints, got {len(runs)}")
    for run in runs:
        need(run, "calib trajectory")
    places = [Path(run.path).resolve() for run in runs]
    twice = next(
        (run.path for run, at in zip(runs, places, strict=True) if places.count(at) > 1), None
    )
    if twice is not None:
        raise InputError(f"{twice}: a trajectory takes each run once, got it twice")
    folders = [at.name for at in places]
    models = [last_part(str(run.config.get("model") or "")) for run in runs]
    if order == BY_STEP:
        for names, of in ((folders, "runs"), (models, "models")):
            steps = [step_in(name) for name in names]
            if None not in steps and len(set(steps)) == len(steps):
                found = [Checkpoint(*each) for each in zip(names, steps, runs, strict=True)]
                return sorted(found, key=lambda c: c.step or 0), (
                    f"by the number at the end of the {of}' names"
                )
    names = next(
        (each for each in (folders, models) if all(each) and len(set(each)) == len(each)),
        [str(number) for number in range(1, len(runs) + 1)],
    )
    return [Checkpoint(n, None, r) for n, r in zip(names, runs, strict=True)], "as given"


def last_part(name: str) -> str:
    """A model's name without the folders or the owner before it."""
    return name.rstrip("/").rpartition("/")[2]


def step_in(name: str) -> int | None:
    found = NUMBER.search(name)
    return None if found is None else int(found[1])


def checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of each checkpoint-N in a Trainer's output folder, or in its ``INSIDE``.

    Raises InputError where there are too few or too many.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder that holds checkpoint-N folders, got none")
    for place in (folder, folder / INSIDE):
        found = sorted(
            (int(named[1]), path)
            for path in (place.iterdir() if place.is_dir() else ())
            if (named := CHECKPOINT.fullmatch(path.name)) and path.is_dir()
        )
        if found:
            break
    if not LEAST <= len(found) <= MOST:
        raise InputError(
            f"{folder}: expected {LEAST} to {MOST} folders named checkpoint-N, got {len(found)}"
        )
    steps = [step for step, _ in found]
    if len(set(steps)) < len(steps):
        raise InputError(f"{folder}: two of its checkpoint-N folders are of one step")
    return found
