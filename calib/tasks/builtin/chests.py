"""Drawings in the manner of chest films, and questions about them: the shape of a medical study.

Two dark lungs, ribs, a bright heart; a bright haze in one lung, or none. They are drawings made by
this file. Nothing follows from them about medicine, nor about how a model reads a film.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from calib.records import Item
from calib.tasks.builtin.questions import YES_NO, Question, items_of

SEED, PICTURES = 0, 32
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Chest:
    """Where the haze is, as the picture is seen (None: nowhere), and whether the heart is wide."""

    number: int
    side: str | None
    wide: bool


def chests() -> list[Chest]:
    """In random order, half of them with a haze, in each lung equally often; half are wide."""
    kinds = [
        (side, wide)
        for side in (None, None, *SIDES)
        for wide in (True, False)
        for _ in range(PICTURES // 8)
    ]
    random.Random(SEED).shuffle(kinds)
    return [Chest(number, side, wide) for number, (side, wide) in enumerate(kinds)]


def drawing(chest: Chest) -> Image.Image:
    from calib.tasks.builtin.canvas import Canvas  # numpy: commands list tasks without it

    draw = random.Random(f"{SEED} chest {chest.number}")
    canvas = Canvas((18, 18, 18))
    body = draw.uniform(150, 180)
    canvas.paint(canvas.ellipse(0.5, 0.62, 0.44, 0.58), (body, body, body))
    middles = {"left": draw.uniform(0.29, 0.31), "right": draw.uniform(0.69, 0.71)}
    for middle in middles.values():
        lung = canvas.ellipse(middle, 0.5, 0.15, 0.34)
        canvas.paint(lung, (55, 55, 55))
        for rib in range(6):
            top = 0.22 + 0.1 * rib
            canvas.paint(lung * canvas.ellipse(middle, top, 0.17, 0.012) * 0.5, (150, 150, 150))
    half = draw.uniform(0.23, 0.25) if chest.wide else draw.uniform(0.11, 0.13)
    canvas.paint(canvas.ellipse(0.53, 0.66, half, 0.15), (205, 205, 205))
    if chest.side:
        place = middles[chest.side], draw.uniform(0.3, 0.42)
        size = draw.uniform(0.08, 0.12)
        canvas.paint(canvas.haze(*place, size, size), (235, 235, 235))
    canvas.grain(draw, most=8)
    return canvas.picture()


def asked(chest: Chest) -> list[Question]:
    """The questions about one drawing."""
    haze = "yes" if chest.side else "no"
    questions = [
        Question("finding", "Is there a bright opacity in one of the lungs?", YES_NO, haze),
        Question(
            "heart",
            "Is the heart wider than half of the chest?",
            YES_NO,
            "yes" if chest.wide else "no",
        ),
    ]
    if chest.side:
        where = "On which side of the picture is the bright opacity?"
        questions.append(Question("laterality", where, SIDES, chest.side))
    return questions


def chest_items() -> tuple[Item, ...]:
    """Of every drawing whether there is a haze and whether the heart is wide; where the haze is.

    The groups are finding, heart and laterality; a drawing's questions form a cluster.
    """
    return tuple(
        item
        for chest in chests()
        for item in items_of(f"chest-{chest.number}", drawing(chest), asked(chest))
    )


def chest_descriptions() -> dict[str, tuple[str, ...]]:
    """What is in the drawing of each of ``chest_items``, by its id."""
    return {
        f"chest-{chest.number}-{question.group}": (
            f"There is a bright opacity in the lung on the {chest.side} of the picture."
            if chest.side
            else "Both lungs are clear.",
            f"The heart is {'wider' if chest.wide else 'narrower'} than half of the chest.",
        )
        for chest in chests()
        for question in asked(chest)
    }
