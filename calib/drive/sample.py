"""Story B, on one page: questions in, a run folder with several answers to each out.

items -> prompts -> token ids -> prefill once, decode many -> records

An answer is a function of the model, the prompt and (seed, item, sample), not of when, beside what
or by which process it is drawn. With ``batching="plan"`` even its rounding is: an item is prefilled
without padding and decoded in shapes that it alone decides. On a CPU the number of threads decides
how a product is summed, so it is part of the plan: a run goes on with as many as it was begun with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import torch

from calib.hf.decoding.sampling import Sampling
from calib.hf.model import Model, load_model
from calib.hf.thinking import MODES
from calib.records import Answer, CalibError, InputError, Item
from calib.runs import Run, open_run
from calib.runs.begin import begin, keep_prompts
from calib.runs.durable import replace
from calib.runs.folder import Progress, slug
from calib.runs.pictures import saved
from calib.runs.shards import (
    ITEMS,
    item_row,
    items_by_part,
    more_samples,
    parts_of,
    rows_of,
    shard,
    whole_parts,
)
from calib.tasks import Task, load_task
from calib.tasks.load import checked
from calib.tasks.prompts import FORMS
from calib.tasks.task import digest

BATCHING = ("plan", "packed")


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

    ``sampling`` are the fields of ``calib.hf.decoding.sampling.Sampling``: samples=20,
    temperature=1.0, top_k, top_p, min_p, greedy, max_new_tokens=64, stop, seed=0 and rows, how many
    decode at once. ``limit`` questions are drawn by the seed. ``batching="packed"`` decodes several
    questions together and fills the places of answers that have ended with the next, which is
    faster for short prompts and few samples, and rounds differently. ``thinking="own"`` leaves it
    to the chat template whether the model thinks before it answers; "off" and "on" say so
    (``calib.hf.thinking``). Under ``torchrun`` every process takes its share of the questions. The
    same call goes on where an earlier one was stopped, and one with more samples draws those that a
    run of fewer lacks. Raises InputError for what can be refused at once.
    """
    task = checked(task) if isinstance(task, Task) else load_task(task)
    form = prompt or task.prompt
    for name, value, allowed in (
        ("prompt", form, tuple(FORMS)),
        ("batching", batching, BATCHING),
        ("thinking", thinking, MODES),
    ):
        if value not in allowed:
            raise InputError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
    try:
        how = Sampling(**sampling)
    except TypeError as error:
        raise InputError(f"calib.sample: {error}") from error
    if how.first:
        raise InputError(f"first: a run holds its samples from 0 on, got {how.first}")
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    items = task.selection(limit, how.seed)
    if isinstance(model, str):
        model = load_model(model, device=device_of_rank())
    # What is refused of any question is refused before there is a folder.
    encoded = model.encode(
        items, form, options=False, new_tokens=how.max_new_tokens, thinking=thinking
    )
    config = {
        **model.facts,
        "device": model.device.type,  # another GPU of the same machine goes on with the run
        **asked(task, items, limit, form, batching, how),
        "thinking": thinking if model.thinks else None,
    }
    name = slug(f"{model.name}-{task.name}-samples")
    path = Path(out) if out is not None else Path("runs") / name
    before = torch.get_num_threads()
    if model.device.type == "cpu":
        config["threads"] = begun_with(path) or before
    run, done = begin_shard(path, config, rank)
    keep_prompts(run, items, [e.text for e in encoded])
    keep_items(run, items)
    torch.set_num_threads(config.get("threads", before))
    mine = range(rank, len(items), world)
    parts = parts_of(run.config)
    tell = progress or (lambda done, total, note: None)
    finished = sum(
        (end - begin) * len(whole.intersection(mine))
        for begin, end, whole in zip([0, *parts], parts, done, strict=False)
    )
    tell(finished, len(mine) * how.samples, task.name)
    try:
        for begin, end, whole in zip([0, *parts], parts, done, strict=False):
            todo = [i for i in mine if i not in whole]
            part = changed(how, samples=end - begin, first=begin)
            for k, answers in answered(
                model, [items[i] for i in todo], form, batching, thinking, part
            ):
                rows = rows_of(todo[k], items[todo[k]], task.name, answers, begin)
                run.append(list(rows))
                finished += len(answers)
                tell(finished, len(mine) * how.samples, task.name)
    finally:
        run.close()
        torch.set_num_threads(before)
    return run


def begun_with(path: Path) -> int | None:
    """The threads of the run in folder ``path``, if there is one."""
    try:
        threads = open_run(path).config.get("threads")
    except InputError:
        return None
    return threads if isinstance(threads, int) and threads > 0 else None


def asked(
    task: Task, items: Sequence[Item], limit: int | None, form: str, batching: str, how: Sampling
) -> dict[str, Any]:
    """What config.json holds of the questions and the way of asking, whatever the model."""
    sampling = asdict(how)
    del sampling["first"]  # a folder's samples are numbered from 0
    return {
        "kind": "sample",
        "task": task.name,
        "questions": len(items),
        "items": digest(items),
        "limit": limit,
        "prompt": form,
        "batching": batching,
        **sampling,
    }


def begin_shard(path: Path, config: Mapping[str, Any], rank: int) -> tuple[Run, list[set[int]]]:
    """Open process ``rank``'s file for writing; also the items of which each part is done.

    Raises as ``calib.runs.begin.begin`` and ``calib.runs.shards.more_samples`` do.
    """
    run = begin(path, config, shard(rank), more_samples)
    parts = parts_of(run.config)
    run.cut(whole_parts(path / shard(rank), parts)[1])
    return run, items_by_part(path, parts)


def keep_items(run: Run, items: Sequence[Item]) -> None:
    """Write the questions down, once."""
    path = run.path / ITEMS
    if path.exists():
        return
    rows = (
        item_row(i, item, [saved(run.path, item, i, k) for k in range(len(item.images))])
        for i, item in enumerate(items)
    )
    try:
        replace(path, "".join(json.dumps(row) + "\n" for row in rows))
    except OSError as error:
        run.close()
        raise CalibError(f"{path}: writing failed ({error.strerror})") from error


def device_of_rank() -> str | None:
    """Under torchrun each process has a GPU of its own, where there are any."""
    if "LOCAL_RANK" not in os.environ or not torch.cuda.is_available():
        return None
    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"


def answered(
    model: Model, items: Sequence[Item], form: str, batching: str, thinking: str, how: Sampling
) -> Iterator[tuple[int, list[Answer]]]:
    """(i, answers to ``items[i]``): one item at a time in their order, or as they are finished."""
    if batching == "packed":
        yield from model.sample_packed(items, form, how, thinking=thinking)
        return
    for i, item in enumerate(items):
        yield i, model.sample_batch([item], form, how, thinking=thinking)[0]
