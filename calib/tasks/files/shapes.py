"""Objects of JSON that are rows of another shape, as rows with calib's own columns.

A shape is an entry of ``SHAPES``: how to recognise its objects, and what questions one holds. An
object of no shape is a row as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calib.tasks.files.llava import conversation_rows, is_conversation
from calib.tasks.files.mmlu import is_mmlu, mmlu_row
from calib.tasks.files.notes import Notes
from calib.tasks.files.system_one import decision_rows, is_decision
from calib.tasks.files.truthfulqa import is_truthfulqa, truthfulqa_row
from calib.tasks.files.values import is_absent

Rows = Iterator[tuple[str, Mapping[str, Any]]]


class Made(dict[str, Any]):
    """A row that a shape made: its texts say already which picture is meant."""


@dataclass(frozen=True, slots=True)
class Shape:
    """``recognise`` tells from its keys whether an object is of the shape; ``expand`` reads it."""

    recognise: Callable[[Mapping[str, Any]], bool]
    expand: Callable[[Mapping[str, Any], str, Notes], Rows]


SHAPES = {
    "LLaVA": Shape(is_conversation, conversation_rows),
    "System One": Shape(is_decision, decision_rows),
    "MMLU": Shape(is_mmlu, mmlu_row),
    "TruthfulQA": Shape(is_truthfulqa, truthfulqa_row),
}


def is_of_a_shape(row: Mapping[str, Any]) -> bool:
    return any(shape.recognise(row) for shape in SHAPES.values())


def expanded(row: Mapping[str, Any], where: str, notes: Notes, number: int) -> Rows:
    """The questions that one object holds, each with its place; the object itself if it is one.

    ``number``, from 0, is the id of an object of a shape that has none. Raises InputError, naming
    ``where``, for an object of a shape that is not as the shape is.
    """
    for shape in SHAPES.values():
        if shape.recognise(row):
            if is_absent(row.get("id")):
                row = {**row, "id": str(number)}
                notes.numbered()
            else:
                notes.with_id()
            for place, made in shape.expand(row, where, notes):
                yield place, Made(made)
            return
    yield where, row
