"""Tasks: a name, a file or a function in, items out.

A task is read, checked and put in order here, before any model is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from calib.images import check_images
from calib.records import InputError, Item, at_home
from calib.tasks.builtin import BUILTIN, built_in
from calib.tasks.files import LETTERS, SUFFIXES, is_folder, read_file, read_rows
from calib.tasks.files.checks import check_item
from calib.tasks.files.values import shown
from calib.tasks.task import Task


def load_task(
    source: str
    | Path
    | Task
    | Callable[[], Iterable[Item] | Iterable[Mapping[str, Any]]]
    | Iterable[Item]
    | Iterable[Mapping[str, Any]],
) -> Task:
    """A task by name (``calib tasks`` lists them), from a file, a function, items themselves or
    rows with a file's columns, such as a Dataset of the library datasets.

    Files are JSONL, CSV, TSV, JSON or Parquet, or a folder of MMLU (``docs/files.md``). All but a
    built-in task and a Task are asked in the form that ``default_form`` says. Raises InputError,
    naming the place, for what cannot be asked: no items, an id given twice, an item without an
    answer or with fewer than two options, texts that are none (``calib.tasks.files.checks`` has
    them all), an image that is missing, broken or too large.
    """
    if isinstance(source, Task):
        task = checked(source)
    elif callable(source):
        name = getattr(source, "__name__", "items")
        task = in_default_form(checked(replace(of_items_or_rows(source()), name=name)))
    elif isinstance(source, (str, Path)):
        task = from_name_or_path(str(source))
    else:
        task = in_default_form(checked(of_items_or_rows(source)))
    try:
        check_images(task.items)
    except InputError as error:
        if isinstance(source, (str, Path)) and str(source) not in BUILTIN:
            raise InputError(f"{source}: {error}") from error
        raise
    return task


def of_items_or_rows(source: Iterable[Item] | Iterable[Mapping[str, Any]]) -> Task:
    given = list(source)
    if given and isinstance(given[0], Mapping):
        return Task("rows", read_rows(given))
    return Task("items", tuple(cast("list[Item]", given)))


def checked(task: Task) -> Task:
    """The task, whose items were made in Python and may hold anything."""
    if not task.items:
        raise InputError(f"task {task.name}: it holds no questions")
    for number, item in enumerate(task.items):
        if not isinstance(item, Item):
            raise InputError(f"task {task.name}: expected items, got {shown(item)} at {number}")
        check_item(item, f"task {task.name}, item {shown(item.id)}")
    counts = Counter(item.id for item in task.items)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f"task {task.name}: every id must appear only once, but {shown(twice[0])} appears "
            f"{counts[twice[0]]} times" + (f" (and {len(twice) - 1} more)" if twice[1:] else "")
        )
    return task


def from_name_or_path(source: str) -> Task:
    if source in BUILTIN:
        return built_in(source)
    path = Path(source)
    if source.strip() and is_folder(at_home(source)):
        own = at_home(source).resolve()
        return in_default_form(
            Task(f"{own.parent.name}-{own.name}", read_file(path), source=str(path))
        )
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"task {shown(source)}: expected one of {', '.join(BUILTIN)}, a file ending in "
            f"{', '.join(SUFFIXES)}, or a folder of MMLU"
        )
    return in_default_form(Task(path.stem, read_file(path), source=str(path)))


def in_default_form(task: Task) -> Task:
    return replace(task, prompt=default_form(task.items))


def default_form(items: Iterable[Item]) -> str:
    """The prompt form of questions that come without one: their options are shown.

    ``letters``, or ``listed`` for all of them where one has spellings, which are scored as texts,
    or more options than there are letters; ``options``, which asks freely, where none has any.
    """
    of_options = [item for item in items if item.options]
    if any(item.meta.get("spellings") or len(item.options) > len(LETTERS) for item in of_options):
        return "listed"
    return "letters" if of_options else "options"
