"""Study files for tests, and models that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import calib.models.load
from calib.studies.read import read_study
from calib.studies.study import Study
from tests.fake_model import Fake

SMALL = """\
study: small
title: A small one
question: Does it run?
claims: [C1]
models:
  one: fake-one
  two: {model: fake-two, parameters: 7000}
tasks:
  mine: {task: questions.jsonl, limit: 30}
  all: questions.jsonl
steps:
  scored:
    score: {}
  pairs:
    compare: {runs: scored}
  moved:
    transfer: {runs: "scored/*/mine"}
quick:
  limit: 20
finding: table
seeds: [0, 1]
"""


def questions(folder: Path, number: int = 40) -> Path:
    """A file of questions with three options each, three about each cluster."""
    import json

    path = folder / "questions.jsonl"
    rows = [
        {
            "id": f"q{k}",
            "question": f"Which of three is number {k}?",
            "options": [f"a{k}", f"b{k}", f"c{k}"],
            "answer": k % 3,
            "group": "even" if k % 2 == 0 else "odd",
        }
        for k in range(number)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def declared(folder: Path, text: str = SMALL) -> Study:
    """The study of a file in ``folder``, beside its questions."""
    questions(folder)
    path = folder / "study.yaml"
    path.write_text(text)
    return read_study(path)


class Named(Fake):
    """A fake model by its own name, whose numbers depend on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(parameters=len(name) * 10**6)
        self.facts["model"] = name


def load_fakes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let ``load_model`` give fakes; the list gets the name of each that is loaded."""
    loaded: list[str] = []

    def load(name: str, **arguments: Any) -> Named:
        loaded.append(name)
        return Named(name)

    def foresee(name: str, **arguments: Any) -> Any:
        return None if name.startswith("fake") else real(name, **arguments)

    real = calib.models.load.foresee
    monkeypatch.setattr("calib.models.load.load_model", load)
    monkeypatch.setattr("calib.models.load.foresee", foresee)
    return loaded
