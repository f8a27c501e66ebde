"""easy-VQA: 5,000 small pictures of one shape each, with questions, as published on PyPI.

Colour and shape of a picture are read off its own questions and answers: the data set carries no
other annotation. Source: the package easy-vqa 1.0, MIT licence, 4,000 training and 1,000 test
pictures with 38,575 and 9,673 questions.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.records import InputError

COLOURS = ("black", "gray", "red", "green", "blue", "yellow", "teal", "brown")
SHAPES = ("circle", "rectangle", "triangle")
OPTIONS = {"yes/no": ("yes", "no"), "colour": COLOURS, "shape": SHAPES}
INSTALL = "pip install easy-vqa==1.0"


@dataclass(frozen=True, slots=True)
class Picture:
    """One image: its file, its (question, answer) pairs, its colour and shape where they show."""

    id: int
    path: Path
    questions: tuple[tuple[str, str], ...]
    colour: str | None
    shape: str | None


def load(split: str) -> list[Picture]:
    """All pictures of ``split`` (train or test), by id. InputError where the package is absent."""
    # find_spec rather than import: the package itself is not needed, only its files.
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None or spec.origin is None:
        raise InputError(f"the easy-VQA task needs its pictures: {INSTALL}")
    root = Path(spec.origin).parent / "data" / split
    by_image: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = json.loads((root / "questions.json").read_text(encoding="utf-8"))
    for question, answer, image in rows:
        by_image[image].append((question, answer))
    pictures = []
    for path in sorted((root / "images").glob("*.png"), key=lambda p: int(p.stem)):
        questions = tuple(by_image[int(path.stem)])
        colour, shape = inferred(questions, COLOURS), inferred(questions, SHAPES)
        pictures.append(Picture(int(path.stem), path, questions, colour, shape))
    return pictures


def inferred(questions: Sequence[tuple[str, str]], words: tuple[str, ...]) -> str | None:
    """The colour or shape that the questions give away: as an answer, or named in one.

    "what color is the circle?" and a yes to "is there a circle?" both tell the shape; so does a
    no to "is there not a circle?".
    """
    for question, answer in questions:
        if answer in words:
            return answer
        word = next((w for w in words if re.search(rf"\b{w}\b", question)), None)
        if word is None:
            continue
        if answer not in ("yes", "no"):
            return word
        if (answer == "yes") != negated(question):
            return word
    return None


def negated(question: str) -> bool:
    return re.search(r"\b(not|no)\b", question) is not None


def kind_of(answer: str) -> str:
    """yes/no, colour or shape: which list of options a question is answered from."""
    return next(kind for kind, options in OPTIONS.items() if answer in options)
