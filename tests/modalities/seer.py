"""A model that is none, and sees: its numbers come from the pixels and the text of a question."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from calib.images import open_image
from calib.models.protocol import Answering, ScoredBatch
from calib.records import Answer, Item
from calib.tasks import Task
from calib.tasks.prompts import build
from tests.fake_model import Answers, Fake, Plan, Scores

SENTENCES = ("The square is {}.", "It is large.", "Nothing else is there.")


def told_of(item: Item) -> str:
    """What the model is shown: its prompt, and the pixels of its pictures."""
    pixels = [np.asarray(open_image(image)).tobytes().hex() for image in item.images]
    return " ".join([build(item, "letters").text, *pixels])


class Seeing(Scores):
    def shares(self, item: Item) -> list[float]:
        """The right option is likelier by what is known: the picture, the description."""
        rng = random.Random(told_of(item))
        known = 0.8 * bool(item.images) + 1.5 * ("Context:" in build(item, "letters").text)
        weights = [rng.random() + known * (k == item.answer) for k in range(len(item.options))]
        return [w / sum(weights) for w in weights]

    def run(self, numbers: Sequence[int], bins: int | None = None) -> Iterator[ScoredBatch]:
        for batch in super().run(numbers, bins):
            Seer.batches += 1
            if Seer.batches == Seer.stops_after:
                raise KeyboardInterrupt
            yield batch


@dataclass
class Saying(Answers):
    """Of a question with options one of three answers; else what ``said`` is."""

    said: str = ""

    def run(self, indices: Sequence[int], samples: int, first: int) -> Iterator[Any]:
        for i in indices:
            rng = random.Random(f"{told_of(self.items[i])} {self.how.sampling.seed}")
            told = "" if self.items[i].options else self.said
            yield i, [Answer(told or rng.choice("ABC"), 1, -1.0, 0.5) for _ in range(samples)]


class Seer(Fake):
    name = "seer"
    said = "A square. It is seen."
    batches = 0
    stops_after = 0
    """The batch, of all that are run, at which it is interrupted; 0: none."""

    @property
    def plan(self) -> type[Plan]:
        return Seeing

    def answers(self, items: Sequence[Item], how: Answering) -> Plan:
        return Saying(items, how, said=self.said)


def questions(folder: Path, pictures: int = 12, each: int = 2) -> Task:
    """``each`` questions about each of so many pictures of one colour, with descriptions of three
    sentences, or two of the last picture."""
    items = []
    for number in range(pictures):
        path = folder / f"{number}.png"
        if not path.exists():
            Image.new("RGB", (8, 6), (20 * number, 255 - 20 * number, 90)).save(path)
        said = [SENTENCES[0].format(number), *SENTENCES[1 : 2 if number == pictures - 1 else 3]]
        items += [
            Item(
                f"{number}-{k}",
                f"Which is square {number} of {k}?",
                (path,),
                ("red", "green", "blue"),
                (number + k) % 3,
                meta={"cluster": str(number), "description": said},
            )
            for k in range(each)
        ]
    return Task("squares", tuple(items), "letters")
