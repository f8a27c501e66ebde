"""Questions asked in several cyclic orders of their lettered options, as one answer to each.

In the order with ``shift`` s, position p shows option (p + s) mod O, for s = 0, 1, ..., K - 1; a
question of fewer than K options is asked in all O of them. Probabilities among the options are
averaged over the orders; each order counts equally. So does ``mass``, and ``logprob`` is the
logarithm of their product.

Axis legend: O options of a question, K orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from calib.models.letters import refuse_unable
from calib.models.protocol import Model, Row, ScoredBatch, ScorePlan, Scoring
from calib.records import InputError, Item
from calib.tasks.prompts import FORMS


def planned(model: Model, items: Sequence[Item], how: Scoring) -> ScorePlan:
    """The model's plan for ``items``; with several orders, one that averages over them.

    Raises InputError, naming the item, as ``Model.scores`` and ``check_orders`` do, and for a model
    that cannot follow the protocol.
    """
    refuse_unable(model, how)
    if how.orders == 1:
        return model.scores(items, how)
    check_orders(items, how)
    sets = [[turned(item, s) for s in range(shifts(item, how.orders))] for item in items]
    return Averaged(items, model.scores([one for own in sets for one in own], how), how.orders)


def check_orders(items: Sequence[Item], how: Scoring) -> None:
    """Raise InputError where options of ``items`` cannot be put into ``how.orders`` orders."""
    if how.orders == 1:
        return
    if not FORMS[how.prompt].orders:
        forms = [name for name, form in FORMS.items() if form.orders]
        raise InputError(
            f"orders: expected prompt {', '.join(forms[:-1])} or {forms[-1]} with {how.orders} "
            f"orders, got {how.prompt}"
        )
    most = max((len(item.options) for item in items), default=0)
    if how.orders > most:
        raise InputError(
            f"orders: expected at most {most}, the most options of a question, got {how.orders}"
        )
    reasoned = next((item.id for item in items if "reasoning" in item.meta), None)
    if reasoned is not None:
        raise InputError(
            f"item {reasoned!r}: its reasoning is about one order of the options; expected none "
            f"with {how.orders} orders"
        )


def shifts(item: Item, orders: int) -> int:
    """In how many orders an item is asked."""
    return min(orders, len(item.options))


def turned(item: Item, shift: int) -> Item:
    """The item with its options moved up by ``shift`` places, the first ones behind the last."""
    count = len(item.options)

    def moved(values: Sequence[Any]) -> tuple[Any, ...]:
        return (*values[shift:], *values[:shift])

    def place(option: int | None) -> int | None:
        return None if option is None else (option - shift) % count

    meta = dict(item.meta)
    if meta.get("spellings"):
        meta["spellings"] = moved(meta["spellings"])
    if meta.get("idk") is not None:
        meta["idk"] = place(meta["idk"])
    return replace(item, options=moved(item.options), answer=place(item.answer), meta=meta)


def sets_of(items: Sequence[Item], orders: int) -> list[list[int]]:
    """The numbers of the items that are one question each (``Scoring.orders``)."""
    numbers = range(len(items))
    if orders == 1:
        return [[number] for number in numbers]
    return [list(own) for _, own in groupby(numbers, key=lambda number: items[number].id)]


@dataclass(frozen=True)
class Averaged:
    """A plan for ``items`` by ``plan``, which scores each of them in its orders one by one."""

    items: Sequence[Item]
    plan: ScorePlan
    orders: int

    @property
    def prompts(self) -> list[str]:
        """Of each question the prompt in its own order."""
        prompts = self.plan.prompts
        return [prompts[first] for first in self._firsts]

    @property
    def batches(self) -> list[list[int]]:
        owner = {first: question for question, first in enumerate(self._firsts)}
        return [[owner[i] for i in batch if i in owner] for batch in self.plan.batches]

    @property
    def _firsts(self) -> list[int]:
        """Where each question begins among the items of ``plan``."""
        firsts, place = [], 0
        for item in self.items:
            firsts.append(place)
            place += shifts(item, self.orders)
        return firsts

    def run(self, numbers: Iterable[int], bins: int | None = None) -> Iterator[ScoredBatch]:
        """Batches of averages. Their confidences are known on the host alone, where ``bins`` of
        them are counted."""
        batches, firsts = self.batches, self._firsts
        for batch in self.plan.run(numbers):
            scored = dict(zip(self.plan.batches[batch.number], batch.rows, strict=True))
            rows = []
            for question in batches[batch.number]:
                item, first = self.items[question], firsts[question]
                own = [scored.pop(first + s) for s in range(shifts(item, self.orders))]
                rows.append(averaged(own, item.answer))
            if scored:
                raise ValueError(f"batch {batch.number} holds some orders of a question alone")
            yield ScoredBatch(batch.number, rows)


def averaged(rows: Sequence[Mapping[str, Any]], answer: int | None) -> Row:
    """The row of a question, of its ``rows`` in the orders with shift 0, 1, ..."""
    count, orders = len(rows[0]["prob"]), len(rows)
    prob = [
        math.fsum(row["prob"][(option - shift) % count] for shift, row in enumerate(rows)) / orders
        for option in range(count)
    ]
    shares = [relative(row["logprob"]) for row in rows]
    mass = math.fsum(row["mass"] for row in rows) / orders
    valid = all(row["valid"] for row in rows)
    best = prob.index(max(prob))
    return {
        "logprob": [
            total([own[(o - shift) % count] for shift, own in enumerate(shares)])
            - math.log(orders)
            + log(mass)
            for o in range(count)
        ],
        "prob": prob,
        "mass": mass,
        "confidence_options": prob[best],
        "confidence_vocab": prob[best] * mass,
        "entropy": -math.fsum(p * log(p) for p in prob if p != 0),
        "prediction": best,
        "correct": valid and best == answer,
        "parsed": all(row["parsed"] for row in rows),
        "valid": valid,
        "ended": any(row.get("ended", False) for row in rows),
        "confidence": prob[best],
        "orders": [
            {
                "shift": shift,
                "prob": list(row["prob"]),
                "logprob": list(row["logprob"]),
                "prediction": (row["prediction"] + shift) % count,
            }
            for shift, row in enumerate(rows)
        ],
    }


def relative(logprob: Sequence[float]) -> list[float]:
    """Logarithms of the probabilities among the options: these stay where floats end at 0."""
    whole = total(logprob)
    return [value - whole for value in logprob]


def total(logs: Sequence[float]) -> float:
    """The logarithm of a sum of numbers, by their logarithms."""
    most = max(logs)
    if most == -math.inf:
        return most
    return most + math.log(math.fsum(math.exp(value - most) for value in logs))


def log(value: float) -> float:
    return math.log(value) if value != 0 else -math.inf
