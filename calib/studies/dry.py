"""What a study would do: its jobs, what each asks of its model, and how long that may take.

Times are those of finished jobs of the same kind and model in the cache; else those of the embedded
model on two CPU cores, for its states alone. Of other models nothing is known before the first job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.studies.cost import Cost
from calib.studies.early import refuse_early
from calib.studies.keys import Places
from calib.studies.plan import plan
from calib.studies.run import DONE, cache_of, chosen_seeds, cost_of, done, folder_of, read_done
from calib.studies.study import Job, Study

EMBEDDED = "embedded:"
SECONDS = {"prompts": 0.11, "answers": 0.16}
SEARCHED = 0.012
"""Of a prompt, an answer of some words, and a prompt of a search's whole pool, of which a third is
read: embedded:stage2 on two cores of an AMD EPYC (Zen 4), float32, 2026-11."""


@dataclass(frozen=True)
class Line:
    """A job that would run or is done, by the ``key`` of its folder; ``seconds`` is None where
    nothing is known of its model."""

    job: Job
    key: str
    seed: int
    done: bool
    cost: Cost
    seconds: float | None


def dry_run(
    study: Study,
    *,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
) -> list[Line]:
    """Every job of the study with its cost. Loads no model. Raises as ``run_study`` does."""
    places = Places(cache_of(folder_of(study, out, quick), cache), study.path.parent)
    chosen = chosen_seeds(study, seeds, quick)
    known = rates(places.cache)
    lines, seen = [], set()
    for seed in chosen:
        jobs = plan(study, seed, quick=quick)
        refuse_early(jobs, study, places)
        for job in jobs:
            if (key := places.key(job)) in seen:
                continue  # another seed asks the same
            seen.add(key)
            cost = cost_of(job, places)
            finished = done(places.folder(job)) is not None
            lines.append(
                Line(job, key, seed, finished, cost, 0.0 if finished else time_of(job, cost, known))
            )
    return lines


def rates(cache: Path) -> dict[tuple[str, str], float]:
    """Seconds of a prompt or answer, by kind and model, of the finished jobs in a cache."""
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for path in sorted(cache.glob(f"*/{DONE}")):
        known = read_done(path)
        asked = int(known["prompts"]) + int(known["answers"])
        if asked:
            place = str(known["kind"]), str(known["model"])
            seconds, number = sums.get(place, (0.0, 0))
            sums[place] = seconds + float(known["seconds"]), number + asked
    return {place: seconds / number for place, (seconds, number) in sums.items()}


def time_of(job: Job, cost: Cost, known: dict[tuple[str, str], float]) -> float | None:
    if job.model is None or not cost.prompts + cost.answers:
        return 0.0
    rate = known.get((job.kind, job.model.model))
    if rate is not None:
        return rate * (cost.prompts + cost.answers)
    if not job.model.model.startswith(EMBEDDED):
        return None
    if job.kind == "prompts":
        return cost.prompts * SEARCHED
    return cost.prompts * SECONDS["prompts"] + cost.answers * SECONDS["answers"]
