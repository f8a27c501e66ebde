"""Every kind of folder and how its report is written again: a line each.

``calib.runs.config.kind_of`` reads the kind from config.json, from the ``format`` of results.json,
or from what the folder holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.report.answers import write_answers_report
from calib.report.book import rewrite_book
from calib.report.comparison import rewrite_comparison
from calib.report.histogram import write_histogram_report
from calib.report.idk import write_idk_report
from calib.report.idk_comparison import rewrite_idk_comparison
from calib.report.items import SOURCES as BY_ITEM
from calib.report.measures import write_measures_report
from calib.report.modality import write_modality_report
from calib.report.prompts import write_prompts_report
from calib.report.ranking_page import rewrite_ranking
from calib.report.scores import write_report
from calib.report.study import write_study_report
from calib.report.training import write_training_report
from calib.report.trajectory import write_trajectory_report
from calib.report.transfer import rewrite_transfer
from calib.report.twins import write_twins_report
from calib.runs import open_run
from calib.runs.config import kind_of
from calib.runs.folder import Progress
from calib.runs.kinds import (
    BOOK,
    COMPARISON,
    HISTOGRAM,
    IDK_COMPARISON,
    IDK_EVALUATION,
    IDK_SET,
    IMPORTED,
    KINDS,
    MODALITY,
    PROMPT_SEARCH,
    RANKING,
    SAMPLE,
    SCORE,
    STUDY,
    TRAINING,
    TRAJECTORY,
    TRANSFER,
    TWINS,
    no_run,
)


@dataclass(frozen=True, slots=True)
class Sources:
    """The folder to report on and, of sampled answers, the runs that are read with it.

    ``pictures``: how many items.html keeps; None: as many as it does by itself. ``equivalence``:
    which samples mean the same (``calib.uncertainty.meaning``); None: as by default.
    """

    folder: Path
    answers: Path | None = None
    scores: Path | None = None
    progress: Progress | None = None
    pictures: int | None = None
    equivalence: str | None = None

    @property
    def items(self) -> dict[str, Any]:
        """What the writer of items.html is told besides the run."""
        asked = {} if self.pictures is None else {"pictures": self.pictures}
        return {"progress": self.progress, **asked}


def questions(of: Sources) -> Path:
    return write_report(open_run(of.folder), **of.items)


def histogram(of: Sources) -> Path:
    return write_histogram_report(open_run(of.folder))


def sampled(of: Sources) -> Path:
    """Measures side by side; of one sample a question there are none, only its answers."""
    run = open_run(of.folder)
    if run.config["samples"] == 1 and not (of.answers or of.scores):
        if of.equivalence is not None:
            raise InputError(
                f"{of.folder}: --equivalence says which samples mean the same, and this run holds "
                "one answer to each question"
            )
        return write_answers_report(run, **of.items)
    sources = {"answers": of.answers, "scores": of.scores}
    opened: dict[str, Any] = {
        name: open_run(path) for name, path in sources.items() if path is not None
    }
    return write_measures_report(run, **of.items, **opened, equivalence=of.equivalence)


def comparison(of: Sources) -> Path:
    return rewrite_comparison(of.folder)


def idk_set(of: Sources) -> Path:
    """Write the card, exports and results.json again from the samples, and the evaluation's report.

    Returns the evaluation's page, or the card where there is no evaluation.
    """
    from calib.idk.ask import EVALUATION  # with it comes torch
    from calib.idk.folder import CARD, label_set

    label_set(of.folder)
    evaluation = of.folder / EVALUATION
    if kind_of(evaluation) == IDK_EVALUATION:
        return write_idk_report(evaluation)
    return of.folder / CARD


def idk_evaluation(of: Sources) -> Path:
    return write_idk_report(of.folder)


def idk_comparison(of: Sources) -> Path:
    return rewrite_idk_comparison(of.folder)


def ranking(of: Sources) -> Path:
    return rewrite_ranking(of.folder)


def transfer(of: Sources) -> Path:
    return rewrite_transfer(of.folder)


def training(of: Sources) -> Path:
    return write_training_report(of.folder)


def prompt_search(of: Sources) -> Path:
    return write_prompts_report(of.folder)


def modality(of: Sources) -> Path:
    return write_modality_report(of.folder)


def study(of: Sources) -> Path:
    return write_study_report(of.folder)


def trajectory(of: Sources) -> Path:
    return write_trajectory_report(of.folder)


def twins(of: Sources) -> Path:
    return write_twins_report(of.folder)


def book(of: Sources) -> Path:
    return rewrite_book(of.folder)


REPORTS: dict[str, Callable[[Sources], Path]] = {
    SCORE: questions,
    IMPORTED: questions,
    HISTOGRAM: histogram,
    SAMPLE: sampled,
    COMPARISON: comparison,
    IDK_SET: idk_set,
    IDK_EVALUATION: idk_evaluation,
    IDK_COMPARISON: idk_comparison,
    RANKING: ranking,
    TRANSFER: transfer,
    TRAINING: training,
    PROMPT_SEARCH: prompt_search,
    MODALITY: modality,
    STUDY: study,
    TRAJECTORY: trajectory,
    TWINS: twins,
    BOOK: book,
}


def write_again(of: Sources) -> Path:
    """Write the report of a folder of any kind again; return the page.

    Raises InputError for a folder of no kind, for ``answers``, ``scores`` or ``equivalence`` with a
    folder that is no run of sampled answers, and for ``pictures`` with one that holds no questions
    one by one.
    """
    kind = kind_of(of.folder)
    if kind is None:
        raise InputError(no_run(of.folder))
    if kind != SAMPLE and (of.answers or of.scores):
        raise InputError(f"{of.folder}: --answers and --scores go with a run of calib sample")
    if kind != SAMPLE and of.equivalence is not None:
        raise InputError(f"{of.folder}: --equivalence goes with a run of calib sample")
    if kind not in BY_ITEM and of.pictures is not None:
        raise InputError(
            f"{of.folder}: --pictures goes with a run of questions, and this holds "
            f"{KINDS[kind].holds}"
        )
    return REPORTS[kind](of)
