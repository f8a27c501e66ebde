"""What training asks about a picture, in many wordings, and the replies it wants."""

from __future__ import annotations

import random
import re

from calib.tasks.builtin.easy_vqa import COLOURS, OPTIONS, SHAPES, Picture, kind_of, negated

DESCRIPTIONS = (
    "The image shows a {colour} {shape}.",
    "There is a {colour} {shape} in the picture.",
    "A {colour} {shape} on a light background.",
    "The picture contains one {shape}, and it is {colour}.",
)


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
    present = (answer == "yes") != negated(question)
    return f"{answer.capitalize()}, there is {'a' if present else 'no'} {thing}."


def pick(picture: Picture, count: int, rng: random.Random) -> list[tuple[str, str]]:
    """``count`` questions of a picture, colour and shape questions three times as likely.

    Three quarters of easy-VQA are yes/no questions; left alone they would crowd the rest out.
    """
    weights = [1.0 if kind_of(a) == "yes/no" else 3.0 for _, a in picture.questions]
    return rng.choices(picture.questions, weights, k=count)
