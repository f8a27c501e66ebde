"""A study: models, tasks, steps over them, and what is asked of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.studies.source import Place, Source

CLAIMS = {
    "C1": "models are miscalibrated",
    "C2": "visual fine-tuning and multimodal training change calibration little",
    "C3": "models are more uncertain of images than of text, and least of both",
    "C4": "models answer rather than admit that they do not know; prompts help",
    "C5": "temperature scaling and prompt search improve calibration",
    "C6": "the remedies hold on other data",
}
"""The paper's claims, in short; each is a hypothesis."""


@dataclass(frozen=True)
class ModelOf:
    """A model by the name that the study gives it; ``arguments`` are those of ``load_model``."""

    name: str
    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    parameters: float | None = None


@dataclass(frozen=True)
class TaskOf:
    name: str
    task: str
    limit: int | None = None
    prompt: str | None = None
    wording: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """``kind`` is a key of ``calib.studies.kinds.KINDS``, ``options`` are what the file says."""

    name: str
    kind: str
    options: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class Study:
    name: str
    title: str
    question: str
    design: str
    claims: Sequence[str]
    models: Mapping[str, ModelOf]
    tasks: Mapping[str, TaskOf]
    steps: Mapping[str, Step]
    finding: str
    asked: Mapping[str, Any]
    """The options of the finding."""
    quick: Mapping[str, Any]
    seeds: Sequence[int]
    limits: str
    requires: Mapping[str, str]
    """What has to be there, a path, and how it is made."""
    source: Source

    @property
    def path(self) -> Path:
        return self.source.path


@dataclass(frozen=True)
class Job:
    """One call that a step comes to, such as scoring one model on one task.

    ``inputs`` are the jobs whose folders it reads, by their part ("runs", "scores"), in order.
    """

    name: str
    step: str
    kind: str
    model: ModelOf | None
    task: TaskOf | None
    options: Mapping[str, Any]
    seed: int
    inputs: Mapping[str, Sequence[Job]] = field(default_factory=dict)
    elsewhere: Sequence[TaskOf] = ()
    """Tasks that it is judged on besides."""
