"""The registry: every op that is benched, one file each."""

from __future__ import annotations

from bench.cases import Op
from bench.ops import (
    answers,
    cross_entropy,
    ece,
    linear_cross_entropy,
    linear_option_scores,
    linear_sample,
    option_scores,
    orders,
    row_stats,
    sample,
    scoring,
    temperature_fit,
    temperature_sweep,
    training_step,
)

OPS: dict[str, Op] = {
    "row_stats": row_stats.OP,
    "option_scores": option_scores.OP,
    "cross_entropy": cross_entropy.OP,
    "temperature_sweep": temperature_sweep.OP,
    "temperature_fit": temperature_fit.OP,
    "sample": sample.OP,
    "ece": ece.OP,
    "linear_cross_entropy": linear_cross_entropy.OP,
    "linear_option_scores": linear_option_scores.OP,
    "linear_sample": linear_sample.OP,
    "scoring": scoring.OP,
    "training_step": training_step.OP,
    "answers": answers.OP,
    "orders": orders.OP,
}
