"""The drawings: what is asked of them is what is in them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from calib.modalities.descriptions import from_data
from calib.records import Item
from calib.tasks import Task, load_task
from calib.tasks.task import digest


@pytest.fixture(scope="module")
def chests() -> Task:
    return load_task("medical-style")


@pytest.fixture(scope="module")
def roads() -> Task:
    return load_task("driving-style")


def of_group(task: Task, group: str) -> list[tuple[np.ndarray, str]]:
    """Pixels and the right answer of a group's questions."""
    return [(pixels(item), right(item)) for item in task if item.group == group]


def pixels(item: Item) -> np.ndarray:
    (image,) = item.images
    assert isinstance(image, Image.Image)
    return np.asarray(image).astype(int)


def right(item: Item) -> str:
    return item.options[item.answer or 0]


def test_numbers_and_balance(chests: Task, roads: Task) -> None:
    answers = {
        group: Counter(right(item) for item in task if item.group == group)
        for task in (chests, roads)
        for group in {item.group for item in task}
    }
    assert answers == {
        "finding": {"yes": 16, "no": 16},
        "heart": {"yes": 16, "no": 16},
        "laterality": {"left": 8, "right": 8},
        "light": {"red": 10, "yellow": 10, "green": 10},
        "sign": {"octagon": 10, "triangle": 10, "circle": 10},
        "pedestrian": {"yes": 15, "no": 15},
    }
    assert len({item.meta["cluster"] for item in chests}) == 32
    assert len({item.meta["cluster"] for item in roads}) == 30
    for task in (chests, roads):
        assert len({item.id for item in task}) == len(task)


def test_a_drawing_is_the_same_on_every_machine(chests: Task, roads: Task) -> None:
    """Only what IEEE 754 rounds in one way is used; a digest is over every pixel."""
    assert digest(chests) == "a0989e01e42e"
    assert digest(roads) == "cc782bb55a25"


def test_a_haze_is_where_the_answer_says(chests: Task) -> None:
    """The upper half of a lung is dark; a haze in it is bright."""
    brightest = {"left": slice(40, 95), "right": slice(129, 184)}

    def bright(picture: np.ndarray) -> list[str]:
        return [side for side, x in brightest.items() if picture[60:110, x, 0].max() > 200]

    for picture, side in of_group(chests, "laterality"):
        assert bright(picture) == [side]
    for picture, answer in of_group(chests, "finding"):
        assert bool(bright(picture)) == (answer == "yes")


def test_a_wide_heart_is_wider_than_half_of_the_chest(chests: Task) -> None:
    for picture, answer in of_group(chests, "heart"):
        row = picture[round(0.66 * 224), :, 0]
        heart, chest = (row > 190).sum(), (row > 35).sum()
        assert (heart > chest / 2) == (answer == "yes")


def test_one_lamp_is_lit(roads: Task) -> None:
    lit = {"red": (230, 30, 30), "yellow": (250, 210, 40), "green": (40, 200, 70)}
    for picture, answer in of_group(roads, "light"):
        right_half = picture[:, 112:]
        seen = [name for name, rgb in lit.items() if (right_half == rgb).all(-1).sum() > 50]
        assert seen == [answer]


def test_a_sign_has_its_shape(roads: Task) -> None:
    """The widest row of a triangle is its lowest; only the octagon has no white inside."""
    for picture, answer in of_group(roads, "sign"):
        area = picture[:100, :100]
        red = (area == (200, 25, 30)).all(-1)
        rows = np.flatnonzero(red.any(1))
        extent = [np.ptp(np.flatnonzero(red[y])) for y in rows]
        white = (area == 245).all(-1).any()
        lowest_widest = extent[-1] == max(extent)
        expected = "octagon" if not white else "triangle" if lowest_widest else "circle"
        assert expected == answer


def test_a_person_is_there_or_not(roads: Task) -> None:
    for picture, answer in of_group(roads, "pedestrian"):
        assert (picture == (235, 130, 30)).all(-1).any() == (answer == "yes")


def test_every_question_has_a_description_that_agrees_with_it(chests: Task, roads: Task) -> None:
    for task in (chests, roads):
        said = from_data(task)
        assert said.keys() == {item.id for item in task}
    said = {key: " ".join(sentences) for key, sentences in from_data(chests).items()}
    said |= {key: " ".join(sentences) for key, sentences in from_data(roads).items()}
    for item in (*chests, *roads):
        words = {
            ("finding", "yes"): "There is a bright opacity",
            ("finding", "no"): "Both lungs are clear",
            ("heart", "yes"): "wider than half",
            ("heart", "no"): "narrower than half",
            ("pedestrian", "yes"): "A person is",
            ("pedestrian", "no"): "No person is",
        }
        assert words.get((item.group or "", right(item)), right(item)) in said[item.id]
