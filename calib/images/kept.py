"""Pictures in the folder of a run or an IDK set, found again after the folder has moved.

``RUN/images/3-0.png``        picture 0 of question 3, which had no file of its own
``SET/images/names.json``     which copy, below SET, came from which path; SET/samples is the run
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from calib.fields import check_fields, is_text, read_object

FOLDER, NAMES = "images", "names.json"


def own_name(run: Path, index: int, number: int, name: str) -> str | None:
    """The path, relative to ``run``, of its picture that a record calls ``name``; None without one.

    Earlier versions recorded the absolute path, and the folder may have moved since.
    """
    path = Path(name)
    if path.parent.name == FOLDER and path.stem == f"{index}-{number}":
        inside = f"{FOLDER}/{path.name}"
        if (run / inside).is_file():
            return inside
    return None


class Kept:
    """Finds the pictures of the questions of the run in folder ``run``."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.set = run.parent
        self._copies = copies_in(self.set)
        self._there = cache(os.path.isfile)  # several questions may be about one picture

    def __call__(self, index: int, number: int, name: str) -> Path:
        """Where the picture is that a record calls ``name``: the run's, the original or the copy.

        Where it is none of them, the path that it had.
        """
        inside = own_name(self.run, index, number, name)
        if inside is not None:
            return self.run / inside
        copy = self._copies.get(name)
        if copy is not None and not self._there(name) and self._there(self.set / copy):
            return self.set / copy
        return Path(name)


def copies_in(folder: Path) -> Mapping[str, str]:
    """Of each picture that the set in ``folder`` has copied: its old path, and its name there."""
    file = folder / FOLDER / NAMES
    if not file.is_file():
        return {}
    names = read_object(file)
    check_fields(names, str(file), {}, dict.fromkeys(names, ("text", is_text)))
    return names
