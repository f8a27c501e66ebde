"""The kinds of steps: what each takes, what it costs, and the call that it is. A kind is an entry.

A step over models and tasks comes to a job for each pair of them; a step over runs to one job for
all of them, for those of each task (``by: task``) or of each model, or for each run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from calib.calibrators.registry import CALIBRATORS
from calib.judge import JUDGES
from calib.judge.choice import AUTO
from calib.modalities.cells import ARMS
from calib.studies import calls
from calib.studies.cost import Cost, answers_of, cells_of, half_known, paired, prompts_of, searched
from calib.studies.options import (
    LEVEL,
    TEXT,
    Option,
    check_all,
    listing,
    number,
    one_of,
    whole,
)
from calib.studies.source import Place, Source
from calib.studies.study import ModelOf, Step, TaskOf
from calib.twin_sets.ways import WAYS

OVER_MODELS, OVER_RUNS, OVER_FILES = "models", "runs", "files"
BY = ("all", "task", "model", "run")
ELSEWHERE = "elsewhere"
PRODUCT = {"models": listing(TEXT), "tasks": listing(TEXT), "prompts": listing(TEXT)}


@dataclass(frozen=True)
class Kind:
    """``about`` it, what it goes over, its ``options``, and of which kinds the steps are that its
    parts read. ``call`` does the work of one job and leaves its folder; ``cost`` is what the model
    has to read and say. A kind that ``concludes`` may find that there is nothing to conclude."""

    about: str
    over: str
    call: Callable[[calls.Work], None]
    options: Mapping[str, Option] = field(default_factory=dict)
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    by: str = "all"
    least: int = 1
    """Runs that a job needs."""
    cost: Callable[[Mapping[str, Any], int], Cost] = lambda options, questions: Cost()
    concludes: bool = False
    samples: int = 0
    """Answers to a question that are drawn where the option does not say."""
    draws: bool = False
    """Whether the call itself draws the questions of a task's limit."""

    @property
    def known(self) -> dict[str, Option]:
        """Every option by name."""
        if self.over == OVER_MODELS:
            return {**PRODUCT, **self.options}
        if self.over == OVER_FILES:
            return dict(self.options)
        parts = dict.fromkeys(self.reads, REFERENCE)
        return {**parts, "by": one_of(*BY), **self.options}

    def options_of(
        self, source: Source, place: Place, step: str, options: Any
    ) -> Mapping[str, Any]:
        """The options that a step, or ``quick`` for it, gives, each of its kind."""
        known = {n: singly(o) if n in (*PRODUCT, *self.reads) else o for n, o in self.known.items()}
        check_all(source, place, options, known, f"step {step}")
        return dict(options)

    def check(
        self,
        source: Source,
        step: Step,
        models: Mapping[str, ModelOf],
        tasks: Mapping[str, TaskOf],
        before: Mapping[str, Step],
    ) -> None:
        """Refuse, at its line, what the step cannot mean. ``before``: the steps above it."""
        self.options_of(source, step.place, step.name, step.options)
        if self.over == OVER_MODELS:
            for part, known in (("models", models), ("tasks", tasks)):
                check_names(source, step, part, known)
            if ELSEWHERE in step.options:
                check_names(source, step, ELSEWHERE, tasks)
        for part, kinds in self.reads.items():
            check_reads(source, step, part, kinds, part in self.optional, before)
        if self.over == OVER_FILES and "files" not in step.options:
            source.refuse(step.place, f"step {step.name}: files are missing")


REFERENCE = listing(TEXT)


def singly(option: Option) -> Option:
    """A list, or one of what it lists."""
    return Option(
        f"text or {option.expected}", lambda value: option.fits(value) or TEXT.fits(value)
    )


def check_names(source: Source, step: Step, part: str, known: Mapping[str, Any]) -> None:
    if not known:
        source.refuse(step.place, f"step {step.name}: the study names no {part}")
    given = step.options.get(part, list(known))
    for k, name in enumerate(source.names((*step.place, part), given, part)):
        if name not in known:
            source.refuse(
                (*step.place, part, k),
                f"step {step.name}: {part}: expected some of {', '.join(known)}, got {name!r}",
            )


def check_reads(
    source: Source,
    step: Step,
    part: str,
    kinds: tuple[str, ...],
    optional: bool,
    before: Mapping[str, Step],
) -> None:
    """A reference is the name of a step above, and what of it: "scored/stage1", "scored/*/text"."""
    if part not in step.options:
        if optional:
            return
        source.refuse(
            step.place, f"step {step.name}: {part} are missing: a step of {' or '.join(kinds)}"
        )
    usable = [name for name, each in before.items() if each.kind in kinds]
    references = source.names((*step.place, part), step.options[part], part)
    for k, reference in enumerate(references):
        name = reference.partition("/")[0]
        if name not in usable:
            above = f"got {name!r}" if name not in before else f"{name!r} is {before[name].kind}"
            source.refuse(
                (*step.place, part, k),
                f"step {step.name}: {part}: expected a step of {' or '.join(kinds)} above it"
                f"{' (' + ', '.join(usable) + ')' if usable else ''}, {above}",
            )


SCORED = ("score", "import")
CALIBRATOR = one_of(*CALIBRATORS)
ARGUMENTS = Option(
    "names with texts",
    lambda value: isinstance(value, dict) and all(map(TEXT.fits, value.values())),
)
LEVELS = Option(f"a list, each {LEVEL.expected}", lambda v: v == [] or listing(LEVEL).fits(v))
KINDS: dict[str, Kind] = {
    "score": Kind(
        "calib score: the probability of every option",
        OVER_MODELS,
        calls.score,
        {
            "confidence": one_of("options", "vocab"),
            "normalize": one_of("sum", "mean"),
            "orders": whole(1),
            "temperature": number(0.01, 100.0),
            "bins": whole(1),
            "thinking": one_of("off", "on", "own"),
        },
        cost=prompts_of,
    ),
    "sample": Kind(
        "calib sample: several answers to each question",
        OVER_MODELS,
        calls.sample,
        {
            "samples": whole(1),
            "temperature": number(0.01, 100.0),
            "top_p": number(0.01, 1.0),
            "max_new_tokens": whole(1),
        },
        cost=answers_of,
        samples=20,
    ),
    "modality": Kind(
        "calib modality: images against text",
        OVER_MODELS,
        calls.modality,
        {
            "arms": listing(one_of(*ARMS)),
            "noise": LEVELS,
            "sentences": whole(0),
            "samples": whole(0),
            "side": whole(1),
        },
        cost=cells_of,
    ),
    "idk": Kind(
        "calib idk: what a model does not know, and whether it says so",
        OVER_MODELS,
        calls.idk,
        {
            "samples": whole(1),
            "tau": number(0.0, 1.0),
            "temperature": number(0.01, 100.0),
            "top_p": number(0.01, 1.0),
            "max_new_tokens": whole(1),
            "arms": listing(TEXT),
        },
        cost=half_known,
        samples=10,
    ),
    "twins": Kind(
        "calib twins: questions beside twins that nobody can answer",
        OVER_MODELS,
        calls.twins,
        {"how": listing(one_of(*WAYS)), "idk": TEXT, "max_new_tokens": whole(1)},
        cost=paired,
        draws=True,
    ),
    "prompts": Kind(
        "calib prompts: a search for a wording",
        OVER_MODELS,
        calls.prompts,
        {
            "part": one_of("cue", "instruction", "system"),
            "rounds": whole(1),
            "keep": whole(1),
            "rewrites": whole(1),
            "search": whole(1),
            "held_out": whole(1),
            "patience": whole(0),
            "elsewhere": listing(TEXT),
        },
        cost=searched,
    ),
    "import": Kind(
        "calib import: tables of other tools",
        OVER_FILES,
        calls.imported,
        {"files": listing(TEXT), "format": TEXT, "arguments": ARGUMENTS},
    ),
    "ranking": Kind(
        "calib fit --calibrator all: calibrators cross-fitted and ranked",
        OVER_RUNS,
        calls.ranking,
        {"calibrators": listing(CALIBRATOR)},
        {"runs": SCORED},
        by="run",
        concludes=True,
    ),
    "measures": Kind(
        "calib report of samples: measures of uncertainty side by side",
        OVER_RUNS,
        calls.measures,
        {"judge": one_of(AUTO, *JUDGES)},
        {"runs": ("sample",), "scores": SCORED},
        ("scores",),
        by="run",
        concludes=True,
    ),
    "arms": Kind(
        "measures of uncertainty side by side, in every arm of a modality study",
        OVER_RUNS,
        calls.arms,
        {"judge": one_of(AUTO, *JUDGES)},
        {"runs": ("modality",)},
        by="run",
        concludes=True,
    ),
    "compare": Kind(
        "calib compare: runs of the same questions",
        OVER_RUNS,
        calls.compare,
        {},
        {"runs": SCORED},
        by="task",
        least=2,
        concludes=True,
    ),
    "compare-idk": Kind(
        "calib compare of IDK sets: the same questions put to several models",
        OVER_RUNS,
        calls.compare_idk,
        {},
        {"runs": ("idk",)},
        by="task",
        least=2,
        concludes=True,
    ),
    "trajectory": Kind(
        "calib trajectory: checkpoints in the order of their models, and where calibration changes",
        OVER_RUNS,
        calls.trajectory,
        {},
        {"runs": SCORED},
        by="task",
        least=2,
        concludes=True,
    ),
    "transfer": Kind(
        "calib transfer: what is fitted on one run, judged on others",
        OVER_RUNS,
        calls.transfer,
        {"calibrator": CALIBRATOR},
        {"runs": SCORED},
        least=2,
        concludes=True,
    ),
}
