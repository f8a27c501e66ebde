"""What came of a job, as findings read it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from calib.fields import read_object
from calib.runs import Run, open_run
from calib.runs.kinds import RESULTS
from calib.studies.study import Job
from calib.summary.rows import Scored, collect

PAGE = "report.html"
SCORED = ("score", "import")


@dataclass
class Outcome:
    """A job with its folder, the folders that it read, and what done.json says of it."""

    job: Job
    folder: Path
    inputs: Mapping[str, Sequence[Path]]
    known: Mapping[str, Any]
    whole: bool = False
    """Whether tables call it by the whole name of its job."""

    @property
    def refused(self) -> str | None:
        """Why a step over runs concludes nothing; None where it does."""
        found: str | None = self.known["refused"]
        return found

    @cached_property
    def results(self) -> dict[str, Any]:
        """What its results.json holds."""
        return read_object(self.folder / RESULTS)

    @cached_property
    def run(self) -> Run:
        return open_run(self.folder)

    @cached_property
    def scored(self) -> Scored:
        """The questions of a scored run that can be judged, as arrays."""
        return collect(self.run.rows(), vocabulary=False, of=self.folder)[0]

    @property
    def model(self) -> str:
        """The study's name of the model, or the file's where there is none."""
        return self.job.name.split("/")[1] if self.job.model is None else self.job.model.name

    @property
    def task(self) -> str:
        return "" if self.job.task is None else self.job.task.name

    @property
    def inputs_named(self) -> list[str]:
        """The runs that it reads, by their models where these differ, else by their jobs."""
        jobs = self.job.inputs.get("runs", ())
        models = [job.model.name for job in jobs if job.model is not None]
        if len(models) == len(jobs) == len(set(models)):
            return models
        return [job.name.partition("/")[2] or job.name for job in jobs]

    @property
    def form(self) -> str:
        """The prompt form, where the step names several."""
        parts = self.job.name.split("/")
        return parts[3] if len(parts) > 3 else ""

    @property
    def name(self) -> str:
        """As tables call it: the job's name, as a rule without that of its step."""
        return self.job.name if self.whole else self.job.name.partition("/")[2] or self.job.name

    def page(self, base: Path) -> str | None:
        """Where its page lies from the folder ``base``; None where it has none."""
        # Measures are on the page of the samples that they are of.
        beside = self.inputs.get("runs", ())[:1] if self.job.kind == "measures" else ()
        for place in (
            self.folder / "evaluation" / PAGE,
            self.folder / PAGE,
            *(b / PAGE for b in beside),
        ):
            if place.is_file():
                return Path(os.path.relpath(place, base)).as_posix()
        return None

    def facts(self, base: Path) -> dict[str, Any]:
        """What the study's results.json says of the job."""
        return {
            "name": self.job.name,
            "kind": self.job.kind,
            "page": self.page(base),
            "options": dict(self.job.options),
            **{n: self.known[n] for n in ("seconds", "prompts", "answers", "refused", "date")},
            "at_most": bool(self.known.get("at_most")),
        }


def of_kind(outcomes: Iterable[Outcome], *kinds: str) -> list[Outcome]:
    """Those of some kinds that concluded something, in order."""
    return [each for each in outcomes if each.job.kind in kinds and each.refused is None]
