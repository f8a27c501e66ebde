"""A model of numbers whose confidence depends on the cue: every wording has a temperature."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from calib.models.protocol import Answering, Scoring
from calib.records import Answer, Item
from calib.tasks import Task
from tests.fake_model import Answers, Fake, Plan, Scores

WORDS = ("red", "green", "blue")


def questions(number: int = 120, per_cluster: int = 2) -> Task:
    """Questions whose first option is right more often than others."""
    chance = random.Random(0)
    return Task(
        "cued",
        tuple(
            Item(
                f"q{k}",
                f"Which is number {k}?",
                (),
                WORDS,
                chance.choice((0, 0, 1, 2)),
                meta={"cluster": f"c{k // per_cluster}"},
            )
            for k in range(number)
        ),
        "letters",
    )


def heat(cue: str) -> float:
    """The temperature of a wording; seeds are far too sure."""
    return 0.2 if cue.startswith("The answer m") else 0.3 + random.Random(cue).random()


class CuedScores(Scores):
    def shares(self, item: Item) -> list[float]:
        chance = random.Random(item.id)
        right = item.answer or 0
        scores = [chance.gauss(1.0 if o == right else 0.0, 0.8) for o in range(len(item.options))]
        weights = [math.exp(score / heat(str(item.meta.get("cue", "")))) for score in scores]
        return [weight / sum(weights) for weight in weights]


class CuedAnswers(Answers):
    def run(self, indices: Sequence[int], samples: int, first: int) -> Iterator[Any]:
        for i in indices:
            item = self.items[i]
            shy = random.Random(item.question.partition(":")[0]).random()
            refuses = random.Random(item.id).random() < shy
            right = item.options[item.answer or 0] if item.options else f"It is {shy:.3f}"
            text = "I don't know" if refuses else right
            yield i, [Answer(text, 2, -1.0, 0.5) for _ in range(samples)]


class Cued(Fake):
    """``asked`` are all (id, cue) that were scored; after ``most`` of them it fails."""

    plan = property(lambda self: CuedScores)

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self.most = most

    def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
        plan = super().scores(items, how)
        return Watched(self, plan)

    def answers(self, items: Sequence[Item], how: Answering) -> Plan:
        return CuedAnswers(items, how)


class Watched(Plan):
    def __init__(self, model: Cued, plan: Plan) -> None:
        self.model, self.plan = model, plan
        super().__init__(plan.items, plan.how, plan.batches)

    def run(self, numbers: Sequence[int], bins: int | None = None) -> Iterator[Any]:
        for batch in self.plan.run(numbers, bins):
            for i in self.batches[batch.number]:
                item = self.items[i]
                self.model.asked.append((item.id, str(item.meta.get("cue", ""))))
            if self.model.most is not None and len(self.model.asked) > self.model.most:
                raise KeyboardInterrupt
            yield batch
