"""Pairs as a file that every command loads, with their pictures beside it.

``twins.jsonl``  a row a question, ``pair``, ``how`` and ``answerable`` among its columns
``images/``      the pictures that it names, by their content; grey ones are stored as such
``made.json``    how many twins were made in each way, and why the other questions have none
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from calib.fields import read_saved
from calib.idk.pictures import Copies
from calib.records import CalibError, InputError, Item
from calib.runs.config import kind_of
from calib.runs.durable import refuse_no_folder, replace
from calib.runs.kinds import KINDS
from calib.tasks import Task
from calib.tasks.files import LETTERS
from calib.twin_sets.make import Made, make
from calib.twin_sets.pairs import HOW, PAIR
from calib.twin_sets.ways import WAYS

FILE, MADE = "twins.jsonl", "made.json"
FORMAT = "calib.twins.made/1"


def make_twins(
    task: Task | str,
    out: str | Path,
    how: str | Iterable[str] = tuple(WAYS),
    *,
    seed: int = 0,
    limit: int | None = None,
) -> dict[str, Any]:
    """Make the twins of ``calib.twins`` and write them into the folder ``out``.

    Returns what made.json holds: of how many ``questions``, ``made``: the twins in each way, and
    ``without``: by way and reason the ids of questions that have none. Files of the same names
    there are replaced. Raises InputError where no question has a twin, and for a run's folder.
    """
    out = Path(out)
    refuse_no_folder(out)
    if (kind := kind_of(out)) is not None:
        raise InputError(f"{out}: it holds {KINDS[kind].holds}; choose another folder")
    found = make(task, how, seed=seed, limit=limit)
    copies = Copies(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        rows = [row_of(item, copies) for item in found.task.items]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        replace(out / FILE, lines)
        facts = {"format": FORMAT, **facts_of(found, seed)}
        replace(out / MADE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    except TypeError as error:
        raise InputError(
            f"task {found.task.name}: what an item holds is no JSON ({error})"
        ) from error
    except OSError as error:
        raise CalibError(f"{error.filename or out}: writing failed ({error.strerror})") from error
    return facts


def facts_of(found: Made, seed: int) -> dict[str, Any]:
    return {
        "task": found.task.name.removesuffix("-twins"),
        "questions": found.questions,
        "pairs": sum(found.made.values()),
        "seed": seed,
        "made": found.made,
        "without": found.without,
    }


def row_of(item: Item, copies: Copies) -> dict[str, Any]:
    """The columns of one question; its pictures are named relative to the file."""
    meta = {name: value for name, value in item.meta.items() if name not in OWN}
    row: dict[str, Any] = {
        "id": item.id,
        PAIR: item.meta[PAIR],
        HOW: item.meta.get(HOW),
        "answerable": item.meta.get("answerable"),
        "question": item.question,
        "options": list(item.options),
        **answer_of(item),
        "images": [copies(image) for image in item.images],
        "group": item.group,
        "cluster": item.meta["cluster"],
        "meta": meta,
    }
    return {name: value for name, value in row.items() if value not in (None, [], {})}


def answer_of(item: Item) -> dict[str, Any]:
    """The right option by its letter, which is counted from nothing; behind Z by its index."""
    if item.answer is None or item.answer >= len(LETTERS):
        return {"answer_index": item.answer}
    return {"answer_letter": LETTERS[item.answer]}


OWN = (PAIR, HOW, "answerable", "cluster")
"""Entries of ``Item.meta`` that are columns of the file."""


def file_in(path: str | Path) -> Path:
    """The file of pairs: ``path``, or the one in the folder ``path``. InputError for a folder
    without."""
    path = Path(path)
    if not path.is_dir():
        return path
    if not (path / FILE).is_file():
        raise InputError(f"{path}: there is no {FILE}; calib twins make writes one")
    return path / FILE


def made_beside(file: str | None) -> Mapping[str, Any] | None:
    """What made.json beside the file of pairs holds; None where there is none."""
    path = None if file is None else Path(file).parent / MADE
    if path is None or Path(str(file)).name != FILE or not path.is_file():
        return None
    return read_saved(path, "what calib twins make made", FORMAT)
