"""``row_stats``: eight fields of every row, with or without the histogram in the same pass."""

from __future__ import annotations

from typing import Any

import torch
from calib_kernels import CalibrationHistogram, row_stats
from torch import Tensor

from bench import cases
from bench.cases import (
    BINS,
    Case,
    Compiler,
    Given,
    Op,
    Rival,
    Run,
    close,
    normal_logits,
    random_labels,
)
from bench.ops.ece import plain_histogram


def inputs(case: Case, device: torch.device, generator: torch.Generator) -> Given:
    """Logits (N, V) and labels (N,)."""
    logits = normal_logits(case, device, generator)
    return logits, random_labels(case, device, generator)


def ours(case: Case) -> Run:
    histogram = CalibrationHistogram(BINS) if case.mode == "histogram" else None
    return lambda logits, labels: row_stats(logits, labels, histogram=histogram)


def plain_stats(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The fields of ``RowStats`` as one would write them. No care for special rows."""
    logp = torch.log_softmax(logits, 1, dtype=torch.float32)
    log_confidence, prediction = logp.max(1)
    p = logp.exp()
    # What log_softmax took off, without a pass of its own.
    lse = logits.gather(1, prediction[:, None])[:, 0].float() - log_confidence
    label_logprob = logp.gather(1, labels[:, None])[:, 0]
    confidence = log_confidence.exp()
    return (
        lse, confidence, prediction, -(p * logp).sum(1), p.square().sum(1), label_logprob,
        prediction == labels, confidence == confidence,
    )  # fmt: skip


def lean_stats(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The same with as little work as PyTorch allows: one exponential a logit, nothing stored."""
    x = logits.float()
    largest, prediction = x.max(1)
    z = x - largest[:, None]
    e = z.exp()
    total = e.sum(1)
    log_total = total.log()
    lse = largest + log_total
    label_logprob = x.gather(1, labels[:, None])[:, 0] - lse
    confidence = 1 / total
    return (
        lse, confidence, prediction, log_total - (e * z).sum(1) / total,
        e.square().sum(1) / total.square(), label_logprob, prediction == labels,
        confidence == confidence,
    )  # fmt: skip


def plain(case: Case, compiled: Compiler) -> Run:
    def run(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        found = plain_stats(logits, labels)
        return (*found, plain_histogram(found[1], found[6])) if case.mode == "histogram" else found

    return compiled(run)


def agree(case: Case, given: Given, found: Any, expected: Any) -> None:
    for field in range(6):
        close(found[field], expected[field])


def moved_bytes(case: Case) -> int:
    """Logits and labels once; five reals, an integer and two flags a row."""
    return case.logit_bytes + case.rows * (8 + 4 * 5 + 8 + 2)


OP = Op(
    inputs=inputs,
    ours=ours,
    plain=plain,
    agree=agree,
    moved_bytes=moved_bytes,
    modes=("", "histogram"),
    rivals={
        "compile, lean": Rival(lambda case: cases.compiler(case)(lean_stats), modes=("",)),
    },
)
