"""What a Trainer's checkpoint tells of calibration: the history that CalibrationCallback left.

``trainer_state.json`` is read as plain JSON. Whatever is in it may have been damaged since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calib.fields import (
    Fields,
    check_fields,
    is_count,
    is_list,
    is_mapping,
    is_number,
    is_share,
    is_text,
    or_null,
    read_object,
)
from calib.intervals.floor import expected_ece
from calib.metrics.binned import ece_of
from calib.metrics.binning import ReliabilityCurve
from calib.records import InputError
from calib.runs.config import MOST_BINS
from calib.runs.kinds import STATE, states_in
from calib.summary.curves import bars

CALLBACK = "CalibrationCallback"
SAVED = "eval_saved"
"""The name of a save's record, which takes together what was evaluated since the save before."""
ECE = re.compile(r"ece_width(\d{1,5})_left")

MOST = 1 << 53
"""A greater count is damage, and no drawing takes it."""
SHARE = ("a number from 0 to 1", is_share)
COUNT = ("a whole number from 0", lambda value: is_count(value) and value < MOST)
ANY_OBJECT = ("an object with named fields", is_mapping(lambda value: True))
OBJECTS = ("a list of objects", is_list(is_mapping(lambda value: True)))
OF_STATE: Fields = {"global_step": COUNT, "log_history": OBJECTS, "stateful_callbacks": ANY_OBJECT}
OF_CALLBACK: Fields = {"attributes": ANY_OBJECT}
OF_ATTRIBUTES: Fields = {"history": OBJECTS, "histograms": ANY_OBJECT}
OF_ROWS: Fields = {"step": COUNT, "confidence": SHARE, "top1_accuracy": SHARE}
OF_RECORD: Fields = {
    "name": ("text", is_text),
    "rows": ("a whole number from 1", lambda value: is_count(value) and 0 < value < MOST),
    "invalid": COUNT,
    **OF_ROWS,
}
OPTIONAL: Fields = {
    "epoch": ("a number from 0 or null", or_null(lambda value: is_number(value, 0.0, MOST))),
    "entropy": ("a number of nats", lambda value: is_number(value, 0.0, 1000.0)),
    "expected_ece": SHARE,
}
OF_HISTOGRAM: Fields = {
    "bins": (
        f"a whole number from 1 to {MOST_BINS:,}",
        lambda v: is_count(v) and 1 <= v <= MOST_BINS,
    ),
    "scale": ("a number from 1", lambda value: is_number(value, 1.0, 2.0**53)),
    "sums": (
        "a list of whole numbers from 0",
        is_list(lambda value: is_count(value) and value < 2**63),
    ),
}


@dataclass(frozen=True, slots=True)
class Diagram:
    """The last evaluation of a set: its ``rows`` of bins as of ``curves.diagram``, n and ECE."""

    bins: list[dict[str, Any]]
    n: int
    ece: float
    expected: float


@dataclass(frozen=True, slots=True)
class Training:
    """A training run's calibration, by ``step``.

    ``evaluations``: records with name, step, epoch, rows, invalid, ece, bins, confidence,
    top1_accuracy, entropy and expected_ece; what is not known is None. ``trained``: the same of the
    rows trained on, as far as Trainer logged them, without name, rows and invalid. ``diagrams``: by
    the name of an evaluation set. ``repeats``: how many saves are not among the evaluations, since
    they took together no more than one, which is.
    """

    path: Path
    step: int
    evaluations: list[dict[str, Any]]
    trained: list[dict[str, Any]]
    diagrams: dict[str, Diagram]
    repeats: int

    @property
    def sets(self) -> dict[str, list[dict[str, Any]]]:
        """The records of each evaluation set; those of saves only where there are no others."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in self.evaluations:
            found.setdefault(record["name"], []).append(record)
        return {name: each for name, each in found.items() if name != SAVED} or found


def read_training(folder: Path) -> Training:
    """The history in a checkpoint, or in the newest checkpoint of an output folder.

    Raises InputError where there is none, or where it cannot be what the callback wrote.
    """
    path, state = newest(folder)
    callbacks = state["stateful_callbacks"]
    if CALLBACK not in callbacks:
        raise InputError(
            f"{path}: it holds no history of a {CALLBACK}: say "
            f"calib.{CALLBACK}().bind(trainer) before trainer.train(), and the next checkpoint "
            "holds one"
        )
    attributes = attributes_of(callbacks[CALLBACK], f"{path}: {CALLBACK}")
    if not attributes["history"]:
        raise InputError(
            f"{path}: its {CALLBACK} has recorded no evaluation yet; Trainer evaluates with an "
            "eval_dataset and an eval_strategy"
        )
    records = [
        record_of(record, f"{path}: {CALLBACK}: history, entry {number}", OF_RECORD)
        for number, record in enumerate(attributes["history"], start=1)
    ]
    diagrams = {
        name: diagram_of(saved, f"{path}: {CALLBACK}: histograms, {name[:80]!r}")
        for name, saved in attributes["histograms"].items()
    }
    trained = [
        record_of(entry, f"{path}: log_history, entry {number}", OF_ROWS)
        for number, entry in enumerate(state["log_history"], start=1)
        if any(map(ECE.fullmatch, entry))
    ]
    by_step = partial(sorted, key=lambda record: int(record["step"]))
    records = by_step(records)
    once = without_repeats(records)
    evaluations, repeats = with_floors(once, diagrams), len(records) - len(once)
    return Training(path, state["global_step"], evaluations, by_step(trained), diagrams, repeats)


def newest(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The trainer_state.json of a folder that has seen most steps, checked as far as Trainer's."""
    found: list[tuple[Path, dict[str, Any]]] = []
    for path in states_in(folder):
        state = read_object(path)
        check_fields(state, str(path), OF_STATE)
        found.append((path, state))
    if not found:
        raise InputError(f"{folder}: there is no {STATE}, in it or in a checkpoint-N below it")
    return max(found, key=lambda pair: int(pair[1]["global_step"]))


def attributes_of(saved: Any, where: str) -> Mapping[str, Any]:
    """The callback's own attributes; a list of several callbacks is refused."""
    if not isinstance(saved, dict):
        raise InputError(
            f"{where}: expected the state of one callback, got a {type(saved).__name__}"
        )
    check_fields(saved, where, OF_CALLBACK)
    attributes: Mapping[str, Any] = saved["attributes"]
    check_fields(attributes, where, OF_ATTRIBUTES)
    return attributes


def record_of(record: Mapping[str, Any], where: str, fields: Fields) -> dict[str, Any]:
    """A record with its ECE under the one name ``ece``, and None for what it does not say."""
    check_fields(record, where, fields, OPTIONAL)
    named = [match for match in map(ECE.fullmatch, record) if match]
    if len(named) != 1:
        raise InputError(f"{where}: expected one field ece_width<bins>_left, got {len(named)}")
    check_fields(record, where, {named[0][0]: SHARE})
    kept = {name: record[name] for name in fields}
    kept |= {name: record.get(name) for name in OPTIONAL}
    return {**kept, "bins": int(named[0][1]), "ece": record[named[0][0]]}


def diagram_of(saved: Any, where: str) -> Diagram:
    """The bins of a histogram's state."""
    check_fields({"": saved}, where, {"": ANY_OBJECT})
    check_fields(saved, where, OF_HISTOGRAM)
    bins, sums = saved["bins"], saved["sums"]
    if len(sums) != 3 * bins + 1:
        raise InputError(f"{where}: sums: expected {3 * bins + 1:,} numbers, got {len(sums):,}")
    count, correct, confidence = np.array(sums[:-1], dtype=np.float64).reshape(3, bins)
    confidence /= saved["scale"]
    if not count.any():
        raise InputError(f"{where}: sums: expected one row or more, got none")
    if (correct > count).any() or (confidence > count).any():
        raise InputError(f"{where}: sums: a bin has more right answers or confidence than rows")
    filled = np.flatnonzero(count)
    n = count[filled]
    curve = ReliabilityCurve(
        low=filled / bins,
        high=(filled + 1) / bins,
        count=n.astype(np.int64),
        confidence=confidence[filled] / n,
        accuracy=correct[filled] / n,
    )
    floor = expected_ece(count, confidence)
    return Diagram(bars(curve, bins), int(n.sum()), ece_of(curve), floor)


def without_repeats(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records but for saves with every number of the evaluation before, be it at its step or
    earlier."""
    when = {"name", "step", "epoch"}
    kept: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for record in records:
        numbers = {name: value for name, value in record.items() if name not in when}
        if record["name"] == SAVED:
            if numbers != before:
                kept.append(dict(record))
            before = None
        else:
            kept.append(dict(record))
            before = numbers
    return kept


def with_floors(
    records: list[dict[str, Any]], diagrams: Mapping[str, Diagram]
) -> list[dict[str, Any]]:
    """The records; the last of each set has its floor also where an earlier version wrote it."""
    last = {record["name"]: number for number, record in enumerate(records)}
    for name, number in last.items():
        diagram, record = diagrams.get(name), records[number]
        if record["expected_ece"] is None and diagram is not None and diagram.n == record["rows"]:
            records[number] = {**record, "expected_ece": diagram.expected}
    return records
