"""The tasks that come with calib: one entry in the registry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from calib.records import Item
from calib.tasks.builtin.capitals import capital_items
from calib.tasks.builtin.chests import chest_descriptions, chest_items
from calib.tasks.builtin.easy_vqa_items import (
    easy_vqa_descriptions,
    easy_vqa_idk_items,
    easy_vqa_items,
)
from calib.tasks.builtin.roads import road_descriptions, road_items
from calib.tasks.builtin.texts import mmlu_items, truthfulqa_binary_items, truthfulqa_items
from calib.tasks.task import Task


@dataclass(frozen=True)
class BuiltIn:
    """One line about a task, its questions, their licence, the prompt form they are meant for, and
    what is in their pictures: the sentences of each item's description, by its id."""

    about: str
    items: Callable[[], tuple[Item, ...]]
    licence: str
    prompt: str = "options"
    descriptions: Callable[[], Mapping[str, tuple[str, ...]]] | None = None


BUILTIN = {
    "easy-vqa": BuiltIn(
        "easy-VQA's 9,673 test questions; the answer words themselves are scored",
        easy_vqa_items,
        "MIT",
        descriptions=easy_vqa_descriptions,
    ),
    "easy-vqa-letters": BuiltIn(
        "the same questions with lettered options",
        easy_vqa_items,
        "MIT",
        "letters",
        easy_vqa_descriptions,
    ),
    "easy-vqa-idk": BuiltIn(
        "two questions to each picture, and one that it cannot answer", easy_vqa_idk_items, "MIT"
    ),
    "capitals": BuiltIn(
        "185 countries' capitals, asked freely: for calib sample and calib idk",
        capital_items,
        "Apache-2.0",
    ),
    "mmlu": BuiltIn(
        "ten questions of each of MMLU's 57 subjects, with lettered options",
        mmlu_items,
        "MIT",
        "letters",
    ),
    "truthfulqa": BuiltIn(
        "TruthfulQA's 790 questions; the texts of the best answer and of the incorrect ones are "
        "scored (MC1)",
        truthfulqa_items,
        "Apache-2.0",
    ),
    "truthfulqa-binary": BuiltIn(
        "the same with two lettered options, the best answer and the best incorrect one",
        truthfulqa_binary_items,
        "Apache-2.0",
        "letters",
    ),
    "medical-style": BuiltIn(
        "80 questions about drawings in the manner of chest films; nothing about medicine",
        chest_items,
        "Apache-2.0",
        "letters",
        chest_descriptions,
    ),
    "driving-style": BuiltIn(
        "90 questions about drawings of a road; nothing about driving",
        road_items,
        "Apache-2.0",
        "letters",
        road_descriptions,
    ),
}


def built_in(name: str) -> Task:
    """The task of that name; KeyError where there is none."""
    task = BUILTIN[name]
    return Task(name, task.items(), task.prompt)
