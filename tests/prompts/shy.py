"""A model that knows half of its questions, and says so where it is allowed to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from calib.models.protocol import Answering
from calib.records import Answer, Item
from tests.fake_model import Answers, Fake, Plan


class Shy(Fake):
    name = "shy"

    def answers(self, items: Sequence[Item], how: Answering) -> Plan:
        return Shyly(items, how)


class Shyly(Answers):
    def run(self, indices: Sequence[int], samples: int, first: int) -> Iterator[Any]:
        for i in indices:
            yield i, [Answer(self.said(self.items[i]), 2, -1.0, 0.5) for _ in range(samples)]

    def said(self, item: Item) -> str:
        right = item.answer or 0
        if random.Random(item.id).random() < 0.5:
            return f"({'ABC'[right]})"
        if "don't know" in item.question:
            return "I don't know."
        return f"({'ABC'[(right + 1) % 3]})"
