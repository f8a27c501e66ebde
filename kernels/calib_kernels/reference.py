"""The ops in plain PyTorch: the definition that the other backends are held to.

Axis legend: N rows, V vocabulary, O options, M spellings of an option, B bins. Sixteen-bit logits
are computed in float32, float32 in float32, float64 in float64. A logit of -inf has probability
exactly 0. One +inf is taken as the limit (its probability is 1); two make the row invalid, as does
any NaN or a row of -inf only.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import bins as binning
from calib_kernels.checks import LEAST_TEMPERATURE

_INF = float("inf")


def _scaled_gap(x: Tensor, top: Tensor, temperature: float | Tensor) -> Tensor:
    """(x - top) / T, which is 0 where x is top even if both are infinite."""
    return torch.where(x == top, 0.0, x - top) / temperature


def _entropy(log_p: Tensor, dim: int) -> Tensor:
    """-sum p log p in nats; what has probability 0 adds 0."""
    p = log_p.exp()
    return -torch.where(p == 0, 0.0, p * log_p).sum(dim)


def _widened(logits: Tensor, temperature: float | Tensor) -> tuple[Tensor, float | Tensor, Tensor]:
    """Logits in the dtype of the arithmetic; T, (N,) if a tensor; rows (N,) whose T is bad."""
    x = logits if logits.dtype == torch.float64 else logits.float()
    if not isinstance(temperature, Tensor):
        return x, temperature, torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
    t = temperature.to(x.dtype).expand(x.shape[0])
    return x, t, ~((t >= LEAST_TEMPERATURE) & t.isfinite())


def _beside(t: float | Tensor, axes: int) -> float | Tensor:
    """T (N,) with as many axes of length 1 behind it; a number as it is."""
    return t.reshape(-1, *(1,) * axes) if isinstance(t, Tensor) else t


class _Vocabulary(NamedTuple):
    """A row over its whole vocabulary: ln p = z - log_norm."""

    token: Tensor  # (N,) first argmax
    top: Tensor  # (N, 1) largest logit
    z: Tensor  # (N, V) logits over T, less the largest
    log_norm: Tensor  # (N, 1)
    broken: Tensor  # (N,) nothing can be said of the row


def _vocabulary(x: Tensor, t: float | Tensor, bad_t: Tensor) -> _Vocabulary:
    top = x.amax(1, keepdim=True)
    broken = x.isnan().any(1) | ((x == _INF).sum(1) > 1) | (top[:, 0] == -_INF) | bad_t
    z = _scaled_gap(x, top, _beside(t, 1))
    return _Vocabulary(x.argmax(1), top, z, z.logsumexp(1, keepdim=True), broken)


def _live(ids: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Which ids (N, O, M) count, repeats inside an option not; which rows (N,) hold a wrong id."""
    inside = (ids >= 0) & (ids < columns)
    wrong = (~inside & (ids != -1)).flatten(1).any(1)
    same = ids.unsqueeze(-1) == ids.unsqueeze(-2)
    repeat = same.tril(-1).any(-1)
    return inside & ~repeat, wrong


def option_scores(
    logits: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    vocab_mode: bool,
    ignore_index: int,
    bins: int,
) -> tuple[Tensor, ...]:
    """Scores of the options of each row; the fields of ``ops.OptionScores``, then the histogram.

    logits (N, V); option_ids (1 or N, O, M); labels (N,) or None; temperature a float or (1,) or
    (N,); bins 0 for no histogram. Without labels ``correct`` is empty.
    """
    rows, columns = logits.shape
    x, t, bad_t = _widened(logits, temperature)
    token, top, z, log_norm, broken = _vocabulary(x, t, bad_t)
    vocab_entropy = _entropy(z - log_norm, 1)

    # The options, relative to the best of them, so that a tiny mass costs no digits.
    ids = option_ids.expand(rows, -1, -1)
    live, wrong = _live(ids, columns)
    picked = x.gather(1, ids.clamp(0, columns - 1).flatten(1)).view(ids.shape)
    picked = torch.where(live, picked, -_INF)
    best = picked.amax((1, 2), keepdim=True)
    score = _scaled_gap(picked, best, _beside(t, 2)).masked_fill(~live, -_INF).logsumexp(2)
    best = best[:, :, 0]
    dead = best[:, 0] == -_INF
    total = score.logsumexp(1, keepdim=True)
    offset = _scaled_gap(best, top, _beside(t, 1)) - log_norm
    logprob = score + offset
    mass = (total + offset)[:, 0].exp().clamp(max=1.0)
    prob = (score - total).exp()
    entropy = _entropy(score - total, 1)
    prediction = score.argmax(1)
    chosen = logprob if vocab_mode else score - total
    confidence = chosen.gather(1, prediction[:, None])[:, 0].exp().clamp(max=1.0)

    # What cannot be said.
    nan = float("nan")
    lost = broken | wrong
    hopeless = lost | dead
    logprob = logprob.masked_fill(lost[:, None], nan)
    mass = mass.masked_fill(lost, nan)
    vocab_entropy = vocab_entropy.masked_fill(broken, nan)
    prob = prob.masked_fill(hopeless[:, None], nan)
    entropy = entropy.masked_fill(hopeless, nan)
    prediction = prediction.masked_fill(hopeless, 0)

    valid = ~hopeless
    if labels is None:
        correct = torch.empty(0, dtype=torch.bool, device=x.device)
        counted = valid
    else:
        ignored = labels == ignore_index
        valid = valid & (ignored | ((labels >= 0) & (labels < ids.shape[1])))
        correct = valid & ~ignored & (prediction == labels)
        counted = ~ignored
    confidence = confidence.masked_fill(~valid, nan)
    if bins:
        seen = histogram_delta(confidence, correct, None, bins, counted)
    else:
        seen = torch.empty(0, dtype=torch.int64, device=x.device)
    return (
        logprob,
        prob,
        mass,
        confidence,
        prediction,
        entropy,
        vocab_entropy,
        token,
        correct,
        valid,
        seen,
    )


def row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    bins: int,
) -> tuple[Tensor, ...]:
    """Statistics of each row; the fields of ``rows.RowStats``, then the histogram.

    Arguments as for ``option_scores``. Without labels ``label_logprob`` and ``correct`` are empty.
    """
    x, t, bad_t = _widened(logits, temperature)
    prediction, top, z, log_norm, broken = _vocabulary(x, t, bad_t)
    log_p = z - log_norm
    nan = float("nan")
    # A row of -inf only has a log-sum-exp, if nothing else.
    nothing = (top[:, 0] == -_INF) & ~bad_t
    lse = (top[:, 0] / t + log_norm[:, 0]).masked_fill(broken & ~nothing, nan)
    confidence = (-log_norm[:, 0]).exp().clamp(max=1.0)
    entropy = _entropy(log_p, 1).masked_fill(broken, nan)
    sum_p2 = log_p.exp().square().sum(1).clamp(max=1.0).masked_fill(broken, nan)

    valid = ~broken
    if labels is None:
        label_logprob = confidence.new_empty(0)
        correct = torch.empty(0, dtype=torch.bool, device=x.device)
        counted = valid
    else:
        ignored, there, at = _label_columns(labels, ignore_index, x.shape[1])
        said = valid & ~ignored & there
        label_logprob = log_p.gather(1, at)[:, 0].masked_fill(~said, nan)
        correct = said & (prediction == labels)
        valid = valid & (ignored | there)
        counted = ~ignored
    confidence = confidence.masked_fill(~valid, nan)
    if bins:
        seen = histogram_delta(confidence, correct, None, bins, counted)
    else:
        seen = torch.empty(0, dtype=torch.int64, device=x.device)
    return lse, confidence, prediction, entropy, sum_p2, label_logprob, correct, valid, seen


def _label_columns(
    labels: Tensor, ignore_index: int, columns: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (N,) to ignore, rows whose label is a column, and a column (N, 1) safe to read."""
    there = (labels >= 0) & (labels < columns)
    return labels == ignore_index, there, labels.clamp(0, columns - 1).to(torch.int64)[:, None]


def row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    d_lse: Tensor,
    d_entropy: Tensor,
    d_label_logprob: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Gradients of ``row_stats`` in logits (N, V) and in each row's temperature (N,).

    d_lse, d_entropy, d_label_logprob (N,) are those of the results. A result that is NaN sends
    nothing back, so that a loss over the rows that are valid, or have a label, has the gradients
    of those rows alone.
    """
    x, t, bad_t = _widened(logits, temperature)
    _token, top, z, log_norm, broken = _vocabulary(x, t, bad_t)
    log_p = z - log_norm
    p = log_p.exp()
    d_lse = d_lse.to(x.dtype)[:, None]
    # What each result sends to x / T.
    surprise = torch.where(p == 0, 0.0, log_p + _entropy(log_p, 1)[:, None])
    back = p * (d_lse - d_entropy.to(x.dtype)[:, None] * surprise)
    if labels is not None and d_label_logprob is not None:
        ignored, there, at = _label_columns(labels, ignore_index, x.shape[1])
        given = d_label_logprob.to(x.dtype).masked_fill(ignored | ~there, 0.0)[:, None]
        back = (back - given * p).scatter_add(1, at, given)
    back = (back / _beside(t, 1)).masked_fill(broken[:, None], 0.0)
    # d/dT of f(x / T) is -x.f'(x / T) / T^2; taken from the largest logit, so that an offset
    # common to the row, which only lse can see, costs no digits.
    moment = torch.where(back == 0, 0.0, back * (x - top)).sum(1)
    shared = torch.where(d_lse == 0, 0.0, d_lse * top)[:, 0]
    d_t = -(moment + shared / t) / t
    return back.to(logits.dtype), d_t.masked_fill(broken, 0.0)


def histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, bins: int, counted: Tensor | None
) -> Tensor:
    """What N rows add to a histogram of B bins: int64 (3B + 1,), laid out as in ``bins``.

    confidence (N,) float32 or float64; correct, valid, counted (N,) bool. A confidence that is NaN
    or outside [0, 1], or a row that is not valid, adds to the invalid counter only; a row that is
    not counted adds nothing.
    """
    usable = (confidence >= 0) & (confidence <= 1)
    if valid is not None:
        usable = usable & valid
    weight = torch.ones_like(usable) if counted is None else counted
    c = torch.where(usable, confidence, 0.0)
    table = binning.edges(bins, c.dtype, c.device)
    index = torch.bucketize(c, table, right=True)  # the number of edges <= c
    index = torch.where(usable, index, bins)
    fixed = (c * binning.SCALE).to(torch.int64)
    sums = torch.zeros(3, bins + 1, dtype=torch.int64, device=c.device)
    for row, amount in enumerate((torch.ones_like(fixed), correct.to(torch.int64), fixed)):
        sums[row].index_add_(0, index, amount * weight)
    return torch.cat((sums[:, :bins].flatten(), sums[0, bins:]))
