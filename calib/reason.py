"""Reasoning before answering: a text is sampled, then the options are scored after it.

The reasoning is a sampled run of its own, in the folder ``reasoning`` of the scored one, so it is
addressed by seed and item, kept, and not drawn again when the run goes on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from calib.hf.model import Model
from calib.sample import sample
from calib.score import Progress
from calib.tasks import Task

TOKENS = 128
"""Tokens of reasoning, at most."""


def reasoned(
    model: Model,
    task: Task,
    out: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **sampling: Any,
) -> Task:
    """The chosen questions of ``task``, each with one reasoning of ``model`` in its meta.

    ``calib.score`` puts it before the options. ``sampling``: see ``calib.sample``.
    """
    settings = {"max_new_tokens": TOKENS, **sampling, "samples": 1, "seed": seed}
    folder = out / "reasoning"
    run = sample(
        model, task, out=folder, limit=limit, prompt="reason", progress=progress, **settings
    )
    said = dict(zip(run.answers()["id"], run.answers()["text"], strict=True))
    items = tuple(
        replace(item, meta={**item.meta, "reasoning": said[item.id]})
        for item in task.selection(limit, seed)
    )
    return Task(task.name, items, task.prompt)
