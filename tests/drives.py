"""The two stories on 23 questions, called by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import calib
from calib.records import Item
from calib.runs import Run
from calib.tasks import Task

WORDS = ("red", "green", "blue", "one or two", "none of them")
TASK = Task(
    "drive",
    tuple(
        Item(f"q{k}", f"Which is number {k}?", (), WORDS[: 2 + k % 4], k % 2, f"g{k % 3}")
        for k in range(23)
    ),
    "options",
)
DRIVES = {
    "score": {"batch_size": 3},
    "sample": {"samples": 3, "max_new_tokens": 4},
}


def drive(name: str, model: Any, folder: Path, **how: Any) -> Run:
    return getattr(calib, name)(model, TASK, out=folder, **{**DRIVES[name], **how})


def lines(folder: Path) -> list[str]:
    """Every record of every file, whoever wrote it and when."""
    return sorted(
        line for path in folder.glob("records*.jsonl") for line in path.read_text().splitlines()
    )


def stop_after(monkeypatch: pytest.MonkeyPatch, appended: int) -> None:
    """A run is interrupted when it is about to write once more."""
    append, left = Run.append, [appended]

    def stopping(self: Run, rows: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        append(self, rows)

    monkeypatch.setattr(Run, "append", stopping)


def as_rank(patch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    patch.setenv("RANK", str(rank))
    patch.setenv("WORLD_SIZE", str(world))


def by_processes(
    patch: pytest.MonkeyPatch, world: int, name: str, model: Any, folder: Path, **how: Any
) -> Run:
    """The whole of a run, by ``world`` processes, one after another."""
    for rank in range(world):
        as_rank(patch, rank, world)
        run = drive(name, model, folder, **how)
    patch.delenv("RANK")
    patch.delenv("WORLD_SIZE")
    return run
