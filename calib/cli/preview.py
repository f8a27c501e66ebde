"""The first questions of a task as a model will see them, before there is a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from calib.images import size_of
from calib.records import ImageRef, Item, Prompt
from calib.report.formats import beginning, count, printable
from calib.tasks import Task
from calib.tasks.prompts import build

MOST = 30
"""At most so many options of a question, and groups of a task, are named."""

Line = tuple[int, str]
"""(columns to the left, text)"""


def preview(task: Task, form: str, n: int) -> Iterator[Line]:
    """What is in a task, then its first ``n`` questions in prompt form ``form``.

    Every prompt of the task is made. Raises InputError for one that cannot be.
    """
    prompts = [build(item, form) for item in task]
    default = ", its default" if form == task.prompt else f"; its default is {task.prompt}"
    questions = "1 question" if len(task) == 1 else f"{count(len(task))} questions"
    yield 0, f"{task.name}: {questions} in the form {form}{default}"
    yield from facts(task)
    for item, prompt in zip(task.items[:n], prompts, strict=False):
        yield 0, ""
        group = "" if item.group is None else f", group {item.group!r}"
        yield 0, f"question {item.id!r}{group}"
        for image in item.images:
            yield 2, picture(image)
        yield from conversation(prompt)
        yield from answers(item, prompt)


def facts(task: Task) -> Iterator[Line]:
    """How many questions have how many options and pictures, and their groups."""
    for name, numbers in (
        ("options", Counter(len(item.options) for item in task)),
        ("pictures", Counter(len(item.images) for item in task)),
    ):
        counts = [f"{count(n)} with {size or 'none'}" for size, n in sorted(numbers.items())]
        yield 2, f"{name}: {', '.join(counts)}"
    groups = Counter(item.group for item in task)
    if set(groups) != {None}:
        names = [f"{'none' if g is None else repr(g)} {count(n)}" for g, n in groups.items()]
        yield 2, f"groups: {some(names)}"


def conversation(prompt: Prompt) -> Iterator[Line]:
    if not prompt.chat:
        yield 2, "a text to be completed:"
        yield 4, beginning(prompt.text)
        return
    if prompt.system:
        yield 2, "the system:"
        yield 4, beginning(prompt.system)
    for question, answer in prompt.turns:
        yield 2, "the user, before:"
        yield 4, beginning(question)
        yield 2, "the model, before:"
        yield 4, beginning(answer)
    yield 2, "the user:"
    yield 4, beginning(with_pictures(prompt))
    if prompt.begun:
        yield 2, "the model begins:"
        yield 4, beginning(prompt.begun)


def with_pictures(prompt: Prompt) -> str:
    """The text, in which a word stands for each picture that stands within it."""
    ends = [*prompt.places, len(prompt.text)]
    return "[picture]".join(prompt.text[a:b] for a, b in pairwise([0, *ends]))


def answers(item: Item, prompt: Prompt) -> Iterator[Line]:
    """The options that are scored, the right one marked; without options, the right answers."""
    if item.meta.get("answerable") is False:
        yield 2, "nobody can answer it: only a refusal is right"
    elif item.answer is None and item.options:
        yield 2, "its answer is not known"
    if not item.options:
        aliases = [printable(str(text)) for text in item.meta.get("aliases") or ()]
        yield 2, f"answered freely; right is: {some(aliases)}" if aliases else "answered freely"
        return
    yield 2, "scored:" if item.answer is None else "scored, and * is right:"
    for index, (option, spelled) in enumerate(zip(item.options, prompt.options, strict=True)):
        if index == MOST:
            yield 4, f"... {count(len(item.options) - MOST)} more options"
            break
        mark = "*" if index == item.answer else " "
        meant = "" if spelled[0] == option else f"  {option}"
        yield 4, beginning(f"{mark} {' | '.join(spelled)}{meant}", lines=3, characters=240)


def picture(image: ImageRef) -> str:
    width, height = size_of(image)
    name = str(image) if isinstance(image, Path) else getattr(image, "name", "") or "in memory"
    return f"picture of {width} x {height}: {printable(name)}"


def some(names: list[str]) -> str:
    more = f", ... {count(len(names) - MOST)} more" if names[MOST:] else ""
    return ", ".join(names[:MOST]) + more
