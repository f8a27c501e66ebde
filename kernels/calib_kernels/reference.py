"""The ops in plain PyTorch: the definition that the other backends are held to.

Axis legend: N rows, V vocabulary, O options, M spellings of an option, B bins. Sixteen-bit logits
are computed in float32, float32 in float32, float64 in float64. A logit of -inf has probability
exactly 0. One +inf is taken as the limit (its probability is 1); two make the row invalid, as does
any NaN or a row of -inf only.
"""

from __future__ import annotations

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
    x = logits if logits.dtype == torch.float64 else logits.float()
    if isinstance(temperature, Tensor):
        t = temperature.to(x.dtype).expand(rows)
        bad_t = ~((t >= LEAST_TEMPERATURE) & t.isfinite())
        t_row: float | Tensor = t[:, None]
        t_option: float | Tensor = t[:, None, None]
    else:
        bad_t = torch.zeros(rows, dtype=torch.bool, device=x.device)
        t_row = t_option = temperature

    # The whole vocabulary.
    token = x.argmax(1)
    top = x.amax(1, keepdim=True)
    broken = x.isnan().any(1) | ((x == _INF).sum(1) > 1) | (top[:, 0] == -_INF) | bad_t
    z = _scaled_gap(x, top, t_row)
    log_norm = z.logsumexp(1, keepdim=True)
    vocab_entropy = _entropy(z - log_norm, 1)

    # The options, relative to the best of them, so that a tiny mass costs no digits.
    ids = option_ids.expand(rows, -1, -1)
    live, wrong = _live(ids, columns)
    picked = x.gather(1, ids.clamp(0, columns - 1).flatten(1)).view(ids.shape)
    picked = torch.where(live, picked, -_INF)
    best = picked.amax((1, 2), keepdim=True)
    score = _scaled_gap(picked, best, t_option).masked_fill(~live, -_INF).logsumexp(2)
    best = best[:, :, 0]
    dead = best[:, 0] == -_INF
    total = score.logsumexp(1, keepdim=True)
    offset = _scaled_gap(best, top, t_row) - log_norm
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
