"""ScienceQA's own ``problems.json``: an object of problems by id.

A problem is ``{question, choices, answer, hint, image, lecture, solution, split, subject, ...}``:
``answer`` is the 0-based index of the right choice, ``image`` the name of its picture's file or
null. ``hint`` and ``lecture`` are shown to a model. ``solution`` gives the answer away and is not;
it and the other columns stay with the item. ``subject`` is the group where there is none.

The picture lies in one of ``PLACES`` below the folder of the file. All splits are read; to score
one, write its problems into a file of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.values import shown

PLACES = ("{split}/{id}/{image}", "images/{split}/{id}/{image}", "{id}/{image}", "{image}")


def is_problem(row: Mapping[str, Any]) -> bool:
    return "choices" in row and "image" in row and "split" in row and "options" not in row


def problem_row(row: Mapping[str, Any], path: Path, where: str) -> dict[str, Any]:
    """One problem, with ``id``, as a row. InputError where its picture lies in no place."""
    columns = dict(row)
    columns["options"] = columns.pop("choices")
    answer = columns.pop("answer", None)
    if not isinstance(answer, int) or isinstance(answer, bool):
        raise InputError(
            f"{where}: answer: expected the 0-based index of a choice, got {shown(answer)}"
        )
    columns["answer_index"] = answer
    image = columns.pop("image")
    if isinstance(image, str) and image:
        columns["image"] = place_of(row, image, path.parent, where)
    elif image:
        raise InputError(f"{where}: image: expected a file's name or null, got {shown(image)}")
    if "group" not in columns:
        columns["group"] = columns.pop("subject", None)
    return columns


def place_of(row: Mapping[str, Any], image: str, folder: Path, where: str) -> str:
    names = {"split": row["split"], "id": row["id"], "image": image}
    places = [place.format(**names) for place in PLACES]
    for place in places:
        if (folder / place).is_file():
            return place
    raise InputError(f"{where}: image {shown(image)} is in none of {', '.join(places)} of {folder}")
