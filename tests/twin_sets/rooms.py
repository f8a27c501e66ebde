"""Questions about rooms, and a model that is none: what it abstains from is written down."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from calib.images import open_image
from calib.judge.refusal import idk_option
from calib.models.protocol import Answering
from calib.records import Answer, Item
from calib.tasks import Task
from tests.fake_model import Answers, Fake, Plan, Scores

ANIMALS = ("dog", "cat", "horse", "goat")
COLOURS = ("red", "green", "blue", "black")


def rooms(folder: Path, number: int = 16) -> Task:
    """About each picture a question of the animal, one of a colour and one of yes or no."""
    items = []
    for k in range(number):
        path = folder / f"{k}.png"
        if not path.exists():
            Image.new("RGB", (12, 8), (10 * k, 255 - 10 * k, 60)).save(path)
        animal, thing = ANIMALS[k % 4], ("sofa", "table")[k % 2]
        asked = [
            (f"Which animal is on the {thing}?", ANIMALS, k % 4, "animal"),
            (f"What colour has the {animal} in room {k}?", COLOURS, (k + 1) % 4, "colour"),
            (f"Is the {animal} asleep?", ("yes", "no"), k % 2, "yes/no"),
        ]
        items += [
            Item(f"{k}-{place}", question, (path,), options, answer, group, {"cluster": str(k)})
            for place, (question, options, answer, group) in enumerate(asked)
        ]
    return Task("rooms", tuple(items), "letters")


def is_grey(item: Item) -> bool:
    return bool(item.images) and open_image(item.images[0]).getcolors() == [(96, (128, 128, 128))]


class Seeing(Scores):
    def shares(self, item: Item) -> list[float]:
        """Sure that it does not know what is grey, else right but for every third picture."""
        place = idk_option(item)
        if place is None:
            return super().shares(item)
        wanted = place if is_grey(item) else item.answer
        assert wanted is not None
        if not is_grey(item) and int(str(item.meta.get("cluster", 1))) % 3 == 0:
            wanted = (wanted + 1) % place
        rng = random.Random(item.id)
        weights = [rng.random() + 9 * (k == wanted) for k in range(len(item.options))]
        return [weight / sum(weights) for weight in weights]

    def run(self, numbers: Sequence[int], bins: int | None = None) -> Iterator[Any]:
        for batch in super().run(numbers, bins):
            Knowing.batches += 1
            if Knowing.batches == Knowing.stops_after:
                raise KeyboardInterrupt
            yield batch


class Saying(Answers):
    def run(self, indices: Sequence[int], samples: int, first: int) -> Iterator[Any]:
        for i in indices:
            item = self.items[i]
            said = "I don't know." if is_grey(item) else "It is Paris."
            yield i, [Answer(said, 3, -1.0, 0.5)] * samples


class Knowing(Fake):
    """Abstains from grey pictures and from nothing else."""

    name = "knowing"
    batches = 0
    stops_after = 0

    @property
    def plan(self) -> type[Plan]:
        return Seeing

    def answers(self, items: Sequence[Item], how: Answering) -> Plan:
        return Saying(items, how)
