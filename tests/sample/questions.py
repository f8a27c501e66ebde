"""Questions to draw answers to, and the records of what was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import calib
from calib.records import Item

SETTINGS: dict[str, Any] = {"samples": 4, "max_new_tokens": 6, "seed": 3}


def questions(n: int = 5) -> calib.tasks.Task:
    return calib.load_task(
        [
            Item(f"q{i}", "What is " + "it" * i + "?", options=("yes", "no"), answer=i % 2)
            for i in range(n)
        ]
    )


def records(path: Path) -> list[dict[str, Any]]:
    """Every line of every file, by item and sample."""
    lines = [
        json.loads(line)
        for file in path.glob("records-*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return sorted(lines, key=lambda row: (row["index"], row["sample"]))
