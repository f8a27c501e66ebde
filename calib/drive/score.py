"""Story A, on one page: questions in, a run folder of scored answers out.

items -> prompts -> token ids -> batches -> one forward each -> option_scores -> records

Until a batch's rows are finished everything stays on the device; they leave it in one copy, while
the next batch is already under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from calib.drive.reason import THOUGHTS, thought
from calib.hf.batching import plan
from calib.hf.model import Model, load_model
from calib.hf.scoring import Scores, check_scoring
from calib.hf.thinking import MODES
from calib.records import InputError, Item
from calib.runs import Run
from calib.runs.begin import create, keep_prompts
from calib.runs.config import checked as checked_setting
from calib.runs.folder import Progress, slug
from calib.runs.pictures import saved
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.prompts import FORMS, check
from calib.tasks.task import digest


def score(
    model: Model | str,
    task: Task | str,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    batch_size: int | str = "auto",
    limit: int | None = None,
    prompt: str | None = None,
    variants: bool = False,
    confidence: str = "options",
    temperature: float = 1.0,
    normalize: str = "sum",
    thinking: str = "off",
    thinking_tokens: int = THOUGHTS,
    bins: int = 15,
    progress: Progress | None = None,
) -> Run:
    """Score every option of every question and keep one record per question in ``out``.

    ``limit`` questions are drawn by ``seed``. ``prompt`` is one of ``calib.tasks.prompts.FORMS``
    (default: the task's own), ``variants`` lets capitalised and spaced spellings count,
    ``normalize`` is "sum" or "mean" over the tokens of longer options, ``bins`` are the report's.
    Where the chat template lets a model think first, ``thinking="off"`` closes the block of
    thoughts empty, "on" samples it, at most ``thinking_tokens`` (``calib.drive.reason``), and "own"
    leaves it to the template. The same call goes on where an earlier one was stopped. Raises
    InputError for what can be refused at once.
    """
    task = checked(task) if isinstance(task, Task) else load_task(task)
    form = prompt or task.prompt
    for name, value, allowed in (("prompt", form, tuple(FORMS)), ("thinking", thinking, MODES)):
        if value not in allowed:
            raise InputError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
    check_scoring(confidence=confidence, normalize=normalize, temperature=temperature)
    bins, seed = checked_setting("bins", bins), checked_setting("seed", seed)
    items = task.selection(limit, seed)
    check_items(items, form)
    model = load_model(model) if isinstance(model, str) else model
    folder = Path(out) if out is not None else Path("runs") / slug(f"{model.name}-{task.name}")
    if thinking == "on":
        task = thought(
            model, task, folder, form, limit=limit, seed=seed, progress=progress,
            max_new_tokens=thinking_tokens,
        )  # fmt: skip
        items = task.items
    encoded = model.encode(items, form, variants=variants, thinking=thinking)
    batches = plan(
        [e.length for e in encoded],
        [e.kind for e in encoded],
        batch_size,
        model.device.type,
        [e.pixels for e in encoded],
    )
    config = {
        **model.facts,
        "task": task.name,
        "questions": len(items),
        "items": digest(items),
        "seed": seed,
        "limit": limit,
        "batch_size": batch_size,
        "prompt": form,
        "variants": variants,
        "confidence": confidence,
        "temperature": temperature,
        "normalize": normalize,
        "thinking": thinking if model.thinks else None,
        "bins": bins,
    }
    run, done = create(folder, config, batches)
    keep_prompts(run, items, [e.text for e in encoded])
    tell = progress or (lambda done, total, note: None)
    finished = sum(len(batch) for batch in batches[:done])
    tell(finished, len(items), task.name)
    pending: tuple[int, Scores] | None = None
    try:
        for number in range(done, len(batches)):
            batch = batches[number]
            scores = model.score_batch(
                [encoded[i] for i in batch],
                [items[i].answer for i in batch],
                confidence=confidence,
                temperature=temperature,
                normalize=normalize,
            )
            # The device computes this batch while the one before is copied and written.
            if pending is not None:
                finished += keep(run, task.name, items, batches, *pending)
                tell(finished, len(items), task.name)
            pending = number, scores
        if pending is not None:
            finished += keep(run, task.name, items, batches, *pending)
            tell(finished, len(items), task.name)
    finally:
        run.close()
    return run


def check_items(items: Sequence[Item], form: str) -> None:
    """Raise InputError for the first item that cannot be asked in ``form`` or has no options."""
    check(items, form)
    free = next((item.id for item in items if not item.options), None)
    if free is not None:
        raise InputError(f"item {free!r} has no options to score; calib sample asks it freely")


def keep(
    run: Run,
    task: str,
    items: Sequence[Item],
    batches: Sequence[Sequence[int]],
    number: int,
    scores: Scores,
) -> int:
    """Append one batch's records; returns how many."""
    batch = batches[number]
    records = []
    for index, row in zip(batch, scores.rows(), strict=True):
        item = items[index]
        records.append(
            {
                "id": item.id,
                "index": index,
                "task": task,
                "group": item.group,
                "cluster": item.meta.get("cluster", item.id),
                "question": item.question,
                "images": [saved(run.path, item, index, k) for k in range(len(item.images))],
                "options": list(item.options),
                "answer": item.answer,
                **row,
                "correct": None if item.answer is None else row["correct"],
                "batch": number,
                "of_batch": len(batch),
            }
        )
    run.append(records)
    return len(records)
