"""MMLU, as it was published and as the Hub has it; other sets of questions in its form, too.

* A row ``{question, subject, choices, answer}``: ``answer`` counts from 0.
* A folder of a table a subject, ``SUBJECT_test.csv``: a question, its options and the letter of the
  right one in each line, without a header; or below the header ``question,choice0,choice1,...,
  answer``, where answers count from 0. A question's id is its subject and number: ``anatomy-0``.
* Such a table without a header by itself.

The group is the subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from calib.records import InputError
from calib.tasks.files.columns import LETTERS, is_known
from calib.tasks.files.notes import Notes
from calib.tasks.files.table import Header, records
from calib.tasks.files.text import text_of
from calib.tasks.files.values import shown

ROW = {"question", "subject", "choices", "answer"}
SPLITS = ("test", "dev", "val")
NAME = re.compile(rf"(.+)_(?:{'|'.join(SPLITS)})")
BARE = Header((), 0, ",", False)


def is_mmlu(row: Mapping[str, Any]) -> bool:
    return row.keys() - {"id"} == ROW and type(row["answer"]) is int


def mmlu_row(
    row: Mapping[str, Any], where: str, notes: Notes
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    made = {name: row[name] for name in row if name in ("id", "question")}
    yield (
        where,
        {**made, "options": row["choices"], "answer_index": row["answer"], "group": row["subject"]},
    )


def folder_rows(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The questions of every table in ``folder``, by the tables' names. InputError without one."""
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    if not tables:
        splits = [name for name in SPLITS if (folder / name).is_dir()]
        raise InputError(
            f"{folder}: expected a folder of .csv files, one a subject, as MMLU has them"
            + (f"; name one of its folders: {', '.join(splits)}" if splits else "")
        )
    for path in tables:
        yield from subject_rows(text_of(path), path)


def is_subject(text: str, path: Path) -> bool:
    """Whether the first line of a table is a question of a subject: none names a column of ours
    but by its letter."""
    if not NAME.fullmatch(path.stem):
        return False
    _, cells = next(records(text, path, BARE), (0, []))
    return len(cells) > 3 and is_letter(cells[-1]) and not any(map(is_known, cells[:-1]))


def is_letter(text: str) -> bool:
    return len(text.strip()) == 1 and text.strip() in LETTERS


def subject_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The questions of one table. InputError names the line that is none."""
    found = NAME.fullmatch(path.stem)
    subject = found[1] if found else path.stem
    lines = [(line, cells) for line, cells in records(text, path, BARE) if any(cells)]
    width = len(lines[0][1]) if lines else 0
    headed = bool(lines) and lines[0][1] == header(width - 2)
    for number, (line, cells) in enumerate(lines[headed:]):
        where, count = f"{path}, line {line}", len(cells) - 2
        signs = list(map(str, range(count))) if headed else list(LETTERS[:count])
        if count < 2 or len(cells) != width or cells[-1].strip() not in signs:
            raise InputError(
                f"{where}: expected a question, {max(width - 2, 2)} options and the "
                f"{'0-based index' if headed else 'letter'} of the right one, got {shown(cells)}"
            )
        yield (
            where,
            {
                "id": f"{subject}-{number}",
                "question": cells[0],
                "options": cells[1:-1],
                "answer_index": signs.index(cells[-1].strip()),
                "group": subject,
            },
        )


def header(options: int) -> list[str]:
    return ["question", *(f"choice{index}" for index in range(options)), "answer"]
