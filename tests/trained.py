"""A Trainer's checkpoint as CalibrationCallback leaves it, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BINS, SCALE = 4, 2.0**32
COUNT, CORRECT, CONFIDENCE = [0, 10, 20, 30], [0, 6, 10, 27], [0.0, 4.0, 12.5, 24.0]
"""Rows, right ones and summed confidence in each bin of the last evaluation."""
SURE = sum(CONFIDENCE) / 60
RIGHT = sum(CORRECT) / 60
ECE = (2 + 2.5 + 3) / 60


def record(name: str = "eval", step: int = 10, **more: Any) -> dict[str, Any]:
    """One evaluation; without ``more`` that of the histogram above."""
    return {
        "name": name, "step": step, "epoch": step / 10, "rows": 60, "invalid": 1,
        "expected_ece": 0.05, f"ece_width{BINS}_left": ECE, f"mce_width{BINS}_left": 0.2,
        "top1_accuracy": RIGHT, "confidence": SURE, "entropy": 1.25, **more,
    }  # fmt: skip


def histogram() -> dict[str, Any]:
    sums = [*COUNT, *CORRECT, *(round(c * SCALE) for c in CONFIDENCE), 1]
    return {"bins": BINS, "scale": SCALE, "sums": sums, "entropies": [0, 0]}


def state(
    history: list[Any] | None = None, histograms: Any = None, log: list[Any] | None = None
) -> dict[str, Any]:
    """What trainer_state.json holds, as far as a page reads it."""
    attributes = {
        "history": [record()] if history is None else history,
        "histograms": {"eval": histogram()} if histograms is None else histograms,
        "window": histogram(),
    }
    callback = {"args": {"bins": BINS, "shift": None}, "attributes": attributes}
    return {
        "global_step": 10,
        "epoch": 1.0,
        "log_history": log or [],
        "stateful_callbacks": {"CalibrationCallback": callback, "TrainerControl": {}},
    }


def checkpoint(folder: Path, content: Any = None, **more: Any) -> Path:
    """A checkpoint's folder: its state, and the config.json of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "temperature": 1.0}))
    text = content if isinstance(content, str) else json.dumps({**(content or state()), **more})
    (folder / "trainer_state.json").write_text(text)
    return folder
