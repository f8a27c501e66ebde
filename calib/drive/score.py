"""Story A, on one page: questions in, a run folder of scored answers out.

items -> prompts -> the model's plan -> batches of option scores -> records

The model decides how a batch is scored (``calib.models.protocol``). With Hugging Face
(``calib.hf.plans``) the rows of a batch leave the device in one copy while the next batch is
computed. ``calib.drive.engine`` decides where it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from calib.drive import engine
from calib.drive.reason import THOUGHTS, thought
from calib.models.letters import PAPER, POSITION, check_letters, confidence_of, form_of
from calib.models.orders import planned
from calib.models.protocol import Model, Row, ScoredBatch, Scoring, one_of
from calib.records import InputError, Item
from calib.runs import Run
from calib.runs.config import checked as checked_setting
from calib.runs.folder import Progress, slug
from calib.runs.histogram import line_of
from calib.runs.ledger import LOG_SAMPLES, Ledger
from calib.runs.pictures import made, saved
from calib.tasks import Task, load_task
from calib.tasks.decision_prompt import type_of
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
    confidence: str | None = None,
    temperature: float = 1.0,
    normalize: str = "sum",
    orders: int = 1,
    protocol: str = POSITION,
    thinking: str = "off",
    thinking_tokens: int = THOUGHTS,
    bins: int = 15,
    log_samples: str = "all",
    progress: Progress | None = None,
) -> Run:
    """Score every option of every question and keep one record per question in ``out``.

    ``limit`` questions are drawn by ``seed``, in form ``prompt`` of ``calib.tasks.prompts.FORMS``.
    ``variants`` lets capitalised and spaced spellings count. ``thinking="off"`` closes a template's
    block of thoughts empty, "on" samples ``thinking_tokens`` at most, "own" leaves it as it is.
    Options are averaged over cyclic ``orders``. ``protocol`` (``calib.models.letters``) decides the
    default of ``confidence``. ``log_samples="none"`` keeps a histogram of ``bins`` and no records.
    ``torchrun`` divides the batches; the same call goes on. InputError: what is refused at once.
    """
    # 1. What is asked, and how.
    task = checked(task) if isinstance(task, Task) else load_task(task)
    form, sure = form_of(prompt, task.prompt, protocol), confidence_of(confidence, protocol)
    how = Scoring(
        form, variants, sure, temperature, normalize, thinking, batch_size, orders, protocol
    )
    bins, seed = checked_setting("bins", bins), checked_setting("seed", seed)
    items = task.selection(limit, seed)
    check_asked(items, how, log_samples)

    # 2. The model plans it; what is refused of any question is refused before there is a folder.
    model = engine.loaded(model)
    folder = Path(out) if out is not None else Path("runs") / slug(f"{model.name}-{task.name}")
    if thinking == "on":
        task = thought(model, task, folder, form, limit, seed, progress, thinking_tokens)
        items = task.items
    plan = planned(model, items, how)

    # 3. The run folder, and the batches that it lacks.
    config = {**engine.facts_of(model), **config_of(model, task, items, limit, seed, how, bins)}
    ledger = engine.open_here(folder, config, items, plan, log_samples)
    todo, tell = engine.left(plan.batches, ledger.done, progress, task.name)

    # 4. Batch by batch; what was counted on the device must be what the records say.
    with ledger:
        for batch in plan.run(todo, bins):
            write(ledger, task.name, items, plan.batches[batch.number], batch, how, bins)
            tell.more(len(batch.rows))
    ledger.compare()
    return ledger.run


def config_of(
    model: Model,
    task: Task,
    items: Sequence[Item],
    limit: int | None,
    seed: int,
    how: Scoring,
    bins: int,
) -> dict[str, Any]:
    """What config.json holds of the questions and the way of scoring."""
    return {
        "task": task.name,
        "source": task.source,
        "questions": len(items),
        "items": digest(items),
        "seed": seed,
        "limit": limit,
        "bins": bins,
        **asdict(how),
        "thinking": how.thinking if model.can.thinking is not None else None,
    }


def check_asked(items: Sequence[Item], how: Scoring, log_samples: str) -> None:
    """Raise InputError for a setting that no run has, and as ``check_items`` and
    ``calib.models.letters.check_letters`` do."""
    one_of("prompt", how.prompt, FORMS)
    one_of("log_samples", log_samples, LOG_SAMPLES)
    if how.protocol == PAPER and log_samples == "none":
        raise InputError(
            f"log_samples: expected all with protocol {PAPER}, whose two readings of a question "
            "are compared by their records, got 'none'"
        )
    check_items(items, how.prompt)
    check_letters(how, items)


def check_items(items: Sequence[Item], form: str) -> None:
    """Raise InputError for the first item that cannot be asked in ``form`` or has no options."""
    check(items, form)
    free = next((item.id for item in items if not item.options), None)
    if free is not None:
        raise InputError(f"item {free!r} has no options to score; calib sample asks it freely")


def write(
    ledger: Ledger,
    task: str,
    items: Sequence[Item],
    indices: Sequence[int],
    batch: ScoredBatch,
    how: Scoring,
    bins: int,
) -> None:
    """Write a batch down: what it adds to the histogram, then its records."""
    own = [items[i] for i in indices]
    answers = [item.answer for item in own]
    counted = batch.number, batch.histogram, batch.rows, answers, how.confidence, bins
    ledger.append(lambda: line_of(*counted), lambda: records(ledger.run, task, own, indices, batch))


def records(
    run: Run, task: str, items: Sequence[Item], indices: Sequence[int], batch: ScoredBatch
) -> list[Row]:
    """A batch's records; pictures that have no file are put into the run folder."""
    typed = FORMS[run.config["prompt"]].typed
    return [
        {
            "id": item.id,
            "index": index,
            "task": task,
            "group": item.group,
            "cluster": item.meta.get("cluster", item.id),
            "question": item.question,
            "images": [saved(run.path, item, index, k) for k in range(len(item.images))],
            **made(item),
            "options": list(item.options),
            "answer": item.answer,
            **({"question_type": type_of(item)} if typed else {}),
            **row,
            "correct": None if item.answer is None else row["correct"],
            "batch": batch.number,
            "of_batch": len(batch.rows),
        }
        for item, index, row in zip(items, indices, batch.rows, strict=True)
    ]
