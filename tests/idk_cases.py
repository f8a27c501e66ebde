"""Questions about colours, and a model whose answers to them are written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from calib.hf.encoding import Encoded
from calib.hf.model import Model
from calib.records import Answer, Item
from calib.tasks import Task

SETTINGS: dict[str, Any] = {"samples": 4, "max_new_tokens": 4, "limit": None}
COLOURS = ("red", "green", "blue")


def questions(folder: Path) -> Task:
    """Twelve questions about four pictures; of each picture one that nobody can answer."""
    items = []
    for number in range(12):
        path = folder / f"{number // 3}.png"
        if not path.exists():
            Image.new("RGB", (16, 16), COLOURS[number // 3 % 3]).save(path)
        nobody = number % 3 == 2
        meta: dict[str, Any] = {"cluster": str(number // 3)}
        if nobody:
            meta["answerable"] = False
        items.append(
            Item(
                f"q{number}",
                "Which colour has the second shape?" if nobody else f"Which colour, {number}?",
                (path,),
                COLOURS,
                None if nobody else number % 3,
                "nobody" if nobody else "colour",
                meta,
            )
        )
    return Task("made-up", tuple(items))


class Scripted(Model):
    """A model whose answers are written down: by the words of the question and the sample."""

    def encode(self, items: Any, *form: Any, **how: Any) -> list[Any]:
        return [Encoded(item.question, (), 1, 0, ()) for item in items]

    def sample_batch(
        self, items: Any, prompt: str, how: Any, *, thinking: str = "own"
    ) -> list[list[Answer]]:
        calls.append((prompt, how.seed, [item.id for item in items]))
        return [
            [Answer(say(item, s, how.samples), 1) for s in range(how.samples)] for item in items
        ]

    def sample_packed(self, items: Any, prompt: str, how: Any, *, thinking: str = "own") -> Any:
        return enumerate(self.sample_batch(items, prompt, how))


calls: list[Any] = []


def say(item: Item, sample: int, samples: int) -> str:
    """Known: questions 0 of a picture. Half right: questions 1. Refuses only when allowed to."""
    number = int(item.id[1:])
    if len(item.options) == 4:  # the option arm: question 0 of picture 0 is refused, too
        return "(D)" if number % 3 == 2 or number == 0 else f"({'ABC'[number % 3]})"
    if "don't know" in item.question and number % 3 == 2:
        return "I don't know." if number < 6 else "green"
    if number % 3 == 1 and sample >= samples / 2:
        return "blue"
    return COLOURS[number % 3]
