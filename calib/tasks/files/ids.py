"""Ids of a file's rows."""

from __future__ import annotations

from pathlib import Path

from calib.records import InputError
from calib.tasks.files.columns import Row
from calib.tasks.files.notes import Notes
from calib.tasks.files.values import shown, text_in


class Ids:
    """Each row's own id, or, where no row has one, its number from 0."""

    def __init__(self, file: Path, notes: Notes) -> None:
        self.file, self.notes = file, notes
        self.places: dict[str, str] = {}
        self.numbered = False

    def of(self, row: Row) -> str:
        """The id of the row to come. InputError where only some rows have one."""
        numbered = "id" not in row.values
        if not self.places:
            self.numbered = numbered
        if numbered and not self.numbered:
            raise row.missing("id")
        if self.numbered and not numbered:
            raise InputError(
                f"{row.where}: it has an id, but the first row has none; give every row one"
            )
        if numbered:
            return str(len(self.places))
        return text_in(row.values["id"], f"{row.where}: {row.names['id']}")

    def add(self, name: str, where: str) -> None:
        """Note the id of a row. InputError where another has it."""
        if name in self.places:
            first = self.places[name].removeprefix(f"{self.file}, ")
            raise InputError(f"{where}: id {shown(name)} appears 2 times, first in {first}")
        if self.numbered and not self.places:
            self.notes.numbered()
        self.places[name] = where
