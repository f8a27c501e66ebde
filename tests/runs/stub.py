"""Fifty questions, a model that stops where it is told to, and what both write."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from calib.drive.score import score
from calib.models.protocol import ScoredBatch, Scoring
from calib.records import Item
from calib.tasks import Task
from tests.fake_model import Fake, Plan

QUESTIONS, ROWS = 50, 6
BATCHES = 9  # 50 questions in batches of 6
TASK = Task(
    "made-up",
    tuple(
        Item(
            f"q{k}",
            "why? " * (1 + 7 * k % 11),
            options=("yes", "no", "ünklar")[: 2 + k % 2],
            answer=None if k % 10 == 3 else k % 2,
            group="ab"[k % 2],
        )
        for k in range(QUESTIONS)
    ),
)


class Stub(Fake):
    """Stops at the batch it is told to, takes its time, and knows what it was asked."""

    def __init__(self, stop_at: int | None = None, seconds: float = 0, **facts: Any) -> None:
        super().__init__(**facts)
        self.stop_at, self.seconds = stop_at, seconds
        self.asked: list[str] = []
        self.batches = 0

    def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
        plan = super().scores(items, how)
        run = plan.run

        def counted(numbers: Sequence[int], bins: int) -> Iterator[ScoredBatch]:
            for number in numbers:
                if self.batches == self.stop_at:
                    raise KeyboardInterrupt
                self.batches += 1
                time.sleep(self.seconds)
                self.asked += [items[i].id for i in plan.batches[number]]
                yield from run([number], bins)

        plan.run = counted
        return plan


def run(folder: Path, model: Stub | None = None, **given: Any) -> Stub:
    """Score TASK into ``folder``, if need be with the stub's own stop."""
    model = model or Stub()
    try:
        score(model, TASK, out=folder, **{"batch_size": ROWS, **given})
    except KeyboardInterrupt:
        assert model.stop_at is not None
    return model


def records(folder: Path) -> bytes:
    return (folder / "records.jsonl").read_bytes()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}


def score_with_little_room(folder: Path, room: int) -> None:
    """Score where a file may not grow beyond ``room`` bytes; say what was raised."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        run(folder)
    except Exception as error:  # noqa: BLE001 - its class is what is asked for
        print(type(error).__name__, error)  # noqa: T201
