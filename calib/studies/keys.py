"""Where the work of a job lies: a folder named by all that decides what comes of it.

Two studies that ask the same model the same questions in the same way share one folder, and so do
two runs of one study. A key is a digest of the kind of step, its options, the model and its
weights, the questions with their pictures, and the keys of what the job reads.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import calib
from calib.records import InputError, Item
from calib.runs.folder import slug
from calib.studies.kinds import KINDS, OVER_FILES, OVER_MODELS
from calib.studies.study import Job, ModelOf, TaskOf
from calib.tasks import Task, load_task
from calib.tasks.task import digest

DRAWING = ("sample", "modality", "idk", "prompts", "twins")
"""Kinds in which a seed decides more than which questions are asked."""


@dataclass
class Places:
    """The folder of each job of a study's file at ``beside``, below ``cache``."""

    cache: Path
    beside: Path
    _tasks: dict[str, Task] = field(default_factory=dict)
    _weights: dict[str, str | None] = field(default_factory=dict)
    _keys: dict[int, str] = field(default_factory=dict)

    def folder(self, job: Job) -> Path:
        """``<cache>/<kind>-<key>/<label>``; the label is what pages call the run."""
        return self.cache / f"{job.kind}-{self.key(job)}" / label_of(job)

    def path(self, named: str) -> str:
        """What the file names: a path beside it where that exists, else as it is."""
        near = self.beside / named
        try:
            return str(near) if near.exists() else named
        except OSError:  # too long for a path
            return named

    def task(self, asked: TaskOf) -> Task:
        """The task as the study words it, read once."""
        from calib.prompts.parts import reworded

        known = json.dumps([asked.task, dict(asked.wording)])
        if known not in self._tasks:
            task = load_task(self.path(asked.task))
            for part, text in asked.wording.items():
                task = reworded(task, part, text)
            self._tasks[known] = task
        return self._tasks[known]

    def chosen(self, asked: TaskOf, seed: int) -> Task:
        """The task with the questions that are asked of it."""
        task = self.task(asked)
        return replace(task, items=task.selection(asked.limit, seed))

    def asked(self, job: Job) -> Task:
        """What a job over models asks."""
        assert job.task is not None
        return self.chosen(job.task, job.seed)

    def whole(self, job: Job) -> Task:
        """The job's task without its limit."""
        assert job.task is not None
        return self.task(job.task)

    def items(self, job: Job) -> tuple[Item, ...]:
        return self.asked(job).items

    def key(self, job: Job) -> str:
        if id(job) not in self._keys:
            self._keys[id(job)] = hashlib.sha256(
                json.dumps(self.decides(job), sort_keys=True, default=str).encode()
            ).hexdigest()[:12]
        return self._keys[id(job)]

    def decides(self, job: Job) -> dict[str, Any]:
        """All that decides what comes of a job, as plain values."""
        said: dict[str, Any] = {
            "calib": calib.__version__,
            "kind": job.kind,
            "options": dict(job.options),
            "inputs": {part: list(map(self.key, jobs)) for part, jobs in job.inputs.items()},
        }
        over = KINDS[job.kind].over
        if over == OVER_FILES:
            return said | {"file": contents(Path(self.path(str(job.options["file"]))))}
        if over != OVER_MODELS:
            return said | {"seed": job.seed} | ({"names": names} if (names := called(job)) else {})
        assert job.model is not None and job.task is not None
        items = self.items(job)
        whole = len(items) == len(self.task(job.task))
        if KINDS[job.kind].draws:
            items, said["limit"] = self.task(job.task).items, job.task.limit
        return said | {
            "model": [job.model.model, dict(job.model.arguments), *self.weights(job.model)],
            "items": digest(items),
            "elsewhere": [digest(self.chosen(e, job.seed).items) for e in job.elsewhere],
            "prompt": job.task.prompt or self.task(job.task).prompt,
            # Of all questions of a task the seed draws none; that of draws always counts.
            "seed": None if whole and job.kind not in DRAWING else job.seed,
        }

    def arguments(self, model: ModelOf) -> dict[str, Any]:
        """Those of ``load_model``; an adapter's path is one that the file names."""
        named = dict(model.arguments)
        return named | {name: self.path(str(named[name])) for name in ("peft",) if name in named}

    def weights(self, model: ModelOf) -> list[str | None]:
        """Digests of a local model's folder, of its adapter's and of the base that an adapter's
        folder names; None for what is no folder."""
        from calib.hf.adapters import local_base

        arguments = self.arguments(model)
        folder, adapter = self.path(model.model), arguments.get("peft")
        inner = str(arguments.get("subfolder") or "")  # that of a model; an adapter has none
        base = local_base(Path(folder).expanduser())
        return [
            self.digest(folder, inner),
            None if adapter is None else self.digest(str(adapter)),
            *([] if base is None else [self.digest(str(base), inner)]),
        ]

    def digest(self, place: str, subfolder: str = "") -> str | None:
        from calib.hf.revision import contents_of

        known = json.dumps([place, subfolder])
        if known not in self._weights:
            folder = Path(place).expanduser()
            try:
                self._weights[known] = contents_of(folder, subfolder)
            except OSError as error:
                raise InputError(
                    f"model {place!r}: {error.filename or folder} cannot be read ({error.strerror})"
                ) from error
        return self._weights[known]


def called(job: Job) -> list[str] | None:
    """The study's names of the runs that a job reads; None where their labels tell them apart, and
    the study's names decide nothing."""
    jobs = job.inputs.get("runs", ())
    if len(set(map(label_of, jobs))) == len(jobs):
        return None
    names = [each.name.partition("/")[2] for each in jobs]
    return names if len(set(names)) == len(names) else [each.name for each in jobs]


def label_of(job: Job) -> str:
    """A short name that says the same in every study: of model, task, form."""
    if KINDS[job.kind].over == OVER_FILES:
        return slug(Path(str(job.options["file"])).stem)
    if KINDS[job.kind].over != OVER_MODELS or job.model is None or job.task is None:
        return job.kind
    parts = [Path(job.model.model).name, Path(job.task.task).stem, job.task.prompt or ""]
    return slug("-".join(filter(None, parts)))[:100]


def contents(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror})") from error
