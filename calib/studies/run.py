"""Run a study: every job that is not done yet, then what is made of them, then the page.

A job is done when ``done.json`` stands in its folder's folder. A study that was stopped goes on
with the job that it was in, which goes on where it was; jobs that an earlier study has done are
read.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.fields import (
    Fields,
    check_fields,
    is_bool,
    is_count,
    is_number,
    is_text,
    or_null,
    read_object,
)
from calib.records import CalibError, InputError
from calib.report.study import FORMAT, write_study_report
from calib.runs.circumstances import circumstances
from calib.runs.config import checked, kind_of
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.folder import CONFIG, RESULTS, Progress
from calib.runs.folder import Work as Counted
from calib.runs.kinds import STUDY, fields_of
from calib.studies.calls import Work
from calib.studies.cost import Cost
from calib.studies.early import refuse_early
from calib.studies.findings import FINDINGS
from calib.studies.findings.outcome import Outcome
from calib.studies.keys import Places, called
from calib.studies.kinds import KINDS, OVER_MODELS
from calib.studies.plan import plan
from calib.studies.read import find_study, missing, read_study
from calib.studies.study import Job, ModelOf, Study
from calib.summary import to_json

if TYPE_CHECKING:
    from calib.models.protocol import Model

DONE = "done.json"
KNOWN: Fields = {
    "job": ("text", is_text),
    "kind": ("text", is_text),
    "model": ("text or null", or_null(is_text)),
    "seconds": ("a number from 0", lambda value: is_number(value, 0, math.inf)),
    "prompts": ("a whole number from 0", is_count),
    "answers": ("a whole number from 0", is_count),
    "refused": ("text or null", or_null(is_text)),
    "date": ("text", is_text),
}
LATER: Fields = {"at_most": ("true or false", is_bool)}
"""What notes of an earlier version do not say."""
ROOT = Path("runs/studies")
CACHE = "cache"


@dataclass
class Models:
    """The model that was asked last stays in memory, and no other."""

    places: Places
    _last: tuple[ModelOf, Any] | None = field(default=None, repr=False)

    def load(self, wanted: ModelOf) -> Model:
        from calib.models.load import load_model

        if self._last is None or self._last[0] != wanted:
            self._last = None  # its memory is free before the next is loaded
            self._last = (
                wanted,
                load_model(self.places.path(wanted.model), **self.places.arguments(wanted)),
            )
        return self._last[1]


def run_study(
    study: Study | str | Path,
    *,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Run a study, one that comes with calib by name or a file; return the path of its page.

    ``out``: its folder (default runs/studies/full/NAME); ``cache``: the folder of all jobs (default
    beside it, so that studies share them). ``quick``: few questions and answers, one seed, a page
    marked as an illustration. ``seeds``: others than the file's; what is concluded is compared
    between them. ``announce`` is told of every job that is begun. The same call goes on where an
    earlier one was stopped. Raises InputError, naming the line, for a file that means nothing, and
    CalibError where a model fails.
    """
    study = study if isinstance(study, Study) else read_study(find_study(study))
    if why := missing(study):
        raise InputError(f"study {study.name}: {why}")
    folder = folder_of(study, out, quick)
    places = Places(cache_of(folder, cache), study.path.parent)
    chosen = chosen_seeds(study, seeds, quick)
    planned = {seed: plan(study, seed, quick=quick) for seed in chosen}
    # Reads every task, and so refuses a broken one, too.
    refuse_early(chain.from_iterable(planned.values()), study, places)
    models = Models(places)
    runs = []
    for seed, jobs in planned.items():
        outcomes = [outcome_of(job, study, places, models, progress, announce) for job in jobs]
        name_apart(outcomes)
        found = FINDINGS[study.finding].find(outcomes, dict(study.asked), seed)
        facts = bearing_on(found.facts, study.claims)
        runs.append({"seed": seed, "steps": steps_of(outcomes, folder), "found": facts})
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "format": FORMAT,
        "study": study.name,
        "title": study.title,
        "question": study.question,
        "design": study.design,
        "claims": list(study.claims),
        "limits": study.limits,
        "finding": study.finding,
        "quick": quick,
        "runs": runs,
        "facts": {name: value for name, value in circumstances().items() if name != "started"},
        "file": study.path.read_text(encoding="utf-8-sig"),
        "name of file": study.path.name,
    }
    replace(folder / RESULTS, json.dumps(to_json(results), indent=1, ensure_ascii=False) + "\n")
    return write_study_report(folder)


def name_apart(outcomes: Sequence[Outcome]) -> None:
    """Where two steps of a kind ask the same of the same, tables call their jobs by the whole."""
    names = [(each.job.kind, each.name) for each in outcomes]
    for each, name in zip(outcomes, names, strict=True):
        each.whole = names.count(name) > 1


def bearing_on(found: dict[str, Any], claims: Sequence[str]) -> dict[str, Any]:
    """What was found, its conclusions on the claims that the study names and on no other."""
    for each in found["conclusions"]:
        each["claim"] = each["claim"] if each["claim"] in claims else ""
    return found


def chosen_seeds(study: Study, seeds: Sequence[int] | None, quick: bool) -> list[int]:
    """The file's, of which a quick run takes the first, or others. InputError for what are none."""
    if seeds is None:
        return list(study.seeds)[: 1 if quick else None]
    chosen = [checked("seed", seed) for seed in seeds]
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError(f"seeds: expected different whole numbers, got {list(seeds)}")
    return chosen


def folder_of(study: Study, out: str | Path | None, quick: bool) -> Path:
    """The study's folder. InputError where something else is in it."""
    folder = Path(out) if out is not None else ROOT / ("quick" if quick else "full") / study.name
    refuse_no_folder(folder)
    if kind_of(folder) not in (None, STUDY):
        raise InputError(f"{folder}: it holds something else than a study; choose another folder")
    there = fields_of(folder / RESULTS)
    ours = {"study": study.name, "name of file": study.path.name, "quick": quick}
    for name, value in ours.items():
        if there and there.get(name) != value:
            raise InputError(
                f"{folder}: it holds a study whose {name} is {there.get(name)!r} and not "
                f"{value!r}; choose another folder"
            )
    return folder


def cache_of(folder: Path, cache: str | Path | None) -> Path:
    return Path(cache) if cache is not None else folder.parent / CACHE


def outcome_of(
    job: Job,
    study: Study,
    places: Places,
    models: Models,
    progress: Progress | None,
    announce: Callable[[str], None] | None,
) -> Outcome:
    """Do a job, or read that it is done."""
    folder = places.folder(job)
    known = done(folder)
    if known is None:
        if announce is not None:
            announce(f"{study.name}: {job.name}")
        known = carry_out(job, places, models, progress)
    known = {"at_most": cost_of(job, places).at_most, **known}  # which earlier notes do not say
    inputs = {part: [places.folder(each) for each in jobs] for part, jobs in job.inputs.items()}
    return Outcome(job, folder, inputs, known)


def carry_out(
    job: Job, places: Places, models: Models, progress: Progress | None
) -> dict[str, Any]:
    folder = places.folder(job)
    folder.parent.mkdir(parents=True, exist_ok=True)
    cost = cost_of(job, places)
    work = Work(
        job=job,
        folder=folder,
        inputs={part: [places.folder(e) for e in jobs] for part, jobs in job.inputs.items()},
        model=partial(models.load, job.model) if job.model is not None else no_model,
        task=partial(places.asked, job),
        whole=partial(places.whole, job),
        elsewhere=lambda: [places.chosen(each, job.seed) for each in job.elsewhere],
        path=places.path,
        called=called(job),
        progress=told_of(job, progress),
    )
    began, refused = time.monotonic(), None
    try:
        KINDS[job.kind].call(work)
    except (InputError, CalibError) as error:
        # A full disk is no finding: what could not be written is not called concluded.
        if not KINDS[job.kind].concludes or isinstance(error.__cause__, OSError):
            raise type(error)(f"step {job.name}: {error}") from error
        refused = str(error)
    known = {
        "job": job.name,
        "kind": job.kind,
        "model": None if job.model is None else job.model.model,
        "seconds": round(time.monotonic() - began, 3),
        "prompts": cost.prompts,
        "answers": cost.answers,
        "at_most": cost.at_most,
        "refused": refused,
        "date": datetime.now(UTC).date().isoformat(),
    }
    replace(folder.parent / DONE, json.dumps(known, indent=1) + "\n")
    return known


def told_of(job: Job, progress: Progress | None) -> Progress | None:
    """``progress``, told of the job besides: two jobs may ask one task, and are counted apart."""
    if progress is None:
        return None

    def tell(done: int, total: int, what: str) -> None:
        progress(done, total, Counted(f"{job.name}: {what}", getattr(what, "unit", "questions")))

    return tell


def no_model() -> Any:
    raise AssertionError("this kind of step asks no model")


def done(folder: Path) -> dict[str, Any] | None:
    """What is known of a finished job; None where it is not finished or its folder is gone."""
    path = folder.parent / DONE
    if not path.is_file():
        return None
    known = read_done(path)
    there = any((folder / name).is_file() for name in (RESULTS, CONFIG))
    return known if there or known["refused"] is not None else None


def read_done(path: Path) -> dict[str, Any]:
    """A done.json. InputError, saying what to delete, for one that was damaged."""
    try:
        known = read_object(path)
        check_fields(known, str(path), KNOWN, LATER)
    except InputError as error:
        raise InputError(f"{error}; delete {path.parent}, and its job is done again") from error
    return known


def cost_of(job: Job, places: Places) -> Cost:
    kind = KINDS[job.kind]
    return kind.cost(job.options, len(places.items(job))) if kind.over == OVER_MODELS else Cost()


def steps_of(outcomes: Sequence[Outcome], folder: Path) -> list[dict[str, Any]]:
    """Each job with where its page lies, from the study's folder."""
    return [outcome.facts(folder) for outcome in outcomes]
