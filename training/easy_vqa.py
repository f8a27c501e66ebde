"""easy-VQA's training split as images, what is known of each, and questions in many wordings.

An image shows one shape of one colour. Both are read off the image's own questions and answers:
the data set carries no other annotation.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

COLOURS = ("black", "gray", "red", "green", "blue", "yellow", "teal", "brown")
SHAPES = ("circle", "rectangle", "triangle")
OPTIONS = {"yes/no": ("yes", "no"), "colour": COLOURS, "shape": SHAPES}

DESCRIPTIONS = (
    "The image shows a {colour} {shape}.",
    "There is a {colour} {shape} in the picture.",
    "A {colour} {shape} on a light background.",
    "The picture contains one {shape}, and it is {colour}.",
)


@dataclass
class Picture:
    """One image: its file, its questions with answers, its colour and shape where they are told."""

    id: int
    path: Path
    questions: list[tuple[str, str]] = field(default_factory=list)
    colour: str | None = None
    shape: str | None = None


def load(split: str) -> list[Picture]:
    """All pictures of ``split`` (train or test), by id."""
    spec = importlib.util.find_spec("easy_vqa")
    if spec is None or spec.origin is None:
        raise SystemExit("training needs the easy-VQA images: pip install easy-vqa==1.0")
    root = Path(spec.origin).parent / "data" / split
    by_image: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, image in json.loads((root / "questions.json").read_text()):
        by_image[image].append((question, answer))
    pictures = []
    for path in sorted((root / "images").glob("*.png"), key=lambda p: int(p.stem)):
        questions = by_image[int(path.stem)]
        pictures.append(
            Picture(
                int(path.stem),
                path,
                questions,
                told(questions, COLOURS, "colour"),
                told(questions, SHAPES, "shape"),
            )
        )
    return pictures


def told(questions: list[tuple[str, str]], words: tuple[str, ...], kind: str) -> str | None:
    """The colour or shape that the questions give away: as an answer, or named in one.

    "what color is the circle?" and a yes to "is there a circle?" both tell the shape; so does a
    no to "is there not a circle?".
    """
    for question, answer in questions:
        if answer in words:
            return answer
        named = next((w for w in words if re.search(rf"\b{w}\b", question)), None)
        if named is None:
            continue
        if answer not in ("yes", "no"):
            return named
        negated = re.search(r"\b(not|no)\b", question) is not None
        if (answer == "yes") != negated:
            return named
    return None


def kind_of(answer: str) -> str:
    return next(kind for kind, options in OPTIONS.items() if answer in options)


def describe(picture: Picture, rng: random.Random) -> str:
    return rng.choice(DESCRIPTIONS).format(colour=picture.colour, shape=picture.shape)


def ask(question: str, answer: str, rng: random.Random) -> tuple[str, str]:
    """The question in one of the answer formats, and the reply that format calls for."""
    draw = rng.random()
    if draw < 0.5:
        return f"{question}\nAnswer with one word.", answer
    if draw < 0.8:
        options = list(OPTIONS[kind_of(answer)])
        rng.shuffle(options)
        listed = "\n".join(f"({chr(65 + i)}) {option}" for i, option in enumerate(options))
        return (
            f"{question}\n{listed}\nAnswer with the option's letter.",
            chr(65 + options.index(answer)),
        )
    wording = "\nAnswer in a short sentence." if draw < 0.92 else ""
    return question + wording, sentence(question, answer)


def sentence(question: str, answer: str) -> str:
    """A short sentence that says ``answer`` to ``question``."""
    kind = kind_of(answer)
    if kind == "colour":
        subject = re.search(r"the (circle|rectangle|triangle|shape)\b", question)
        return f"The {subject[1] if subject else 'shape'} is {answer}."
    if kind == "shape":
        colour = next((c for c in COLOURS if c in question), None)
        return f"The {colour} shape is a {answer}." if colour else f"The image shows a {answer}."
    words = re.search(rf"\b((?:{'|'.join(COLOURS)}) shape|{'|'.join(SHAPES)})\b", question)
    thing = words[1] if words else "shape"
    negated = re.search(r"\b(not|no)\b", question) is not None
    present = (answer == "yes") != negated
    return f"{answer.capitalize()}, there is {'a' if present else 'no'} {thing}."


def pick(picture: Picture, count: int, rng: random.Random) -> list[tuple[str, str]]:
    """``count`` questions of a picture, colour and shape questions three times as likely.

    Three quarters of easy-VQA are yes/no questions; left alone they would crowd the rest out.
    """
    weights = [1.0 if kind_of(a) == "yes/no" else 3.0 for _, a in picture.questions]
    return rng.choices(picture.questions, weights, k=count)
