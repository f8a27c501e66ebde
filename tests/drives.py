"""The two stories on 23 questions, called by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
