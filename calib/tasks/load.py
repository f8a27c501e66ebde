"""Tasks: a name, a file or a function in, items out.

A task is read, checked and put in order here, before any model is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from calib.images import check_images
from calib.records import InputError, Item
from calib.tasks.builtin import BUILTIN, built_in
from calib.tasks.files import LETTERS, SUFFIXES, read_file
from calib.tasks.files.checks import check_item
from calib.tasks.files.values import shown
from calib.tasks.task import Task


def load_task(
    source: str | Path | Task | Callable[[], Iterable[Item]] | Sequence[Item],
) -> Task:
    """A task by name (``calib tasks`` lists them), from a file, a function or items themselves.

    Files are JSONL, CSV, TSV, JSON or Parquet (``docs/files.md``). All but a built-in task and a
    Task are asked in the form that ``default_form`` says. Raises InputError, naming the place, for
    what cannot be asked: no items, an id given twice, an item without an answer or with fewer than
    two options, texts that are none (``calib.tasks.files.checks`` has them all), an image that is
    missing, broken or too large.
    """
    if isinstance(source, Task):
        task = checked(source)
    elif callable(source):
        task = in_default_form(checked(Task(getattr(source, "__name__", "items"), tuple(source()))))
    elif isinstance(source, (str, Path)):
        task = from_name_or_path(str(source))
    else:
        task = in_default_form(checked(Task("items", tuple(source))))
    try:
        check_images(task.items)
    except InputError as error:
        if isinstance(source, (str, Path)) and str(source) not in BUILTIN:
            raise InputError(f"{source}: {error}") from error
        raise
    return task


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
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"task {shown(source)}: expected one of {', '.join(BUILTIN)}, or a file ending in "
            f"{', '.join(SUFFIXES)}"
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
