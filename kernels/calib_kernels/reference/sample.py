"""Draws from the rows of logits, by inverse distribution function on two levels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import philox
from calib_kernels.reference.vocabulary import entropy_of, vocabulary, widened

# Logits of a block: first a block is drawn, then a token in it. Part of the contract: another size
# would draw other tokens.
BLOCK = 4096


def survivors(
    x: Tensor, weight: Tensor, gap: Tensor, top_k: int, top_p: float, min_p: float
) -> Tensor:
    """Which tokens (N, V) bool the filters leave; of equal logits, the lowest ids come first.

    weight (N, V) is p up to a factor of the row; gap (N, 1) or () is T ln(min_p).
    """
    order = x.argsort(dim=1, descending=True, stable=True)
    ranked = weight.gather(1, order)
    rank = torch.arange(x.shape[1], device=x.device)
    keep = torch.ones_like(x, dtype=torch.bool)
    if 0 < top_k < x.shape[1]:
        keep &= rank < top_k
    if top_p < 1:
        mass = ranked.where(keep, 0.0).cumsum(1)
        before = torch.cat((torch.zeros_like(mass[:, :1]), mass[:, :-1]), 1)
        keep &= before < top_p * mass[:, -1:]
    if min_p > 0:
        ordered = x.gather(1, order)
        keep &= ordered - ordered[:, :1] >= gap
    keep[:, 0] = True  # whatever rounding or an infinite logit made of it
    return torch.empty_like(keep).scatter_(1, order, keep)


def choose(weight: Tensor, u: Tensor) -> Tensor:
    """The first place (...) of weight (..., n) whose sum up to it exceeds u (...) of the whole."""
    total = weight.cumsum(-1)
    there = weight > 0
    beyond = there & (total > u[..., None] * total[..., -1:])
    last = weight.shape[-1] - 1 - there.flip(-1).to(torch.uint8).argmax(-1)
    return torch.where(beyond.any(-1), beyond.to(torch.uint8).argmax(-1), last)


def draw(weight: Tensor, u: Tensor) -> Tensor:
    """Tokens (N, S) of weight (N, V): a block by u[..., 0], then a token in it by u[..., 1]."""
    rows, columns = weight.shape
    blocks = math.ceil(columns / BLOCK)
    width = min(BLOCK, columns)
    padded = weight.new_zeros(rows, blocks * width)
    padded[:, :columns] = weight
    padded = padded.reshape(rows, blocks, width)
    block = choose(padded.sum(2)[:, None].expand(-1, u.shape[1], -1), u[..., 0])
    row = torch.arange(rows, device=weight.device)[:, None]
    return block * BLOCK + choose(padded[row, block], u[..., 1])


class Filtered(NamedTuple):
    """A row in float64, and what its filters leave of it."""

    token: Tensor  # (N,) first argmax
    z: Tensor  # (N, V) logits over T, less the largest
    log_norm: Tensor  # (N, 1) of the unfiltered distribution: ln p = z - log_norm
    broken: Tensor  # (N,) nothing can be said of the row
    weight: Tensor  # (N, V) exp(z), 0 where a filter removes the token


def filtered(
    logits: Tensor, temperature: float | Tensor, top_k: int, top_p: float, min_p: float
) -> Filtered:
    narrow, t, bad_t = widened(logits, temperature)
    wide_t = t.double() if isinstance(t, Tensor) else t
    token, _top, z, log_norm, broken = vocabulary(narrow.double(), wide_t, bad_t)
    weight = z.exp()
    if min_p > 0 or top_p < 1 or 0 < top_k < narrow.shape[1]:
        # In the dtype of the row, so that every backend cuts at the same logit.
        log_min_p = math.log(min_p) if min_p else -math.inf
        host = 1.0 if isinstance(t, Tensor) else t
        gap = torch.tensor(host * log_min_p, dtype=narrow.dtype, device=narrow.device)
        if isinstance(wide_t, Tensor):
            gap = (wide_t[:, None] * gap).to(narrow.dtype)
        weight = weight.where(survivors(narrow, weight, gap, top_k, top_p, min_p), 0.0)
    return Filtered(token, z, log_norm, broken, weight)


def sample(
    logits: Tensor,
    sample: Tensor,
    item: Tensor,
    step: Tensor,
    uniforms: Tensor | None,
    seed: int,
    temperature: float | Tensor,
    top_k: int,
    top_p: float,
    min_p: float,
    greedy: bool,
) -> tuple[Tensor, ...]:
    """The fields of ``sampling.Sample``, (N, S) each; probabilities in float64.

    sample (N, S), item and step (1 or N,), uniforms (N, S, 2); see ``sampling`` for the rest.
    """
    row = filtered(logits, temperature, top_k, top_p, min_p)
    if uniforms is None:
        uniforms = philox.uniforms(seed, item[:, None], sample, step[:, None])
    settled = (row.broken | greedy)[:, None]
    tokens = torch.where(settled, row.token[:, None], draw(row.weight, uniforms))
    log_p = row.z - row.log_norm
    logprob = (row.z.gather(1, tokens) - row.weight.sum(1, keepdim=True).log()).clamp(max=0.0)
    entropy = entropy_of(log_p, 1)[:, None].expand_as(sample)
    real = torch.float64 if logits.dtype == torch.float64 else torch.float32
    fields = (
        field.masked_fill(row.broken[:, None], math.nan).to(real)
        for field in (logprob, log_p.gather(1, tokens), entropy)
    )
    return tokens, *fields, ~row.broken[:, None].expand_as(sample)
