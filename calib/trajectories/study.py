"""A trajectory: the checkpoints of a training run on the same questions, in a folder.

checkpoints -> a scored run of each -> metrics, change points, the best -> results
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.drive.score import check_asked, score
from calib.models.load import load_model
from calib.models.protocol import Scoring
from calib.records import InputError
from calib.runs import Run, open_run
from calib.runs.begin import begin
from calib.runs.config import checked, kind_of
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import Progress, slug
from calib.runs.kinds import CONFIG, KINDS, RESULTS, TRAJECTORY
from calib.runs.record_rows import lines
from calib.summary import BINS, to_json
from calib.summary.table import RESAMPLES
from calib.tasks import Task, load_task
from calib.tasks.load import checked as checked_task
from calib.tasks.task import digest
from calib.trajectories.numbers import numbers_of
from calib.trajectories.steps import BY_STEP, FORMAT, Checkpoint, checkpoints_in, in_order

RUNS = "runs"
SCORED = "checkpoints.jsonl"
"""One line for each checkpoint that is scored: its name, its step and its run."""


@dataclass(frozen=True)
class Trajectory:
    """``results``, as in results.json, and the folder with it; None where nothing is written."""

    results: dict[str, Any]
    path: Path | None


def trajectory(
    runs: Sequence[Run | str | Path] = (),
    *,
    model: str | Path | None = None,
    task: Task | str | None = None,
    order: str = BY_STEP,
    limit: int | None = None,
    prompt: str | None = None,
    batch_size: int | str = "auto",
    bins: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **model_args: Any,
) -> Trajectory:
    """Follow calibration over the checkpoints of a training run.

    Either ``runs``: finished runs of ``calib.score`` on the same questions, in the ``order`` of
    their steps ("step": the number at the end of their folders' or models' names; "given"). Or
    ``model``, a Trainer's output folder with checkpoint-N folders, and ``task``: each is loaded
    with ``model_args``, one at a time, and scored into ``out`` (default:
    runs/MODEL-TASK-trajectory); the same call goes on where an earlier one was stopped, and with
    checkpoints that came since. limit, prompt, batch_size: as of ``calib.score``. bins: default 15,
    or those of the first run.

    Raises InputError for what cannot be put in a row, and as ``calib.score`` does.
    """
    seed = checked("seed", seed)
    bins = None if bins is None else checked("bins", bins)
    if bool(runs) == (model is not None):
        raise InputError(
            "runs, model: expected one of the two, got " + ("both" if runs else "none")
        )
    if model is None:
        others = (task, limit, prompt) != (None, None, None) or batch_size != "auto"
        if others or model_args:
            raise InputError(
                "task, limit, prompt, batch_size and arguments of the model go with model"
            )
        opened = [r if isinstance(r, Run) else open_run(r, "calib trajectory") for r in runs]
        found, how = in_order(opened, order)
        bins = bins or int(found[0].run.config.get("bins") or BINS)
        folder = None if out is None else Path(out)
        if folder is not None:
            begin_beside(folder, found, seed)
        return written(found, how, bins, seed, folder)
    if order != BY_STEP:
        raise InputError(f"order: checkpoints of a model are in that of their steps, got {order!r}")
    if task is None:
        raise InputError("task: expected the questions that the checkpoints are asked, got none")
    own = checked_task(task) if isinstance(task, Task) else load_task(task)
    form, bins = prompt or own.prompt, bins or BINS
    items = own.selection(limit, seed)
    check_asked(items, Scoring(prompt=form), "all")
    places = checkpoints_in(Path(model))
    folder = Path("runs") / slug(f"{model}-{own.name}-trajectory") if out is None else Path(out)
    refuse_other(folder)
    config = {
        "kind": TRAJECTORY,
        "model": str(model),
        "task": own.name,
        "source": own.source,
        "questions": len(items),
        "items": digest(items),
        "prompt": form,
        "limit": limit,
        "seed": seed,
        "bins": bins,
        "model_args": {k: v for k, v in model_args.items() if k != "device"} or None,
    }
    run = begin(folder, config, SCORED)
    with closing(run):
        noted = {row["name"] for row, _ in lines(folder / SCORED) if row is not None}
        scored = []
        for step, place in places:
            at = score_one(
                place,
                own,
                model_args,
                out=folder / RUNS / place.name,
                batch_size=batch_size,
                progress=progress,
                seed=seed,
                limit=limit,
                prompt=form,
                bins=bins,
            )
            scored.append(Checkpoint(place.name, step, at))
            if place.name not in noted:
                run.append([{"name": place.name, "step": step, "run": f"{RUNS}/{place.name}"}])
        return written(scored, "by the steps of the checkpoints", bins, seed, folder)


def score_one(place: Path, task: Task, model_args: Mapping[str, Any], **how: Any) -> Run:
    """Score one checkpoint, whose model is let go of before the next is loaded.

    A finished run loads it, too: only its weights tell whether the run is theirs.
    """
    subject = load_model(str(place), **model_args)
    run = score(subject, task, **how)
    del subject
    gc.collect()
    return run


def refuse_other(folder: Path) -> None:
    """InputError where the folder is none, or holds something else."""
    refuse_no_folder(folder)
    if (kind := kind_of(folder)) not in (None, TRAJECTORY):
        raise InputError(f"{folder}: it holds {KINDS[str(kind)].holds}; choose another folder")


def begin_beside(folder: Path, checkpoints: Sequence[Checkpoint], seed: int) -> None:
    """config.json of a trajectory of finished runs. InputError for a folder of another kind."""
    refuse_other(folder)
    if (folder / SCORED).exists():
        raise InputError(
            f"{folder}: it holds the trajectory of a model's checkpoints; choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "kind": TRAJECTORY,
        "runs": [os.path.relpath(each.run.path, folder) for each in checkpoints],
        "seed": seed,
    }
    replace(folder / CONFIG, json.dumps(config, indent=2) + "\n")


def written(
    checkpoints: Sequence[Checkpoint], order: str, bins: int, seed: int, folder: Path | None
) -> Trajectory:
    """The results, written to the folder where there is one."""
    numbers, each = numbers_of(checkpoints, bins, seed)
    config = checkpoints[0].run.config
    results = {
        "format": FORMAT,
        "task": config.get("task"),
        "order": order,
        "bins": bins,
        "seed": seed,
        "resamples": RESAMPLES,
        **numbers,
        "checkpoints": [
            {
                **one,
                "run": str(c.run.path) if folder is None else os.path.relpath(c.run.path, folder),
            }
            for c, one in zip(checkpoints, each, strict=True)
        ],
    }
    results = dict(to_json(results))
    if folder is not None:
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        replace(folder / RESULTS, text)
    return Trajectory(results, folder)
