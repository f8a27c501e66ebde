"""What can be refused of jobs before a model is loaded: their forms, questions, models.

A model's fault has the line of the model, any other that of the step.
"""

from __future__ import annotations

from collections.abc import Iterable

from calib.drive.score import check_items
from calib.idk.arms import arm
from calib.models.protocol import one_of
from calib.prompts.parts import refuse_fixed
from calib.records import InputError
from calib.studies.keys import Places
from calib.studies.kinds import KINDS, OVER_MODELS
from calib.studies.study import Job, Study
from calib.tasks.prompts import FORMS

LISTED = ("score", "modality", "prompts")
"""Kinds that score options, and so need some."""


def refuse_early(jobs: Iterable[Job], study: Study, places: Places) -> None:
    """Raise InputError, naming line and step, for what a job's call would refuse anyhow."""
    known: set[tuple[str, bool]] = set()
    for job in jobs:
        if KINDS[job.kind].over != OVER_MODELS:
            continue
        assert job.model is not None
        try:
            refuse_asked(job, places)
            pictures = shows_pictures(job, places)
        except InputError as error:
            study.source.refuse(study.steps[job.step].place, f"step {job.name}: {error}")
        if (job.model.name, pictures) not in known:
            refuse_model(job, pictures, study, places)
            known.add((job.model.name, pictures))


def refuse_asked(job: Job, places: Places) -> None:
    """Raise InputError for a form, a wording, an arm or questions that the job cannot have."""
    assert job.task is not None
    form = job.task.prompt or places.whole(job).prompt
    one_of("prompt", form, FORMS)
    for part in job.task.wording:
        refuse_fixed(part, form)
    for name in job.options.get("arms", ()) if job.kind == "idk" else ():
        arm(str(name))
    if job.kind in LISTED:
        check_items(places.items(job), form)


def shows_pictures(job: Job, places: Places) -> bool:
    """Whether it is certain that the model is shown a picture."""
    if job.kind == "modality" and "arms" in job.options:
        return False  # its arms may show none
    if KINDS[job.kind].draws:  # which questions it asks, it draws
        return all(item.images for item in places.whole(job).items)
    elsewhere = [item for task in job.elsewhere for item in places.chosen(task, job.seed).items]
    return any(item.images for item in (*places.items(job), *elsewhere))


def refuse_model(job: Job, pictures: bool, study: Study, places: Places) -> None:
    """Raise InputError, naming its line, for a model that could not be loaded or asked."""
    from calib.models.load import foresee

    assert job.model is not None
    name = places.path(job.model.model)
    if (found := foresee(name, pictures=pictures, **places.arguments(job.model))) is not None:
        argument, why = found
        study.source.refuse(("models", job.model.name, argument), f"step {job.name}: {why}")
