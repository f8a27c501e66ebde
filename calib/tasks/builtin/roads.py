"""Drawings of a road, and questions about them: the shape of a driving study.

A street, a traffic light, a sign, a person on the crossing or none. They are drawings made by this
file. Nothing follows from them about driving, nor about how a model sees a street.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from calib.records import Item
from calib.tasks.builtin.questions import YES_NO, Question, items_of

if TYPE_CHECKING:
    from calib.tasks.builtin.canvas import Canvas, Colour

SEED, PICTURES = 0, 30
LIGHTS: dict[str, tuple[float, Colour]] = {
    "red": (0.17, (230, 30, 30)),
    "yellow": (0.25, (250, 210, 40)),
    "green": (0.33, (40, 200, 70)),
}
"""Where the lamp stands, and its colour."""
SIGNS = ("octagon", "triangle", "circle")
WHITE, DARK, GREY = (245, 245, 245), (45, 45, 45), (120, 120, 120)
RED: Colour = (200, 25, 30)


@dataclass(frozen=True, slots=True)
class Road:
    """The colour of the light, the shape of the sign, whether a person is on the crossing."""

    number: int
    light: str
    sign: str
    person: bool


def roads() -> list[Road]:
    """In random order; lights, signs and persons occur equally often."""
    draw = random.Random(SEED)
    lights, signs = list(LIGHTS) * (PICTURES // 3), list(SIGNS) * (PICTURES // 3)
    persons = [True, False] * (PICTURES // 2)
    for kinds in (lights, signs, persons):
        draw.shuffle(kinds)
    return [
        Road(number, *facts)
        for number, facts in enumerate(zip(lights, signs, persons, strict=True))
    ]


def drawing(road: Road) -> Image.Image:
    from calib.tasks.builtin.canvas import Canvas  # numpy: commands list tasks without it

    draw = random.Random(f"{SEED} road {road.number}")
    sky = draw.uniform(150, 210)
    canvas = Canvas((sky - 30, sky, 235))
    canvas.paint(canvas.box(0, 0.5, 1, 1), (90, draw.uniform(130, 160), 80))
    canvas.paint(canvas.polygon([(0.42, 0.5), (0.58, 0.5), (0.95, 1), (0.05, 1)]), GREY)
    for stripe in range(6):
        left = 0.2 + 0.11 * stripe
        canvas.paint(canvas.box(left, 0.78, left + 0.06, 0.86), WHITE)
    light(canvas, draw.uniform(0.82, 0.88), road.light)
    sign(canvas, draw.uniform(0.12, 0.18), road.sign)
    if road.person:
        person(canvas, draw.uniform(0.35, 0.65))
    return canvas.picture()


def light(canvas: Canvas, x: float, lit: str) -> None:
    canvas.paint(canvas.box(x - 0.01, 0.38, x + 0.01, 0.7), DARK)
    canvas.paint(canvas.box(x - 0.055, 0.11, x + 0.055, 0.39), DARK)
    for name, (y, colour) in LIGHTS.items():
        canvas.paint(canvas.ellipse(x, y, 0.035, 0.035), colour if name == lit else (80, 80, 80))


def sign(canvas: Canvas, x: float, shape: str) -> None:
    y, size, cut = 0.3, 0.09, 0.038
    canvas.paint(canvas.box(x - 0.008, 0.3, x + 0.008, 0.68), DARK)
    if shape == "circle":
        canvas.paint(canvas.ellipse(x, y, size, size), RED)
        canvas.paint(canvas.ellipse(x, y, size * 0.7, size * 0.7), WHITE)
    elif shape == "triangle":
        for share, colour in ((1.0, RED), (0.6, WHITE)):
            half = size * share
            corners = [(x, y - half), (x + half, y + half * 0.8), (x - half, y + half * 0.8)]
            canvas.paint(canvas.polygon(corners), colour)
    else:
        across = [
            (x - cut, y - size),
            (x + cut, y - size),
            (x + size, y - cut),
            (x + size, y + cut),
        ]
        back = [(x + cut, y + size), (x - cut, y + size), (x - size, y + cut), (x - size, y - cut)]
        canvas.paint(canvas.polygon(across + back), RED)


def person(canvas: Canvas, x: float) -> None:
    canvas.paint(canvas.box(x - 0.025, 0.62, x - 0.005, 0.83), (40, 50, 110))
    canvas.paint(canvas.box(x + 0.005, 0.62, x + 0.025, 0.83), (40, 50, 110))
    canvas.paint(canvas.box(x - 0.04, 0.48, x + 0.04, 0.68), (235, 130, 30))
    canvas.paint(canvas.ellipse(x, 0.44, 0.032, 0.04), (225, 180, 150))


def asked(road: Road) -> tuple[Question, ...]:
    """The questions about one drawing."""
    crossing = "yes" if road.person else "no"
    return (
        Question("light", "Which colour of the traffic light is on?", tuple(LIGHTS), road.light),
        Question("sign", "What shape is the traffic sign?", SIGNS, road.sign),
        Question("pedestrian", "Is a person on the crossing?", YES_NO, crossing),
    )


def road_items() -> tuple[Item, ...]:
    """Three questions about every drawing: its light, its sign, and whether somebody crosses.

    The groups are light, sign and pedestrian; a drawing's questions form a cluster.
    """
    return tuple(
        item
        for road in roads()
        for item in items_of(f"road-{road.number}", drawing(road), asked(road))
    )


def road_descriptions() -> dict[str, tuple[str, ...]]:
    """What is in the drawing of each of ``road_items``, by its id."""
    return {
        f"road-{road.number}-{question.group}": (
            f"The traffic light is {road.light}.",
            f"The traffic sign is {'an' if road.sign == 'octagon' else 'a'} {road.sign}.",
            f"{'A' if road.person else 'No'} person is on the crossing.",
        )
        for road in roads()
        for question in asked(road)
    }
