"""The columns that calib reads, and the other names that data sets have for them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from calib.records import InputError
from calib.task_files.values import is_absent, mapping, shown

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": (),
    "question": ("question_stem",),
    "images": ("image",),
    "options": ("choices",),
    "answer": ("answerKey", "answer_key", "correct_answer"),
    "answer_index": ("correct_choice_idx",),
    "spellings": (),
    "aliases": (),
    "answerable": (),
    "group": (),
    "cluster": (),
    "hint": (),
    "context": (),
    "lecture": (),
    "instruction": (),
    "ask_for_text": (),
    "turns": (),
    "idk": (),
    "reasoning": (),
    "thinking": (),
    "meta": (),
}
"""Each column and the names that mean the same; two of them in a row must agree."""

STAND_INS: dict[str, tuple[str, ...]] = {
    "id": ("question_id", "qid", "pid", "index"),
    "group": ("category",),
    "context": ("passage", "article"),
    "images": ("image_path",),
}
"""Names that mean a column where the column itself, and no name before them, is in the row."""

LETTERED = ("", "choice_", "option_")
"""What stands before the letter in the names of options' own columns: A, choice_a, option_a."""

MEANINGS = {
    **{alias.casefold(): name for name, names in STAND_INS.items() for alias in names},
    **{alias.casefold(): name for name, names in COLUMNS.items() for alias in (name, *names)},
}
OWN = {alias.casefold() for name, names in COLUMNS.items() for alias in (name, *names)}
OPTIONS = {
    f"{prefix}{letter}".casefold(): (prefix, letter) for prefix in LETTERED for letter in LETTERS
}


@lru_cache(4096)
def plain(name: str) -> str:
    """A name as it is compared: without outer white space and capitals."""
    return name.strip().casefold()


def is_known(name: str) -> bool:
    return plain(name) in MEANINGS or plain(name) in OPTIONS


class Row:
    """A row by column: ``values`` of those that calib reads, ``others`` as they are named.

    Null, NaN and white space count as nothing. ``names`` are the file's own names of ``values``.
    Raises InputError for two names of one column with different values.
    """

    def __init__(self, row: Mapping[str, Any], where: str) -> None:
        self.where = where
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.others: dict[str, Any] = {}
        self.written = tuple(row)
        stand_ins, lettered = [], {}
        for name, value in row.items():
            known = plain(name)
            if known in OWN:
                self.put(MEANINGS[known], name, value)
            elif known in MEANINGS:
                stand_ins.append(name)
            elif known in OPTIONS:
                lettered[OPTIONS[known]] = name
            else:
                self.others[name] = value
        if lettered:
            self.put_options(lettered, row)
        self.put_meta()
        if stand_ins:
            self.put_stand_ins(stand_ins, row)

    def put(self, column: str, name: str, value: Any) -> None:
        if is_absent(value):
            return
        if column in self.values and self.values[column] != value:
            raise InputError(
                f"{self.where}: {self.names[column]} is {shown(self.values[column])} and {name} is "
                f"{shown(value)}; they mean the same, so keep one"
            )
        self.values[column] = value
        self.names[column] = name

    def put_options(self, lettered: dict[tuple[str, str], str], row: Mapping[str, Any]) -> None:
        """Options from columns of their own: A, B, ...; the empty ones behind them are none."""
        for prefix in LETTERED:
            names = {letter: name for (p, letter), name in lettered.items() if p == prefix}
            if not {"A", "B"} <= names.keys():
                for name in names.values():
                    self.others[name] = row[name]
                continue
            filled = [letter for letter in sorted(names) if not is_absent(row[names[letter]])]
            if "".join(filled) != LETTERS[: len(filled)]:
                raise InputError(f"{self.where}: an option before {names[filled[-1]]} is empty")
            options = [row[names[letter]] for letter in filled]
            for letter, option in zip(filled, options, strict=True):
                if not isinstance(option, (str, int, float)):
                    raise InputError(
                        f"{self.where}: {names[letter]}: expected text, got {shown(option)}"
                    )
            self.put("options", f"{names['A']}, ...", options)

    def put_stand_ins(self, stand_ins: list[str], row: Mapping[str, Any]) -> None:
        for column, names in STAND_INS.items():
            own = {plain(name): name for name in stand_ins}
            for alias in names:
                name = own.get(alias)
                if name is not None and column in self.values:
                    self.others[name] = row[name]
                elif name is not None:
                    self.put(column, name, row[name])

    def put_meta(self) -> None:
        """The entries of ``meta`` as columns: of those that calib reads, or others."""
        entries = self.values.pop("meta", None)
        if entries is None:
            return
        for name, value in mapping(entries, f"{self.where}: meta").items():
            known = plain(name)
            if known in OWN and known != "meta":
                self.put(MEANINGS[known], f"meta.{name}", value)
            elif self.others.setdefault(name, value) != value:
                raise InputError(
                    f"{self.where}: {name} is {shown(self.others[name])} in the row and "
                    f"{shown(value)} in its meta; keep one"
                )

    def missing(self, column: str) -> InputError:
        """What to raise where a row must have ``column``."""
        said = f"{self.where}: {column} is missing"
        if column == "options":
            said += " (or aliases, for a question to be answered freely)"
        names = {alias for alias, meant in MEANINGS.items() if meant == column}
        if not names & {plain(name) for name in self.written}:
            said += f"; the columns are {', '.join(map(shown, self.written[:40]))}"
        return InputError(said)
