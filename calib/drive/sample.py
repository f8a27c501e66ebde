"""Story B, on one page: questions in, a run folder with several answers to each out.

items -> prompts -> the model's plan -> answers -> records

An answer is a function of the model, the prompt and (seed, item, sample) alone. The time, the other
rows of its batch and the process that draws it do not matter. The model decides how answers are
drawn (``calib.models.protocol``; ``calib.hf.plans`` for Hugging Face), and ``calib.drive.engine``
decides where.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from calib.drive import engine
from calib.drive.engine import Telling
from calib.models.protocol import Answering, Model, Sampling, one_of
from calib.records import InputError, Item
from calib.runs import Run
from calib.runs.begin import keep_prompts
from calib.runs.folder import Progress, Work, slug
from calib.runs.sampled import keep_items
from calib.runs.shards import rows_of
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.prompts import FORMS
from calib.tasks.task import digest


def sample(
    model: Model | str,
    task: Task | str,
    *,
    out: str | Path | None = None,
    limit: int | None = None,
    prompt: str | None = None,
    batching: str = "plan",
    thinking: str = "own",
    progress: Progress | None = None,
    **sampling: Any,
) -> Run:
    """Draw ``samples`` answers to every question and keep each in ``out``.

    ``sampling`` are the fields of ``calib.models.protocol.Sampling``: samples=20, temperature=1.0,
    top_k, top_p, min_p, greedy, max_new_tokens=64, stop, seed=0 and rows, how many decode at once.
    ``limit`` questions are drawn by the seed. ``batching="packed"`` decodes several questions
    together and fills the places of answers that have ended with the next, which is faster for
    short prompts and few samples, and rounds differently. ``thinking="own"`` leaves it to the chat
    template whether the model thinks before it answers; "off" and "on" say so. Under ``torchrun``
    every process takes its share of the questions. The same call goes on where an earlier one was
    stopped; with more samples it draws those that are lacking. InputError: what is refused at once.
    """
    # 1. What is asked, and how.
    task = checked(task) if isinstance(task, Task) else load_task(task)
    form = prompt or task.prompt
    one_of("prompt", form, FORMS)
    how = Answering(form, drawing(sampling), batching, thinking)
    items = task.selection(limit, how.sampling.seed)

    # 2. The model plans it; what is refused of any question is refused before there is a folder.
    model = engine.loaded(model)
    plan = model.answers(items, how)

    # 3. The run folder, and what it lacks.
    name = slug(f"{model.name}-{task.name}-samples")
    path = Path(out) if out is not None else Path("runs") / name
    config = {
        **engine.facts_of(model, path),
        **config_of(task, items, limit, form, batching, how.sampling),
        "thinking": thinking if model.can.thinking is not None else None,
    }
    run, parts = engine.open_answers(path, config)
    keep_prompts(run, items, plan.prompts)
    keep_items(run, items)

    # 4. Answers are written question by question, each part of its samples for itself.
    mine = engine.share(range(len(items)))
    done = sum(part.samples * len(part.done.intersection(mine)) for part in parts)
    work = Work(task.name, "answers")
    tell = Telling(progress, done, len(mine) * how.sampling.samples, work)
    with closing(run), engine.running(config):
        for part in parts:
            todo = [i for i in mine if i not in part.done]
            for i, answers in plan.run(todo, part.samples, part.first):
                run.append(list(rows_of(i, items[i], task.name, answers, part.first)))
                tell.more(len(answers))
    return run


def drawing(sampling: dict[str, Any]) -> Sampling:
    """The settings by name; InputError for one that is none, or that a folder does not hold."""
    try:
        how = Sampling(**sampling)
    except TypeError as error:
        raise InputError(f"calib.sample: {error}") from error
    if how.first:
        raise InputError(f"first: a run holds its samples from 0 on, got {how.first}")
    return how


def config_of(
    task: Task, items: Sequence[Item], limit: int | None, form: str, batching: str, how: Sampling
) -> dict[str, Any]:
    """What config.json holds of the questions and the way of asking, whatever the model."""
    sampling = asdict(how)
    del sampling["first"]  # a folder's samples are numbered from 0
    return {
        "kind": "sample",
        "task": task.name,
        "source": task.source,
        "questions": len(items),
        "items": digest(items),
        "limit": limit,
        "prompt": form,
        "batching": batching,
        **sampling,
    }
