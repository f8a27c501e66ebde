"""``option_scores``: ten fields of every row, for four options of one token each."""

from __future__ import annotations

from typing import Any

import torch
from calib_kernels import CalibrationHistogram, option_scores
from torch import Tensor

from bench.cases import BINS, Case, Compiler, Given, Op, Run, close, normal_logits
from bench.ops.ece import plain_histogram

OPTIONS = 4  # A, B, C, D


def option_ids(columns: int, device: torch.device) -> Tensor:
    """(O,) scattered over the vocabulary."""
    ids = [columns * k // (OPTIONS + 1) for k in range(1, OPTIONS + 1)]
    return torch.tensor(ids, device=device)


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V), option ids (O,) and labels (N,)."""
    logits = normal_logits(case, device, generator)
    labels = torch.randint(OPTIONS, (case.rows,), generator=generator, device=device)
    return logits, option_ids(case.columns, device), labels


def ours(case: Case) -> Run:
    histogram = CalibrationHistogram(BINS) if case.mode == "histogram" else None
    return lambda logits, ids, labels: option_scores(logits, ids, labels, histogram=histogram)


def plain_scores(logits: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The fields of ``OptionScores`` as one would write them: float32 log_softmax, gather,
    entropies, argmax. No care for NaN, infinities or spellings."""
    logp = torch.log_softmax(logits, 1, dtype=torch.float32)
    logprob = logp.index_select(1, ids)
    log_mass = logprob.logsumexp(1, keepdim=True)
    inner = logprob - log_mass
    prob = inner.exp()
    confidence, prediction = prob.max(1)
    entropy = -(prob * inner).sum(1)
    vocab_entropy = -(logp.exp() * logp).sum(1)
    token = logits.argmax(1)
    correct = prediction == labels
    mass = log_mass[:, 0].exp()
    valid = confidence == confidence
    return (
        logprob, prob, mass, confidence, prediction, entropy, vocab_entropy, token, correct, valid,
    )  # fmt: skip


def plain(case: Case, compiled: Compiler) -> Run:
    def run(logits: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        found = plain_scores(logits, ids, labels)
        return (*found, plain_histogram(found[3], found[8])) if case.mode == "histogram" else found

    return compiled(run)


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    for field in range(8):
        close(found[field], expected[field])


def result_bytes(rows: int) -> int:
    """(N, O) twice, then four reals, two integers and two flags a row."""
    return rows * (8 * OPTIONS + 4 * 4 + 8 * 2 + 2)


def moved_bytes(case: Case) -> int:
    """Logits and labels once, the results once."""
    return case.logit_bytes + case.rows * 8 + result_bytes(case.rows)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    modes=("", "histogram"),
)
