"""What a folder holds, and which reader takes it.

A run says its kind in config.json. One that says none is a scored run, begun when only sampled runs
said it. Of a folder that is no run the ``format`` of its results.json says the kind, or where that
is gone the files in it. Every reader states the kinds it takes through ``need``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from calib.records import InputError

CONFIG, RESULTS = "config.json", "results.json"
SCORE, SAMPLE, HISTOGRAM, IMPORTED = "score", "sample", "histogram", "imported"
COMPARISON, IDK_SET, IDK_EVALUATION = "comparison", "idk set", "idk evaluation"
TRAINING, TRANSFER, RANKING = "training", "transfer", "ranking"
PROMPT_SEARCH = "prompts"
MODALITY = "modality"
TRAJECTORY = "trajectory"
TWINS = "twins"
IDK_COMPARISON = "idk comparison"
STUDY, BOOK = "study", "book"
STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a folder of this kind ``holds``, and what it is ``read_by``, for messages."""

    holds: str
    read_by: str


QUESTIONS = "calib report, compare, fit, transfer and crosscheck, and Run.scores()"
KINDS: dict[str, Kind] = {
    SCORE: Kind("scored questions (calib score)", QUESTIONS),
    IMPORTED: Kind("an imported table (calib import)", QUESTIONS),
    HISTOGRAM: Kind(
        "a histogram of scored questions without their records (calib score --log_samples none)",
        "calib report",
    ),
    SAMPLE: Kind("sampled answers (calib sample)", "calib report and p_true, and Run.answers()"),
    COMPARISON: Kind("a comparison of runs (calib compare)", "calib report"),
    IDK_SET: Kind(
        "an IDK set (calib idk build)",
        "calib report, calib idk evaluate and, beside others of its kind, calib compare",
    ),
    IDK_EVALUATION: Kind(
        "an evaluation of an IDK set (calib idk evaluate)",
        "calib report and, beside others of its kind, calib compare",
    ),
    IDK_COMPARISON: Kind("a comparison of IDK sets (calib compare)", "calib report"),
    TRANSFER: Kind("the transfer of calibrators (calib transfer)", "calib report"),
    RANKING: Kind("a ranking of calibrators (calib fit --calibrator all)", "calib report"),
    TRAINING: Kind("the checkpoints of a Trainer (calib.CalibrationCallback)", "calib report"),
    PROMPT_SEARCH: Kind("a search for a prompt's wording (calib prompts)", "calib report"),
    MODALITY: Kind("a study of images against text (calib modality)", "calib report"),
    STUDY: Kind("a declared study (calib study run)", "calib report"),
    TRAJECTORY: Kind("calibration over checkpoints (calib trajectory)", "calib report"),
    TWINS: Kind("answers to pairs of twins (calib twins evaluate)", "calib report"),
    BOOK: Kind("a book of studies (calib study all)", "calib report"),
}

RUNS = (SCORE, IMPORTED, HISTOGRAM, SAMPLE, PROMPT_SEARCH, MODALITY, TRAJECTORY, TWINS)
READERS: dict[str, tuple[str, ...]] = {
    "Run.rows()": (SCORE, IMPORTED),
    "Run.scores()": (SCORE, IMPORTED),
    "Run.answers()": (SAMPLE,),
    "Run.items()": (SAMPLE,),
    "Run.prompts()": (SCORE, SAMPLE),
    "calib.open_run": RUNS,
    "calib.summarize": (SCORE, IMPORTED),
    "calib fit": (SCORE, IMPORTED),
    "calib transfer": (SCORE, IMPORTED),
    "calib compare": (SCORE, IMPORTED),
    "calib trajectory": (SCORE, IMPORTED),
    "calib crosscheck": (SCORE, IMPORTED),
    "calib p_true": (SAMPLE,),
    "the table of measures": (SAMPLE,),
    "--scores of calib report": (SCORE,),
}
"""Each reader, as messages call it, and the kinds it takes."""

FORMATS = {
    "calib.comparison/1": COMPARISON,
    "calib.idk/1": IDK_SET,
    "calib.idk.evaluation/1": IDK_EVALUATION,
    "calib.idk.comparison/1": IDK_COMPARISON,
    "calib.transfer/1": TRANSFER,
    "calib.ranking/1": RANKING,
    "calib.study/1": STUDY,
    "calib.book/1": BOOK,
}
"""The ``format`` of results.json in folders that have no config.json."""


class HasKind(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def config(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=HasKind)


def need(run: R, reader: str) -> R:
    """``run``, where ``reader``, a key of ``READERS``, takes its kind.

    Raises InputError, saying what the folder holds and what reads it, where it does not.
    """
    kind = kind_in(run.config)
    if kind not in READERS[reader]:
        raise InputError(refusal(run.path, kind, reader))
    return run


def kind_in(config: Mapping[str, Any]) -> str:
    """The kind that a configuration says."""
    return str(config.get("kind") or SCORE)


def kind_without_config(folder: Path) -> str | None:
    """The kind of a folder that has no config.json of ours; None where it is none of ours."""
    if states_in(folder):
        return TRAINING
    kind = FORMATS.get(str(fields_of(folder / RESULTS).get("format")))
    if kind is not None:
        return kind
    if (folder / "arms").is_dir():
        return IDK_EVALUATION
    return IDK_SET if (folder / "samples" / CONFIG).is_file() else None


def states_in(folder: Path) -> list[Path]:
    """The trainer_state.json of a checkpoint, or of an output folder: its own and that of its
    checkpoints with the greatest step."""
    checkpoints = [
        (int(step), path)
        for path in folder.glob(f"checkpoint-*/{STATE}")
        if (step := path.parent.name.removeprefix("checkpoint-")).isdecimal() and path.is_file()
    ]
    own = [folder / STATE] if (folder / STATE).is_file() else []
    return own + [path for _, path in sorted(checkpoints)[-1:]]


def fields_of(path: Path) -> Mapping[str, Any]:
    """The object in a file of JSON; an empty one where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def refusal(path: Path, kind: str, reader: str) -> str:
    """The sentence with which ``reader`` refuses a folder of the kind ``kind``."""
    takes = [KINDS[name].holds for name in READERS[reader]]
    return (
        f"{path}: it holds {KINDS[kind].holds}, which {KINDS[kind].read_by} "
        f"{'read' if ' and ' in KINDS[kind].read_by else 'reads'}; {reader} takes "
        f"{' or '.join(takes)}"
    )


def no_run(path: Path, reader: str = "calib.open_run") -> str:
    """Why ``path``, which has no config.json, is no run: what it is instead."""
    if path.is_file():
        return (
            f"{path}: this is a file and not a run folder; calib import makes a run of a table "
            "or log, and calib report reads one directly"
        )
    if not path.exists():
        return f"{path}: there is no such file or folder"
    kind = kind_without_config(path)
    if kind is None:
        return f"{path}: this is not a run folder ({CONFIG} is not there)"
    return refusal(path, kind, reader)
