"""A row of logits over its whole vocabulary: what every op begins with."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels.checks import LEAST_TEMPERATURE

INF = float("inf")
LN2 = math.log(2)


def scaled_gap(x: Tensor, top: Tensor, temperature: float | Tensor) -> Tensor:
    """(x - top) / T, which is 0 where x is top even if both are infinite."""
    return torch.where(x == top, 0.0, x - top) / temperature


def entropy_of(log_p: Tensor, dim: int) -> Tensor:
    """-sum p log p in nats; what has probability 0 adds 0."""
    p = log_p.exp()
    return -torch.where(p == 0, 0.0, p * log_p).sum(dim)


def widened(logits: Tensor, temperature: float | Tensor) -> tuple[Tensor, float | Tensor, Tensor]:
    """Logits in the dtype of the arithmetic; T, (N,) if a tensor; rows (N,) whose T is bad."""
    x = logits if logits.dtype == torch.float64 else logits.float()
    if not isinstance(temperature, Tensor):
        return x, temperature, torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
    t = temperature.to(x.dtype).expand(x.shape[0])
    return x, t, ~((t >= LEAST_TEMPERATURE) & t.isfinite())


def beside(t: float | Tensor, axes: int) -> float | Tensor:
    """T (N,) with as many axes of length 1 behind it; a number as it is."""
    return t.reshape(-1, *(1,) * axes) if isinstance(t, Tensor) else t


class Vocabulary(NamedTuple):
    """A row over its whole vocabulary: ln p = z - log_norm."""

    token: Tensor  # (N,) first argmax
    top: Tensor  # (N, 1) largest logit
    z: Tensor  # (N, V) logits over T, less the largest
    log_norm: Tensor  # (N, 1)
    broken: Tensor  # (N,) nothing can be said of the row


def vocabulary(x: Tensor, t: float | Tensor, bad_t: Tensor) -> Vocabulary:
    top = x.amax(1, keepdim=True)
    broken = x.isnan().any(1) | ((x == INF).sum(1) > 1) | (top[:, 0] == -INF) | bad_t
    z = scaled_gap(x, top, beside(t, 1))
    return Vocabulary(x.argmax(1), top, z, z.logsumexp(1, keepdim=True), broken)


def label_columns(labels: Tensor, ignore_index: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (N,) to ignore, rows whose label is a column, and a column (N, 1) safe to read."""
    there = (labels >= 0) & (labels < columns)
    return labels == ignore_index, there, labels.clamp(0, columns - 1).to(torch.int64)[:, None]


def head_logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """hidden (N, H) weight (V, H)^T + bias (V,): (N, V) float32, float64 for float64."""
    wide = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    logits = hidden.to(wide) @ weight.to(wide).T
    return logits if bias is None else logits + bias.to(wide)
