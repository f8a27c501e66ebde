"""What can be refused of a job before a model is loaded: its form, questions, model's folder."""

from __future__ import annotations

from pathlib import Path

from calib.drive.score import check_items
from calib.idk.arms import arm
from calib.models.protocol import one_of
from calib.prompts.parts import refuse_fixed
from calib.records import InputError
from calib.studies.keys import Places
from calib.studies.kinds import KINDS, OVER_MODELS
from calib.studies.study import Job
from calib.tasks.prompts import FORMS

LISTED = ("score", "modality", "prompts")
"""Kinds that score options, and so need some."""


def refuse_early(job: Job, places: Places) -> None:
    """Raise InputError, naming the step, for what its call would refuse anyhow."""
    if KINDS[job.kind].over != OVER_MODELS:
        return
    assert job.model is not None and job.task is not None
    try:
        form = job.task.prompt or places.whole(job).prompt
        one_of("prompt", form, FORMS)
        for part in job.task.wording:
            refuse_fixed(part, form)
        for name in job.options.get("arms", ()) if job.kind == "idk" else ():
            arm(str(name))
        if job.kind in LISTED:
            check_items(places.items(job), form)
        refuse_no_model(places.path(job.model.model))
    except InputError as error:
        raise InputError(f"step {job.name}: {error}") from error


def refuse_no_model(name: str) -> None:
    """A path to a model that is not there; a name without its marks may be one of the hub."""
    if name.startswith(("/", "./", "../", "~")) and not Path(name).expanduser().is_dir():
        raise InputError(f"model {name!r}: there is no such folder")
