"""Answers on disk: drawn by ``calib sample``, or read where all of them are there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.drive.sample import config_of, sample
from calib.models.load import load_model
from calib.models.protocol import Model, Sampling
from calib.runs import Run, open_run
from calib.runs.begin import refuse_other
from calib.runs.folder import CONFIG, Progress
from calib.runs.shards import whole_items
from calib.tasks import Task


@dataclass
class Subject:
    """A model by name, loaded when it is first needed: labelling anew needs none."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    _model: Model | None = None

    @classmethod
    def of(cls, model: Model | str | Subject) -> Subject:
        if isinstance(model, Subject):
            return model
        return cls(model) if isinstance(model, str) else cls(model.name, {}, model)

    @property
    def model(self) -> Model:
        if self._model is None:
            self._model = load_model(self.name, **self.arguments)
        return self._model


def draw(
    subject: Subject,
    task: Task,
    out: Path,
    *,
    limit: int | None = None,
    prompt: str | None = None,
    batching: str = "plan",
    progress: Progress | None = None,
    **sampling: Any,
) -> Run:
    """``calib.sample``, but no model is loaded where nothing is left to draw or all is refused.

    Raises InputError where the folder holds answers to something else.
    """
    how = Sampling(**sampling)
    items = task.selection(limit, how.seed)
    if (out / CONFIG).exists():
        run = open_run(out)
        requested = config_of(task, items, limit, prompt or task.prompt, batching, how)
        requested = json.loads(json.dumps({"model": subject.name, **requested}))
        refuse_other(Run(out, {name: run.config.get(name) for name in requested}), requested)
        if len(answered(run)) == len(items):
            return run
    return sample(
        subject.model,
        task,
        out=out,
        limit=limit,
        prompt=prompt,
        batching=batching,
        progress=progress,
        **sampling,
    )


def answered(run: Run) -> set[int]:
    """The items of a sampled run that have all of their answers."""
    return whole_items(run.path, run.config)
