"""What each kind of step does: one call of calib, in the job's folder, with the job's page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.records import InputError
from calib.runs import open_run
from calib.runs.durable import replace
from calib.runs.folder import RESULTS, Progress
from calib.studies.study import Job

if TYPE_CHECKING:
    from calib.models.protocol import Model
    from calib.tasks import Task


MEASURED = ("n", "accuracy", "measures", "tests", "labels", "correlations", "agreement")
"""What is kept of a table of measures."""
RESAMPLES = 4000
"""Of the tests of measures: the p of three tables of ten measures could else never be small."""


@dataclass(frozen=True)
class Work:
    """A job with all that its call needs. ``inputs`` are the folders of the jobs that it reads;
    ``model`` and ``task`` load what the job names, ``whole`` the task without its limit, ``path``
    finds what the study's file names, ``called`` are
    the study's names of the runs where they need some."""

    job: Job
    folder: Path
    inputs: Mapping[str, Sequence[Path]]
    model: Callable[[], Model]
    task: Callable[[], Task]
    whole: Callable[[], Task]
    elsewhere: Callable[[], Sequence[Task]]
    path: Callable[[str], str]
    called: Sequence[str] | None
    progress: Progress | None

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.job.options)

    @property
    def asked(self) -> dict[str, Any]:
        """What every call over a model's questions is given besides its own options."""
        form = None if self.job.task is None else self.job.task.prompt
        return {**self.options, "prompt": form, "seed": self.job.seed, "progress": self.progress}


def score(work: Work) -> None:
    from calib.drive.score import score
    from calib.report.scores import write_report

    run = score(work.model(), work.task(), out=work.folder, **work.asked)
    write_report(run)


def sample(work: Work) -> None:
    from calib.drive.sample import sample
    from calib.report.answers import write_answers_report
    from calib.report.measures import write_measures_report

    run = sample(work.model(), work.task(), out=work.folder, **work.asked)
    if run.config["samples"] == 1:
        write_answers_report(run)
        return
    with suppress(InputError):  # questions without answers have no measure to be judged
        write_measures_report(run)


def modality(work: Work) -> None:
    from calib.modalities.study import modality
    from calib.report.modality import write_modality_report

    modality(work.model(), work.task(), out=work.folder, **work.asked)
    write_modality_report(work.folder)


def idk(work: Work) -> None:
    from calib.idk.ask import EVALUATION, ask_set
    from calib.idk.draw import Subject
    from calib.idk.folder import build_set
    from calib.report.idk import write_idk_report

    asked = work.asked
    arms = asked.pop("arms", ())
    subject, task = Subject.of(work.model()), work.task()
    build_set(subject, task, work.folder, limit=len(task), **asked)
    ask_set(subject, work.folder, arms=arms, seed=work.job.seed, progress=work.progress)
    write_idk_report(work.folder / EVALUATION)


def twins(work: Work) -> None:
    """Twins are made of the questions that have some, so that the limit is theirs."""
    from calib.report.twins import write_twins_report
    from calib.twin_sets.evaluate import evaluate_twins
    from calib.twin_sets.make import make
    from calib.twin_sets.ways import WAYS

    assert work.job.task is not None
    asked = work.asked
    how = asked.pop("how", list(WAYS))
    made = make(work.whole(), how, seed=work.job.seed, limit=work.job.task.limit)
    evaluate_twins(work.model(), made.task, out=work.folder, **asked)
    write_twins_report(work.folder)


def prompts(work: Work) -> None:
    from calib.prompts.search import optimize_prompts
    from calib.report.prompts import write_prompts_report

    asked = work.asked
    elsewhere = work.elsewhere()
    optimize_prompts(work.model(), work.task(), out=work.folder, elsewhere=elsewhere, **asked)
    write_prompts_report(work.folder)


def imported(work: Work) -> None:
    from calib.logs.read import read_log
    from calib.report.scores import write_report

    options = work.options
    run = read_log(
        work.path(options["file"]),
        options.get("format"),
        out=work.folder,
        seed=work.job.seed,
        **options.get("arguments", {}),
    )
    write_report(run)


def ranking(work: Work) -> None:
    from calib.calibrators.registry import CALIBRATORS
    from calib.report.ranking_page import write_ranking
    from calib.summary.ranking import rank_runs

    names = work.options.get("calibrators") or list(CALIBRATORS)
    (run,) = work.inputs["runs"]
    ranked, _, facts = rank_runs(run, None, names, seed=work.job.seed)
    write_ranking({**ranked, "facts": facts}, work.folder)


def measures(work: Work) -> None:
    """Side by side; the page is that of the samples."""
    from calib.report.measures import write_measures_report
    from calib.report.page import make_folder
    from calib.uncertainty.side_by_side import side_by_side

    (answers,) = work.inputs["runs"]
    run, scores = open_run(answers), [open_run(path) for path in work.inputs.get("scores", ())]
    how = {"scores": scores[0] if scores else None, **work.options}
    sides = side_by_side(run, **how, resamples=RESAMPLES)
    write_measures_report(run, **how)
    make_folder(work.folder)
    found = {name: sides[name] for name in MEASURED}
    replace(work.folder / RESULTS, json.dumps(found, indent=1) + "\n")


def arms(work: Work) -> None:
    """Side by side in every arm of a modality study that has samples."""
    from calib.fields import read_object
    from calib.records import CalibError
    from calib.report.page import make_folder
    from calib.uncertainty.side_by_side import side_by_side

    (study,) = work.inputs["runs"]
    named = read_object(study / RESULTS)["arms"]
    found: dict[str, Any] = {}
    for arm, cell in named.items():
        if not (study / "answers" / cell).is_dir():
            raise CalibError("the modality study has drawn no samples")
        answers, scores = (open_run(study / part / cell) for part in ("answers", "cells"))
        sides = side_by_side(answers, scores=scores, **work.options, resamples=RESAMPLES)
        found[arm] = {name: sides[name] for name in MEASURED}
    make_folder(work.folder)
    replace(work.folder / RESULTS, json.dumps({"arms": found}, indent=1) + "\n")


def compare(work: Work) -> None:
    from calib.report.comparison import write_comparison
    from calib.summary.compare import compare

    runs = [open_run(path) for path in work.inputs["runs"]]
    found = compare(runs, seed=work.job.seed, called=work.called, **work.options)
    write_comparison(found, work.folder)


def compare_idk(work: Work) -> None:
    from calib.idk.comparison import compare_idk
    from calib.report.idk_comparison import write_idk_comparison

    write_idk_comparison(compare_idk(work.inputs["runs"], seed=work.job.seed), work.folder)


def trajectory(work: Work) -> None:
    """In the order in which the study names the models."""
    from calib.report.trajectory import write_trajectory_report
    from calib.trajectories.study import trajectory

    trajectory(list(work.inputs["runs"]), order="given", seed=work.job.seed, out=work.folder)
    write_trajectory_report(work.folder)


def transfer(work: Work) -> None:
    from calib.report.transfer import write_transfer
    from calib.summary.transfer import transfer_runs

    runs = [open_run(path) for path in work.inputs["runs"]]
    found = transfer_runs(runs, seed=work.job.seed, called=work.called, **work.options)
    write_transfer(found, work.folder)
