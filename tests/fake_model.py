"""A model that is none: it fulfils ``calib.models.protocol`` with numbers from a prompt's hash."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from calib.models.orders import sets_of
from calib.models.protocol import Abilities, Answering, ScoredBatch, Scoring
from calib.records import Answer, Item


class Fake:
    name = "fake"
    can = Abilities(images=True, option_scores=True, token_logprobs=True, seeds=True)

    def __init__(self, **facts: Any) -> None:
        self.facts = {"model": self.name, "dtype": "float32", **facts}

    def scores(self, items: Sequence[Item], how: Scoring) -> Plan:
        sets = sorted(sets_of(items, how.orders), key=lambda own: -len(items[own[0]].question))
        rows = 4 if how.batch_size == "auto" else how.batch_size
        batches = [sets[k : k + rows] for k in range(0, len(sets), rows)]
        return self.plan(items, how, [[i for own in batch for i in own] for batch in batches])

    @property
    def plan(self) -> type[Plan]:
        return Scores

    def answers(self, items: Sequence[Item], how: Answering) -> Plan:
        return Answers(items, how)


@dataclass
class Plan:
    items: Sequence[Item]
    how: Any
    batches: Sequence[Sequence[int]] = ()
    prompts = property(lambda self: [f"{item.id} {item.question}" for item in self.items])


class Scores(Plan):
    def run(self, numbers: Sequence[int], bins: int | None = None) -> Iterator[ScoredBatch]:
        for number in numbers:
            yield ScoredBatch(number, [self.row(self.items[i]) for i in self.batches[number]])

    def row(self, item: Item) -> dict[str, Any]:
        prob = self.shares(item)
        best, scale = prob.index(max(prob)), 1 if self.how.confidence == "options" else 0.5
        row = {"prediction": best, "confidence": scale * prob[best], "correct": best == item.answer}
        row |= {"prob": prob, "logprob": [math.log(p / 2) for p in prob], "mass": 0.5}
        return {**row, "parsed": True, "valid": True}

    def shares(self, item: Item) -> list[float]:
        share = [random.Random(f"{item.question} {o}").random() for o in item.options]
        return [p / sum(share) for p in share]


class Answers(Plan):
    def run(self, indices: Sequence[int], samples: int, first: int) -> Iterator[Any]:
        for i in indices:
            text = f"{self.prompts[i]} {self.how.sampling.seed}"
            draws = [random.Random(f"{text} {s}") for s in range(first, first + samples)]
            yield i, [Answer(f"{draw.random():.3f}", 2, -1.0, 0.5) for draw in draws]
