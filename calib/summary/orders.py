"""What the order of lettered options does to answers, and what averaging and debiasing do to that.

Three ways to answer the same questions are compared: one order alone (the question's own),
the mean of the options' probabilities over all orders that were asked, and the one order divided by
the prior of each position.

The prior is estimated without labels (PriDe; Zheng et al. 2024): of each question the softmax over
positions of the mean log-probability of a position over its orders, and of these the mean over
questions with as many options. Each question is debiased by a prior of other clusters.

Axis legend: N questions, K orders, O positions (questions with fewer are padded).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calib.calibrators.temperature import softmax
from calib.intervals import Interval
from calib.summary.remedies import rescaled, tests_of
from calib.summary.rows import Floats, Row, Scored
from calib.summary.table import intervals_of, mean, measure, specs

SHOWN = ("accuracy", "confidence", "debiased_rmsce", "brier", "nll")
TESTED = ("accuracy", "debiased_rmsce", "brier", "nll")
FOLDS = 5
LEAST = 1e-12
"""A position's prior is at least this, so that dividing by it stays finite."""


@dataclass(frozen=True)
class Asked:
    """The questions as each order showed them."""

    options: NDArray[np.int64]  # (N,): how many
    orders: NDArray[np.int64]  # (N,): how many
    logprob: Floats  # (N, K, O): by position; -inf where there is none
    prob: Floats  # (N, K, O); 0 where there is none
    gold: Floats  # (N, K, O): 1 where the right option stands
    flipped: Floats  # (N,): 1 where not all orders have the same prediction

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        options = np.array([len(row["prob"]) for row in rows])
        orders = np.array([len(row["orders"]) for row in rows])
        shape = len(rows), int(orders.max()), int(options.max())
        logprob, prob, gold = np.full(shape, -np.inf), np.zeros(shape), np.zeros(shape)
        for i, row in enumerate(rows):
            for k, order in enumerate(row["orders"]):
                values = [-np.inf if value is None else value for value in order["logprob"]]
                logprob[i, k, : options[i]] = values
                prob[i, k, : options[i]] = order["prob"]
                gold[i, k, (row["answer"] - order["shift"]) % options[i]] = 1.0
        predictions = [{order["prediction"] for order in row["orders"]} for row in rows]
        flipped = np.array([float(len(own) > 1) for own in predictions])
        return cls(options, orders, logprob, prob, gold, flipped)


def order_free(scored: Scored, rows: Sequence[Row], bins: int, seed: int) -> dict[str, Any] | None:
    """What ``results.json`` says of the orders; None where questions were asked in one alone."""
    if not all(row.get("orders") for row in rows):
        return None
    asked = Asked.of(rows)
    if asked.orders.max() < 2:
        return None
    flips = {"flips": (mean, asked.flipped, scored.correct)}
    single = rescaled(replace(scored, logprob=asked.logprob[:, 0]), 1.0)
    ways = {"single": single, "averaged": rescaled(scored, 1.0)}
    fitted = debiased(asked, scored.cluster, seed)
    if fitted is not None:
        ways["debiased"] = rescaled(replace(scored, logprob=fitted), 1.0)
    chosen = [spec for spec in specs(bins) if spec.name in SHOWN]
    others = {name: way for name, way in ways.items() if name != "single"}
    return {
        "orders": int(asked.orders.max()),
        "fewer": int((asked.orders < asked.orders.max()).sum()),
        "all": bool((asked.orders == asked.options).all()),
        "n": len(scored),
        "flips": entry(intervals_of(flips, scored, seed)["flips"]),
        "positions": [position(k, asked, scored, seed) for k in range(asked.prob.shape[2])],
        "priors": priors(asked),
        "folds": FOLDS,
        "metrics": {name: measure(way, chosen, seed) for name, way in ways.items()},
        "changed": {name: changed(single, way) for name, way in others.items()},
        "tests": {
            name: tests_of(single, way, chosen, seed, TESTED) for name, way in others.items()
        },
    }


def position(k: int, asked: Asked, scored: Scored, seed: int) -> dict[str, Any]:
    """Of the questions that have position k: its mean probability over all orders, the share of
    orders in which the right option stands there, and the difference."""
    there = asked.options > k
    probability = asked.prob[there, :, k].sum(1) / asked.orders[there]
    right = asked.gold[there, :, k].sum(1) / asked.orders[there]
    own = scored.take(there)
    cases = {
        name: (mean, values, own.correct)
        for name, values in (
            ("probability", probability),
            ("right", right),
            ("difference", probability - right),
        )
    }
    return {
        "position": k,
        "n": int(there.sum()),
        **{name: entry(found) for name, found in intervals_of(cases, own, seed).items()},
    }


def entry(found: Interval) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "method": found.method}


def shares(asked: Asked) -> Floats:
    """(N, O): how each question divides 1 among positions, whatever option stands there."""
    given = (np.arange(asked.logprob.shape[1]) < asked.orders[:, None])[:, :, None]
    there = (np.arange(asked.logprob.shape[2]) < asked.options[:, None])[:, None, :]
    logs = np.where(given & there, asked.logprob, 0.0).sum(1) / asked.orders[:, None]
    return softmax(np.where(there[:, 0], logs, -np.inf))


def priors(asked: Asked) -> list[dict[str, Any]]:
    """The prior of each position, of all questions, by how many options they have."""
    each = shares(asked)
    return [
        {
            "options": int(count),
            "n": int((asked.options == count).sum()),
            "prior": each[asked.options == count, :count].mean(0).tolist(),
        }
        for count in np.unique(asked.options)
    ]


def debiased(asked: Asked, cluster: NDArray[np.int64], seed: int) -> Floats | None:
    """(N, O): log-probabilities of the one order, less the logarithm of a prior of other folds.

    Questions that no other fold has with as many options stay as they are. None where all
    questions are one cluster.
    """
    names = np.unique(cluster)
    if len(names) < 2:
        return None
    folds = np.empty(int(names.max()) + 1, np.int64)
    folds[np.random.default_rng(seed).permutation(names)] = np.arange(len(names)) % FOLDS
    fold, each, result = folds[cluster], shares(asked), asked.logprob[:, 0].copy()
    for count in np.unique(asked.options):
        for number in range(FOLDS):
            of = asked.options == count
            others, own = of & (fold != number), of & (fold == number)
            if others.any() and own.any():
                prior = np.maximum(each[others, :count].mean(0), LEAST)
                result[own, :count] -= np.log(prior)
    return result


def changed(single: Scored, way: Scored) -> Mapping[str, int]:
    """How many answers are others than in the one order, right ones for wrong ones and back."""
    answers = single.logprob.argmax(1) != way.logprob.argmax(1)
    return {
        "answers": int(answers.sum()),
        "gained": int((~single.correct & way.correct).sum()),
        "lost": int((single.correct & ~way.correct).sum()),
    }
