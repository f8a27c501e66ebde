"""Tasks: a name, a file or a function in, items out.

A task is read, checked and put in order here, before any model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calib import capitals, easy_vqa
from calib.images import check_images
from calib.images.places import key_of
from calib.records import EncodedImage, ImageRef, InputError, Item
from calib.task_files import LETTERS, SUFFIXES, read_file
from calib.task_files.checks import check_item
from calib.task_files.values import shown

TASKS = {
    "easy-vqa": "easy-VQA's 9,673 test questions; the answer words themselves are scored",
    "easy-vqa-letters": "the same questions with lettered options",
    "easy-vqa-idk": "two questions to each picture, and one that it cannot answer",
    "capitals": "185 countries' capitals, asked freely: for calib sample and calib idk",
}


@dataclass(frozen=True)
class Task:
    """A name, its items in their own order, and the prompt form they are meant for."""

    name: str
    items: tuple[Item, ...]
    prompt: str = "options"

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def selection(self, limit: int | None, seed: int) -> tuple[Item, ...]:
        """``limit`` items drawn by ``seed``, in the task's order; all without a limit."""
        if limit is None or limit >= len(self.items):
            return self.items
        if limit < 1:
            raise InputError(f"limit: expected a positive number of questions, got {limit}")
        chosen = random.Random(seed).sample(range(len(self.items)), limit)
        return tuple(self.items[index] for index in sorted(chosen))


def load_task(
    source: str | Path | Task | Callable[[], Iterable[Item]] | Sequence[Item],
) -> Task:
    """A task by name (``calib tasks`` lists them), from a file, a function or items themselves.

    Files are JSONL, CSV, TSV, JSON or Parquet (``docs/files.md``). All but a built-in task and a
    Task are asked in the form that ``default_form`` says. Raises InputError, naming the place, for
    what cannot be asked: no items, an id given twice, an item without an answer or with fewer than
    two options, texts that are none (``calib.task_files.checks`` has them all), an image that is
    missing, broken or too large.
    """
    if isinstance(source, Task):
        task = checked(source)
    elif callable(source):
        task = in_default_form(checked(Task(getattr(source, "__name__", "items"), tuple(source()))))
    elif isinstance(source, (str, Path)):
        task = named(str(source))
    else:
        task = in_default_form(checked(Task("items", tuple(source))))
    try:
        check_images(task.items)
    except InputError as error:
        if isinstance(source, (str, Path)) and str(source) not in TASKS:
            raise InputError(f"{source}: {error}") from error
        raise
    return task


def checked(task: Task) -> Task:
    """The task, whose items were made in Python and may hold anything."""
    if not task.items:
        raise InputError(f"task {task.name}: there is no question in it")
    for number, item in enumerate(task.items):
        if not isinstance(item, Item):
            raise InputError(f"task {task.name}: expected items, got {shown(item)} at {number}")
        check_item(item, f"task {task.name}, item {shown(item.id)}")
    counts = Counter(item.id for item in task.items)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f"task {task.name}: every id must be there once, but {shown(twice[0])} is there "
            f"{counts[twice[0]]} times" + (f" (and {len(twice) - 1} more)" if twice[1:] else "")
        )
    return task


def named(source: str) -> Task:
    if source == "easy-vqa":
        return Task(source, easy_vqa_items())
    if source == "easy-vqa-letters":
        return Task(source, easy_vqa_items(), prompt="letters")
    if source == "easy-vqa-idk":
        return Task(source, easy_vqa_idk_items())
    if source == "capitals":
        return Task(source, capital_items())
    path = Path(source)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"task {shown(source)}: expected one of {', '.join(TASKS)}, or a file ending in "
            f"{', '.join(SUFFIXES)}"
        )
    return in_default_form(Task(path.stem, read_file(path)))


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


def easy_vqa_items() -> tuple[Item, ...]:
    """easy-VQA's test questions; a picture's questions form a cluster."""
    items = []
    for picture in easy_vqa.load("test"):
        for number, (question, answer) in enumerate(picture.questions):
            kind = easy_vqa.kind_of(answer)
            options = easy_vqa.OPTIONS[kind]
            items.append(
                Item(
                    id=f"{picture.id}-{number}",
                    question=question,
                    images=(picture.path,),
                    options=options,
                    answer=options.index(answer),
                    group=kind,
                    meta={"cluster": str(picture.id), "ask_for_text": "Answer with one word."},
                )
            )
    return tuple(items)


UNANSWERABLE = (
    ("what color is the second shape?", "colour"),
    ("what shape is the second object?", "shape"),
    ("what is the color of the smaller shape behind it?", "colour"),
    ("which shape is next to the first one?", "shape"),
)
"""What cannot be known of a picture that holds one shape, and the options it seems to have."""


def easy_vqa_idk_items() -> tuple[Item, ...]:
    """Two questions about each test picture, and one that supposes a second shape.

    The two are its first about a colour or shape and its first of yes or no, where it has such. The
    third has no answer: its ``meta["answerable"]`` is False, and only to refuse is right.
    """
    own: dict[str, list[Item]] = {}
    for item in easy_vqa_items():
        own.setdefault(str(item.meta["cluster"]), []).append(item)
    items: list[Item] = []
    for number, (picture, asked) in enumerate(own.items()):
        first = next((item for item in asked if item.group != "yes/no"), asked[0])
        others = [item for item in asked if item is not first]
        other = next((item for item in others if item.group == "yes/no"), others[0])
        question, kind = UNANSWERABLE[number % len(UNANSWERABLE)]
        unanswerable = replace(
            first,
            id=f"{picture}-none",
            question=question,
            options=easy_vqa.OPTIONS[kind],
            answer=None,
            group="unanswerable",
            meta={**first.meta, "answerable": False},
        )
        items += [first, other, unanswerable]
    return tuple(items)


def capital_items() -> tuple[Item, ...]:
    return tuple(
        Item(
            id=country.name.removeprefix("the "),
            question=f"What is the capital of {country.name}?",
            group=country.region,
            meta={
                "aliases": list(country.capitals),
                "instruction": "Answer with the name of the city.",
            },
        )
        for country in capitals.load()
    )


def digest(items: Iterable[Item]) -> str:
    """Twelve characters that change with any question, option, answer or image of ``items``."""
    hashed = hashlib.sha256()
    names = {"ask_for_text": "instruction"}
    seen: dict[Path | EncodedImage | int, str] = {}  # several questions may be about one image

    def named(image: ImageRef) -> str:
        key = key_of(image)
        if key not in seen:
            seen[key] = image_name(image)
        return seen[key]

    for item in items:
        images = [named(image) for image in item.images]
        row = [item.id, item.question, item.options, item.answer, item.group, images]
        # Runs of built-in tasks begun before this key had a name of its own go on.
        meta = {names.get(name, name): value for name, value in item.meta.items()}
        hashed.update(json.dumps([*row, meta], default=str).encode())
    return hashed.hexdigest()[:12]


def image_name(image: ImageRef) -> str:
    """What tells one image from another: the bytes of its file, or size and pixels in memory."""
    if isinstance(image, (Path, EncodedImage)):
        data = image.data if isinstance(image, EncodedImage) else image.read_bytes()
        return hashlib.sha256(data).hexdigest()[:12]
    kind = f"{image.mode} {image.size}".encode()
    return hashlib.sha256(kind + image.tobytes()).hexdigest()[:12]
