"""Reasoning before answering: a text is sampled, then the options are scored after it.

The prompt asks for the text (``reasoned``), or the model thinks it in the block that its chat
template opens for that (``thought``). The texts are a sampled run in a folder inside the scored
one: seed and item address them, and a run that goes on does not draw them again.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from calib.drive.engine import await_answers
from calib.drive.sample import sample
from calib.models.protocol import Model
from calib.records import InputError
from calib.runs.folder import Progress, counting
from calib.tasks import Task

TOKENS = 128
"""Tokens of reasoning, at most."""
THOUGHTS = 1024
"""Tokens of thoughts, at most."""


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
        model,
        task,
        out=folder,
        limit=limit,
        prompt="reason",
        progress=counting(progress, "reasonings"),
        **settings,
    )
    items = task.selection(limit, seed)
    await_answers(run, len(items))
    said = dict(zip(run.answers()["id"], run.answers()["text"], strict=True))
    reasoned_items = tuple(
        replace(item, meta={**item.meta, "reasoning": said[item.id]}) for item in items
    )
    return replace(task, items=reasoned_items)


def thought(
    model: Model,
    task: Task,
    out: Path,
    form: str,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    tokens: int = THOUGHTS,
) -> Task:
    """The chosen questions of ``task``, asked in prompt form ``form``, each with the thoughts of
    ``model`` in its meta.

    Thoughts that have not ended after ``tokens`` are ended there,
    and a warning says how many. Raises InputError where the chat template knows no thinking.
    """
    end = model.can.thinking
    if end is None:
        raise InputError("thinking: expected off or own, as this model's chat template has none")
    run = sample(
        model, task, out=out / "thinking", limit=limit, prompt=form, thinking="on",
        progress=counting(progress, "thoughts"), samples=1, seed=seed, stop=(end,),
        max_new_tokens=tokens,
    )  # fmt: skip
    items = task.selection(limit, seed)
    await_answers(run, len(items))
    answers = run.answers()
    if unended := int((answers["finish"] == "length").sum()):
        warnings.warn(
            f"{unended:,} of {len(answers):,} thoughts had not ended after "
            f"{tokens:,} tokens and are ended there",
            stacklevel=2,
        )
    thoughts = dict(zip(answers["id"], answers["text"], strict=True))
    thought_items = tuple(
        replace(item, meta={**item.meta, "thinking": thoughts[item.id]}) for item in items
    )
    return replace(task, items=thought_items)
