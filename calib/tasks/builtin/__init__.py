"""The tasks that come with calib: one entry in the registry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from calib.records import Item
from calib.tasks.builtin.capitals import capital_items
from calib.tasks.builtin.easy_vqa_items import (
    easy_vqa_descriptions,
    easy_vqa_idk_items,
    easy_vqa_items,
)
from calib.tasks.task import Task


@dataclass(frozen=True)
class BuiltIn:
    """One line about a task, its questions, the prompt form they are meant for, and what is in
    their pictures: the sentences of each item's description, by its id."""

    about: str
    items: Callable[[], tuple[Item, ...]]
    prompt: str = "options"
    descriptions: Callable[[], Mapping[str, tuple[str, ...]]] | None = None


BUILTIN = {
    "easy-vqa": BuiltIn(
        "easy-VQA's 9,673 test questions; the answer words themselves are scored",
        easy_vqa_items,
        descriptions=easy_vqa_descriptions,
    ),
    "easy-vqa-letters": BuiltIn(
        "the same questions with lettered options",
        easy_vqa_items,
        "letters",
        easy_vqa_descriptions,
    ),
    "easy-vqa-idk": BuiltIn(
        "two questions to each picture, and one that it cannot answer", easy_vqa_idk_items
    ),
    "capitals": BuiltIn(
        "185 countries' capitals, asked freely: for calib sample and calib idk", capital_items
    ),
}


def built_in(name: str) -> Task:
    """The task of that name; KeyError where there is none."""
    task = BUILTIN[name]
    return Task(name, task.items(), task.prompt)
