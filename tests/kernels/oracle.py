"""Scores and statistics of one row in decimal arithmetic of 40 digits, from the definitions.

It shares no code with any backend, and neither underflows nor cancels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

import torch
from torch import Tensor


@dataclass
class Row:
    logprob: list[float]
    prob: list[float]
    mass: float
    prediction: int
    entropy: float
    vocab_entropy: float
    token: int


def log(p: Decimal) -> float:
    return float(p.ln()) if p > 0 else -math.inf


def entropy(p: list[Decimal]) -> float:
    return float(-sum(q * q.ln() for q in p if q > 0))


def option_row(logits: list[float], options: list[list[int]], temperature: float = 1.0) -> Row:
    """For rows of finite logits and -inf; padding is left out of ``options``."""
    with localcontext(Context(prec=40, Emin=-(10**9), Emax=10**9)):
        weight = [(Decimal(x) / Decimal(temperature)).exp() for x in logits]
        total = sum(weight)
        share = [sum((weight[i] for i in set(ids)), Decimal(0)) for ids in options]
        mass = sum(share)
        prob = [s / mass for s in share]
        return Row(
            logprob=[log(s / total) for s in share],
            prob=[float(p) for p in prob],
            mass=float(mass / total),
            prediction=prob.index(max(prob)),
            entropy=entropy(prob),
            vocab_entropy=entropy([w / total for w in weight]),
            token=logits.index(max(logits)),
        )


@dataclass
class Stats:
    lse: float
    confidence: float
    entropy: float
    sum_p2: float
    logprob: list[float]


def stats_row(logits: list[float], temperature: float = 1.0) -> Stats:
    """For rows of finite logits and -inf."""
    with localcontext(Context(prec=40, Emin=-(10**9), Emax=10**9)):
        weight = [(Decimal(x) / Decimal(temperature)).exp() for x in logits]
        total = sum(weight)
        p = [w / total for w in weight]
        return Stats(
            lse=log(total),
            confidence=float(max(p)),
            entropy=entropy(p),
            sum_p2=float(sum(q * q for q in p)),
            logprob=[log(q) for q in p],
        )


def close(found: Tensor, expected: float | list[float]) -> None:
    # Sixteen digits less what the exponent of a logit of thousands, or a long sum, may lose.
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-13, equal_nan=True
    )
