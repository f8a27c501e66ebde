"""Runs made of another run's rows, each changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calib.runs import Run, open_run


def altered(run: Run, folder: Path, change: Callable[[dict[str, Any]], None], **config: Any) -> Run:
    """The run's rows, each changed, in a folder of their own."""
    folder.mkdir()
    given = {**run.config, "model": "a/tuned", **config}
    (folder / "config.json").write_text(json.dumps(given))
    rows = run.rows()
    for row in rows:
        change(row)
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_run(folder)


def answer_first_option(row: dict[str, Any]) -> None:
    for values in (row["prob"], row["logprob"]):
        values[0], values[row["prediction"]] = values[row["prediction"]], values[0]
    row |= {"prediction": 0, "correct": row["answer"] == 0}
