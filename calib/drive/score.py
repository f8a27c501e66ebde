"""Story A, on one page: questions in, a run folder of scored answers out.

items -> prompts -> the model's plan -> batches of option scores -> records

How a batch is scored is the model's affair (``calib.models.protocol``; ``calib.hf.plans`` for
Hugging Face, where rows leave the device in one copy a batch, while the next is under way), where
it is scored that of ``calib.drive.engine``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from calib.drive import engine
from calib.drive.engine import Telling
from calib.drive.reason import THOUGHTS, thought
from calib.models.protocol import Model, Row, ScoredBatch, Scoring, one_of
from calib.records import InputError, Item
from calib.runs import Run
from calib.runs.begin import begin, go_on, keep_prompts
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
    leaves it to the template. Under ``torchrun`` every process takes whole batches and writes a
    file of its own; the records are those of one process. The same call goes on where an earlier
    one was stopped. Raises InputError for what can be refused at once.
    """
    # 1. What is asked, and how.
    task = checked(task) if isinstance(task, Task) else load_task(task)
    form = prompt or task.prompt
    one_of("prompt", form, FORMS)
    how = Scoring(form, variants, confidence, temperature, normalize, thinking, batch_size)
    bins, seed = checked_setting("bins", bins), checked_setting("seed", seed)
    items = task.selection(limit, seed)
    check_items(items, form)

    # 2. The model plans it; what is refused of any question is refused before there is a folder.
    model = engine.loaded(model)
    folder = Path(out) if out is not None else Path("runs") / slug(f"{model.name}-{task.name}")
    if thinking == "on":
        task = thought(
            model, task, folder, form, limit=limit, seed=seed, progress=progress,
            max_new_tokens=thinking_tokens,
        )  # fmt: skip
        items = task.items
    plan = model.scores(items, how)

    # 3. The run folder, and the batches that it lacks.
    config = {
        **engine.facts_of(model),
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
        "thinking": thinking if model.can.thinking is not None else None,
        "bins": bins,
    }
    place = engine.here()
    run = begin(folder, config, place.file, engine.same_device)
    keep_prompts(run, items, plan.prompts)
    done = go_on(run, plan.batches)

    # 4. Records are written batch by batch.
    sizes = [len(batch) for batch in plan.batches]
    mine = place.share(range(len(sizes)))
    finished = sum(sizes[number] for number in done.intersection(mine))
    tell = Telling(progress, finished, sum(sizes[number] for number in mine), task.name)
    with closing(run):
        for batch in plan.run([n for n in mine if n not in done]):
            run.append(records(run, task.name, items, plan.batches[batch.number], batch))
            tell.more(len(batch.rows))
    return run


def check_items(items: Sequence[Item], form: str) -> None:
    """Raise InputError for the first item that cannot be asked in ``form`` or has no options."""
    check(items, form)
    free = next((item.id for item in items if not item.options), None)
    if free is not None:
        raise InputError(f"item {free!r} has no options to score; calib sample asks it freely")


def records(
    run: Run, task: str, items: Sequence[Item], indices: Sequence[int], batch: ScoredBatch
) -> list[Row]:
    """A batch's records; pictures that have no file are put into the run folder."""
    rows = []
    for index, row in zip(indices, batch.rows, strict=True):
        item = items[index]
        rows.append(
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
                "batch": batch.number,
                "of_batch": len(batch.rows),
            }
        )
    return rows
