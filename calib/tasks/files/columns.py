"""The columns that calib reads, and the other names that data sets have for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from calib.records import InputError
from calib.tasks.files.values import is_absent, mapping, shown

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SYSTEM_ONE = "system_one"
"""What a row of System One has of its request as it stands; other rows have no such column."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": (),
    "question": ("question_stem",),
    "images": ("image",),
    "options": ("choices",),
    "answer": ("answerKey", "correct_answer"),
    "answer_index": ("correct_choice_idx",),
    "answer_letter": (),
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
    "cue": (),
    "system": (),
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
    "images": (
        *("image_path", "image_paths", "image_name", "image_file", "image_filename"),
        *("img", "img_path", "picture", "picture_path", "photo"),
    ),
}
"""Names that mean a column where the column itself, and no name before them, is in the row."""

LETTERED = ("", "choice", "option")
"""What stands before the letter in the names of options' own columns: A, choice_a, Option A."""

IGNORED = str.maketrans("", "", " _-")


@lru_cache(4096)
def plain(name: str) -> str:
    """A name as it is compared: without white space, underscores, hyphens and capitals."""
    return name.strip().translate(IGNORED).casefold()


MEANINGS = {
    **{plain(alias): name for name, names in STAND_INS.items() for alias in names},
    **{plain(alias): name for name, names in COLUMNS.items() for alias in (name, *names)},
}
OWN = {plain(alias) for name, names in COLUMNS.items() for alias in (name, *names)}
OPTIONS = {
    **{plain(prefix + sign): (prefix, sign) for prefix in LETTERED for sign in LETTERS},
    **{plain(prefix + sign): (prefix, sign) for prefix in LETTERED[1:] for sign in "0123456789"},
}
"""Columns of options: A, choice_a, Option B; choice0, option_1."""

MANY = re.compile(r"(?:choice|option)[1-9][0-9]{1,3}")

PICTURES = {f"image{number}": number for number in range(1, 10)}
"""Columns of pictures, which are shown in this order."""

PASSAGES = {"hint", "context", "lecture", "instruction", "cue", "system"}
NOT_A_NUMBER = {"nan", "NaN", "<NA>"}

LOOKS = re.compile(r"image|img|photo|picture|figure|(?<![a-z])scans?(?![a-z])", re.I)
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".dcm", ".svg")


def is_known(name: str) -> bool:
    return plain(name) in MEANINGS or plain(name) in OPTIONS or plain(name) in PICTURES


def column_of(name: str) -> str | None:
    """The column that a name means, by itself or as one of the columns of pictures."""
    return "images" if plain(name) in PICTURES else MEANINGS.get(plain(name))


def looks_like_pictures(name: str, value: Any) -> bool:
    if is_absent(value):
        return False
    if isinstance(value, str) and value.strip().casefold().endswith(SUFFIXES):
        return True
    return isinstance(value, bytes) or LOOKS.search(name) is not None


class Row:
    """A row by column: ``values`` of those that calib reads, ``others`` under the file's own names.

    Null, NaN and white space count as nothing. ``names`` are the file's own names of ``values``,
    ``first`` is the number of the first option where columns number them; ``of_shape`` says that a
    reader of another shape made the row. Raises InputError for two names of one column with
    different values.
    """

    @property
    def whole_number(self) -> bool:
        """Whether the answer is a whole number of JSON's, which is an index by its type."""
        return type(self.values.get("answer")) is int

    def __init__(self, row: Mapping[str, Any], where: str, of_shape: bool = False) -> None:
        self.where = where
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.others: dict[str, Any] = {}
        self.written = tuple(row)
        self.first = 0
        self.of_shape = of_shape
        self.by_index = False  # whether the answer is written as an index: item_from tells
        self.over_truth = False  # whether that index may have been meant as a truth value
        stand_ins: list[str] = []
        options: dict[tuple[str, str], str] = {}
        pictures: dict[int, str] = {}
        for name, value in row.items():
            known = plain(name)
            if of_shape and name == SYSTEM_ONE:
                self.values[name], self.names[name] = value, name
            elif known in OWN:
                self.put(MEANINGS[known], name, value)
            elif known in MEANINGS:
                stand_ins.append(name)
            elif MANY.fullmatch(known):
                raise InputError(
                    f"{where}: {shown(name)} is beyond the ten columns of numbered options that "
                    "are read; write them as a JSON list in one column options"
                )
            elif known in OPTIONS:
                self.note(options, OPTIONS[known], name)
            elif known in PICTURES:
                self.note(pictures, PICTURES[known], name)
            else:
                self.others[name] = value
        if options:
            self.put_options(options, row)
        self.put_meta()
        if stand_ins:
            self.put_stand_ins(stand_ins, row)
        if pictures:
            self.put_pictures(pictures, row)

    @property
    def pictures_left(self) -> list[str]:
        """Columns that no question uses and that look like pictures, where the row shows none."""
        if "images" in self.values:
            return []
        return [name for name, value in self.others.items() if looks_like_pictures(name, value)]

    def note(self, names: dict[Any, str], key: Any, name: str) -> None:
        if key in names:
            raise InputError(
                f"{self.where}: {shown(names[key])} and {shown(name)} mean the same; keep one"
            )
        names[key] = name

    def put(self, column: str, name: str, value: Any) -> None:
        if is_absent(value):
            return
        if column in PASSAGES:
            self.refuse_not_a_number(name, value)
        if column in self.values and self.values[column] != value:
            raise InputError(
                f"{self.where}: {self.names[column]} is {shown(self.values[column])} and {name} is "
                f"{shown(value)}; they mean the same, so keep one"
            )
        self.values[column] = value
        self.names[column] = name

    def put_options(self, columns: dict[tuple[str, str], str], row: Mapping[str, Any]) -> None:
        """Options from columns of their own: A, B, ...; the empty ones behind them are none."""
        series = [(prefix, LETTERS) for prefix in LETTERED]
        for prefix, signs in [*series, *((prefix, "0123456789") for prefix in LETTERED[1:])]:
            names = {sign: columns[prefix, sign] for sign in signs if (prefix, sign) in columns}
            if signs != LETTERS and "0" not in names:
                signs = signs[1:]
            if not set(signs[:2]) <= names.keys():
                for name in names.values():
                    self.others[name] = row[name]
                continue
            filled = [sign for sign in names if not is_absent(row[names[sign]])]
            if "".join(filled) != signs[: len(filled)]:
                raise InputError(f"{self.where}: an option before {names[filled[-1]]} is empty")
            options = [row[names[sign]] for sign in filled]
            for sign, option in zip(filled, options, strict=True):
                self.refuse_not_a_number(
                    names[sign],
                    option,
                    ", or write options that are so named as a JSON list in a column options",
                )
                if not isinstance(option, (str, int, float)):
                    raise InputError(
                        f"{self.where}: {names[sign]}: expected text, got {shown(option)}"
                    )
            self.put("options", f"{names[signs[0]]}, ...", options)
            self.first = int(signs[0]) if signs != LETTERS else self.first

    def refuse_not_a_number(self, name: str, value: Any, other: str = "") -> None:
        if isinstance(value, str) and value.strip() in NOT_A_NUMBER:
            raise InputError(
                f"{self.where}: {name} is {value.strip()!r}, which tables write for an empty "
                f"field; leave it empty{other}"
            )

    def put_stand_ins(self, stand_ins: list[str], row: Mapping[str, Any]) -> None:
        for column, names in STAND_INS.items():
            for alias in names:
                for name in (name for name in stand_ins if plain(name) == plain(alias)):
                    if column in self.values:
                        self.others[name] = row[name]
                    else:
                        self.put(column, name, row[name])

    def put_pictures(self, columns: dict[int, str], row: Mapping[str, Any]) -> None:
        """Pictures from columns of their own: image_1, image_2, ...; none where images has some."""
        if "images" in self.values:
            self.others |= {name: row[name] for name in columns.values()}
            return
        filled = [number for number in sorted(columns) if not is_absent(row[columns[number]])]
        if filled != list(range(1, len(filled) + 1)):
            raise InputError(f"{self.where}: a picture before {columns[filled[-1]]} is empty")
        pictures: list[Any] = []
        for number in filled:
            value = row[columns[number]]
            pictures += value if isinstance(value, (list, tuple)) else [value]
        if pictures:
            self.put("images", ", ".join(columns[number] for number in filled), pictures)

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
        if not names & set(map(plain, self.written)):
            said += f"; the columns are {', '.join(map(shown, self.written[:40]))}"
        return InputError(said)
