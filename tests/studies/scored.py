"""Rows of logits as the arrays that summaries take."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.summary.rows import Scored


def scored_of(logits: Any, labels: Any) -> Scored:
    """(N, O) logits and (N,) right options, every question a cluster of its own."""
    number, options = logits.shape
    logprob = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    nothing = np.full(number, "")
    return Scored(
        confidence=np.exp(logprob).max(axis=1),
        correct=logprob.argmax(axis=1) == labels,
        answer=np.asarray(labels),
        logprob=logprob,
        mass=np.ones(number),
        parsed=np.ones(number, bool),
        cluster=np.arange(number),
        group=nothing,
        task=nothing,
        classes=np.tile(np.arange(options), (number, 1)),
        vocabulary=False,
    )
