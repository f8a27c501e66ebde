"""A task: questions in an order, and the prompt form they are meant for."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from calib.images.places import key_of
from calib.records import EncodedImage, ImageRef, InputError, Item, MadeImage
from calib.tasks.files.columns import SYSTEM_ONE


@dataclass(frozen=True)
class Task:
    """A name, its items in their own order, and the prompt form they are meant for.

    ``source`` is the file that they came from, None where there is none.
    """

    name: str
    items: tuple[Item, ...]
    prompt: str = "options"
    source: str | None = None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def selection(self, limit: int | None, seed: int) -> tuple[Item, ...]:
        """``limit`` items drawn by ``seed``, in the task's order; all without a limit."""
        if limit is None:
            return self.items
        if isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 1:
            raise InputError(f"limit: expected a positive number of questions, got {limit!r}")
        if limit >= len(self.items):
            return self.items
        chosen = random.Random(seed).sample(range(len(self.items)), limit)
        return tuple(self.items[index] for index in sorted(chosen))


def digest(items: Iterable[Item]) -> str:
    """Twelve characters that change with any question, option, answer or image of ``items``."""
    hashed = hashlib.sha256()
    names = {"ask_for_text": "instruction"}
    name_of = ImageNames()
    for item in items:
        images = [name_of(image) for image in item.images]
        row = [item.id, item.question, item.options, item.answer, item.group, images]
        # Runs begun before these keys were there go on: one had another name, and the other says
        # once more what the rest says, for a form whose runs hold their prompts.
        meta = {names.get(k, k): value for k, value in item.meta.items() if k != SYSTEM_ONE}
        hashed.update(json.dumps([*row, meta], default=str).encode())
    return hashed.hexdigest()[:12]


class ImageNames:
    """``image_name`` of each picture that it is called with, looked at once: several questions may
    be about one."""

    def __init__(self) -> None:
        self._known: dict[Hashable, str] = {}

    def __call__(self, image: ImageRef) -> str:
        key = key_of(image)
        if key not in self._known:
            self._known[key] = image_name(image)
        return self._known[key]


def image_name(image: ImageRef) -> str:
    """What tells one image from another: the bytes of its file, or size and pixels in memory, and
    how it is made of that."""
    if isinstance(image, MadeImage):
        return f"{image_name(image.source)} {image.recipe}"
    if isinstance(image, (Path, EncodedImage)):
        data = image.data if isinstance(image, EncodedImage) else image.read_bytes()
        return hashlib.sha256(data).hexdigest()[:12]
    kind = f"{image.mode} {image.size}".encode()
    return hashlib.sha256(kind + image.tobytes()).hexdigest()[:12]
