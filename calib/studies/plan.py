"""The jobs that a study's steps come to, in order, for one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from calib.studies.kinds import ELSEWHERE, KINDS, OVER_FILES, OVER_MODELS, PRODUCT
from calib.studies.options import listed
from calib.studies.study import Job, Step, Study, TaskOf

QUICK_QUESTIONS, QUICK_SAMPLES = 60, 5
LEFT_OUT = ("by", *PRODUCT, "files", ELSEWHERE)
"""Options that say which jobs there are, and are none of a job's own."""


def plan(study: Study, seed: int, *, quick: bool = False) -> list[Job]:
    """Every job once, each behind those that it reads. InputError where a step comes to none."""
    made: dict[str, list[Job]] = {}
    without = list(study.quick.get("without") or []) if quick else []
    for step in study.steps.values():
        if step.name in without or reads_only(step, without):
            without.append(step.name)
            continue
        options = {**step.options, **quick_options(study, step)} if quick else dict(step.options)
        step = replace(step, options=options)
        jobs = list(jobs_of(study, step, made, seed, quick))
        if not jobs:
            study.source.refuse(step.place, f"step {step.name}: {too_few(step, made)}")
        made[step.name] = jobs
    return [job for jobs in made.values() for job in jobs]


def too_few(step: Step, made: Mapping[str, Sequence[Job]]) -> str:
    """Why a step over runs comes to no job: what it needs, and what it finds in each group."""
    found = [
        f"{len(runs)} in {name}" if name else str(len(runs)) for name, runs in groups(step, made)
    ]
    several = "" if by_of(step) == "all" else f" of one {by_of(step)}"
    return (
        f"what it reads comes to too few runs: {step.kind} takes {KINDS[step.kind].least} or "
        f"more{several}, got {', '.join(found) or 'none'}"
    )


def reads_only(step: Step, gone: Sequence[str]) -> bool:
    """Whether a part that the step needs comes from steps that are left out."""
    kind = KINDS[step.kind]
    for part in kind.reads:
        names = {name.partition("/")[0] for name in listed(step.options.get(part) or [])}
        if names and names <= set(gone) and part not in kind.optional:
            return True
    return False


def quick_options(study: Study, step: Step) -> dict[str, Any]:
    """What a quick run asks less of: answers, and what the file says of the step."""
    own = dict((study.quick.get("steps") or {}).get(step.name) or {})
    if drawn := int(step.options.get("samples", KINDS[step.kind].samples)):
        own.setdefault("samples", min(drawn, int(study.quick.get("samples", QUICK_SAMPLES))))
    return own


def jobs_of(
    study: Study, step: Step, made: Mapping[str, Sequence[Job]], seed: int, quick: bool
) -> Iterator[Job]:
    kind = KINDS[step.kind]
    own = {n: v for n, v in step.options.items() if n not in (*LEFT_OUT, *kind.reads)}
    if kind.over == OVER_MODELS:
        yield from over_models(study, step, own, seed, quick)
    elif kind.over == OVER_FILES:
        for file in step.options["files"]:
            name = f"{step.name}/{stem(file)}"
            yield Job(name, step.name, step.kind, None, None, {**own, "file": file}, seed)
    else:
        yield from over_runs(step, own, made, seed)


def over_models(
    study: Study, step: Step, own: Mapping[str, Any], seed: int, quick: bool
) -> Iterator[Job]:
    models = listed(step.options.get("models", list(study.models)))
    tasks = listed(step.options.get("tasks", list(study.tasks)))
    forms = step.options.get("prompts")
    most = int(study.quick.get("limit", QUICK_QUESTIONS)) if quick else None
    for model, task, form in product(models, tasks, [None] if forms is None else listed(forms)):
        asked = study.tasks[task]
        asked = fewer(replace(asked, prompt=form or asked.prompt), most)
        name = "/".join([step.name, model, task, *([form] if form else [])])
        yield Job(
            name,
            step.name,
            step.kind,
            study.models[model],
            asked,
            own,
            seed,
            elsewhere=[fewer(study.tasks[e], most) for e in step.options.get(ELSEWHERE, ())],
        )


def fewer(asked: TaskOf, most: int | None) -> TaskOf:
    """The task with at most so many questions; None: with as many as it has."""
    return asked if most is None else replace(asked, limit=min(most, asked.limit or most))


def over_runs(
    step: Step, own: Mapping[str, Any], made: Mapping[str, Sequence[Job]], seed: int
) -> Iterator[Job]:
    """A job for each group of the runs that the step reads, where it has enough of them."""
    kind = KINDS[step.kind]
    read = {part: matching(step.options.get(part) or [], made) for part in kind.reads}
    for name, runs in groups(step, made):
        if len(runs) < kind.least:
            continue
        inputs: dict[str, Sequence[Job]] = {"runs": runs}
        for part in read:
            if part != "runs":
                inputs[part] = [each for each in read[part] if same_question(each, runs[0])]
        title = f"{step.name}/{name}" if name else step.name
        first = runs[0]
        yield Job(title, step.name, step.kind, first.model, first.task, own, seed, inputs)


def groups(step: Step, made: Mapping[str, Sequence[Job]]) -> list[tuple[str, list[Job]]]:
    """The runs that the step reads, by what they have in common."""
    found: dict[str, list[Job]] = {}
    for run in matching(step.options.get("runs") or [], made):
        found.setdefault(group_of(run, by_of(step)), []).append(run)
    return list(found.items())


def by_of(step: Step) -> str:
    return str(step.options.get("by", KINDS[step.kind].by))


def matching(references: Any, made: Mapping[str, Sequence[Job]]) -> list[Job]:
    """The jobs whose names begin with a reference, part by part; ``*`` stands for any part."""
    found: dict[str, Job] = {}
    for reference in listed(references):
        parts = reference.split("/")
        for job in made.get(parts[0], ()):
            own = job.name.split("/")
            if len(own) >= len(parts) and all(map(fnmatchcase, own, parts)):
                found.setdefault(job.name, job)
    return list(found.values())


def group_of(job: Job, by: str) -> str:
    if by == "all":
        return ""
    if by == "run" or job.model is None or job.task is None:
        return job.name.partition("/")[2]
    return job.task.name if by == "task" else job.model.name


def same_question(one: Job, other: Job) -> bool:
    return (one.model, one.task) == (other.model, other.task)


def stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0] or file
