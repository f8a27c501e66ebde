"""Scores of the options of a question."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels.reference.histogram_delta import histogram_delta
from calib_kernels.reference.vocabulary import (
    INF,
    Vocabulary,
    beside,
    entropy_of,
    scaled_gap,
    vocabulary,
    widened,
)


def live_ids(ids: Tensor, columns: int) -> tuple[Tensor, Tensor]:
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
    """Scores of the options of each row; the fields of ``OptionScores``, then the histogram.

    logits (N, V); option_ids (1 or N, O, M); labels (N,) or None; temperature a float or (1,) or
    (N,); bins 0 for no histogram. Without labels ``correct`` is empty.
    """
    rows, columns = logits.shape
    x, t, bad_t = widened(logits, temperature)
    row = vocabulary(x, t, bad_t)
    ids = option_ids.expand(rows, -1, -1)
    live, wrong = live_ids(ids, columns)
    picked = x.gather(1, ids.clamp(0, columns - 1).flatten(1)).view(ids.shape)
    vocab_entropy = entropy_of(row.z - row.log_norm, 1)
    *found, counted = scores_of(
        picked, live, wrong, t, row, vocab_entropy, labels, vocab_mode, ignore_index
    )
    seen = histogram_delta(found[3], found[8], None, bins, counted)
    return *found, seen


def scores_of(
    picked: Tensor,
    live: Tensor,
    wrong: Tensor,
    t: float | Tensor,
    row: Vocabulary,
    vocab_entropy: Tensor,
    labels: Tensor | None,
    vocab_mode: bool,
    ignore_index: int,
) -> tuple[Tensor, ...]:
    """The fields of ``OptionScores``, then which rows (N,) a histogram counts.

    picked (N, O, M): logits of the tokens that spell the options, of which those count that are
    ``live``; of ``row`` its z is not read. Rows that are ``wrong`` hold an id that there is not.
    """
    token, top, _z, log_norm, broken = row
    # The options, relative to the best of them, so that a tiny mass costs no digits.
    picked = torch.where(live, picked, -INF)
    best = picked.amax((1, 2), keepdim=True)
    # In order, so that options with the same logits tie however their spellings stand.
    terms = scaled_gap(picked, best, beside(t, 2)).masked_fill(~live, -INF).sort(2).values
    score = terms.logsumexp(2)
    best = best[:, :, 0]
    dead = best[:, 0] == -INF
    total = score.logsumexp(1, keepdim=True)
    offset = scaled_gap(best, top, beside(t, 1)) - log_norm
    logprob = score + offset
    mass = (total + offset)[:, 0].exp().clamp(max=1.0)
    prob = (score - total).exp()
    entropy = entropy_of(score - total, 1)
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
        correct = torch.empty(0, dtype=torch.bool, device=picked.device)
        counted = valid
    else:
        ignored = labels == ignore_index
        valid = valid & (ignored | ((labels >= 0) & (labels < live.shape[1])))
        correct = valid & ~ignored & (prediction == labels)
        counted = ~ignored
    confidence = confidence.masked_fill(~valid, nan)
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
        counted,
    )
