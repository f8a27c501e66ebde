"""Published ways of measuring, by name: what is drawn, what is judged, and what means the same.

``semantic-entropy``  after jlko/semantic_uncertainty (Farquhar et al. 2024): ten samples at
temperature 1.0 and, for accuracy, one answer at temperature 0.1, each of at most 50 new tokens;
samples mean the same where a model of entailment says so in both directions, the question before
both, and join the first cluster that matches. (The published code lets the last match win; see
``calib.semantic_entropy``.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.drive.sample import sample
from calib.models.protocol import Model
from calib.records import InputError
from calib.runs import Run
from calib.runs.folder import Progress, counting
from calib.tasks import Task

ANSWER = "answer"
"""The folder, in that of the samples, with the answers that are judged."""
OF_RECIPE = ("samples", "temperature", "top_k", "top_p", "min_p", "greedy", "max_new_tokens")
"""Settings that a recipe fixes."""


@dataclass(frozen=True)
class Recipe:
    """How samples are drawn, how the judged answer is, and which ``equivalence`` is the default."""

    samples: Mapping[str, Any]
    answer: Mapping[str, Any]
    equivalence: str
    about: str = field(compare=False)


RECIPES = {
    "semantic-entropy": Recipe(
        {"samples": 10, "temperature": 1.0, "max_new_tokens": 50},
        {"samples": 1, "temperature": 0.1, "max_new_tokens": 50},
        "nli:microsoft/deberta-v2-xlarge-mnli",
        "ten samples at temperature 1.0 and one judged answer at 0.1, of at most 50 new tokens",
    )
}


def recipe_of(name: str, given: Mapping[str, Any]) -> Recipe:
    """The recipe of that name. InputError where there is none, and where ``given`` settings are
    among those that it fixes."""
    if name not in RECIPES:
        raise InputError(f"recipe: expected one of {', '.join(RECIPES)}, got {name!r}")
    own = next((setting for setting in OF_RECIPE if setting in given), None)
    if own is not None:
        raise InputError(
            f"{own}: expected none with recipe {name}, which draws {RECIPES[name].about}, got "
            f"{given[own]!r}"
        )
    return RECIPES[name]


def follow(
    recipe: str,
    model: Model | str,
    task: Task | str,
    *,
    out: str | Path,
    progress: Progress | None = None,
    **sampling: Any,
) -> tuple[Run, Run]:
    """The samples of a recipe in ``out`` and its judged answers in ``out/answer``.

    ``sampling``: the other arguments of ``calib.sample``. The same call goes on where an earlier
    one was stopped. ``calib.report.measures.write_measures_report(samples, answers=answers,
    equivalence=...)`` writes the page. Raises InputError as ``recipe_of`` and ``calib.sample`` do.
    """
    own, folder = recipe_of(recipe, sampling), Path(out)
    samples = sample(model, task, out=folder, progress=progress, **own.samples, **sampling)
    told = counting(progress, "judged answers")
    answers = sample(model, task, out=folder / ANSWER, progress=told, **own.answer, **sampling)
    return samples, answers
