"""Likelihood at several temperatures, with its derivatives in the inverse temperature."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_kernels.reference.histogram_delta import histogram_delta
from calib_kernels.reference.option_scores import live_ids
from calib_kernels.reference.vocabulary import INF, beside, scaled_gap, widened


def _moments(q: Tensor, away: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (N,) of ``away`` under the weights ``q``, both (N, C); q sums to 1."""
    mean = torch.where(q == 0, 0.0, q * away).sum(1)
    spread = torch.where(q == 0, 0.0, q * (away - mean[:, None]).square()).sum(1)
    return mean, spread


def _gathered(x: Tensor, option_ids: Tensor) -> tuple[Tensor, Tensor]:
    """The options' logits (N, O, M), -inf for what does not count, and rows with a wrong id.

    In order, so that options with the same logits tie however their spellings stand.
    """
    ids = option_ids.expand(x.shape[0], -1, -1)
    live, wrong = live_ids(ids, x.shape[1])
    picked = x.gather(1, ids.clamp(0, x.shape[1] - 1).flatten(1)).view(ids.shape)
    return torch.where(live, picked, -INF).sort(2).values, wrong


def temperature_sweep(
    logits: Tensor,
    option_ids: Tensor | None,
    labels: Tensor,
    temperatures: Tensor,
    ignore_index: int,
    bins: int,
    derivatives: int,
) -> tuple[Tensor, ...]:
    """Sums over the counted rows: nll, grad, hess (K,) float64, count () int64, histograms.

    logits (N, V); option_ids (1 or N, O, M) or None; labels (N,); temperatures (K,), unusable ones
    give NaN. Derivatives that were not asked for are empty; histograms are (K, 3B + 1), or empty
    for bins 0. A column of the vocabulary is an option of one spelling.
    """
    x, _, _ = widened(logits, 1.0)
    if option_ids is None:
        picked, lost = x[:, :, None], torch.zeros_like(labels, dtype=torch.bool)
    else:
        picked, lost = _gathered(x, option_ids)
    every = picked.flatten(1)
    top = every.amax(1, keepdim=True)
    lost = lost | every.isnan().any(1) | ((every == INF).sum(1) > 1) | (top[:, 0] == -INF)
    ignored = labels == ignore_index
    there = (labels >= 0) & (labels < picked.shape[1])
    counted = ~lost & ~ignored & there
    at = labels.clamp(0, picked.shape[1] - 1).to(torch.int64)
    gold = picked[torch.arange(len(x), device=x.device), at]  # (N, M)
    # Differences from the largest logit, so that an offset common to the row costs no digits.
    away = torch.where(every == top, 0.0, every - top)
    # The label's spellings from the best of them, for the same reason.
    best = gold.amax(1, keepdim=True)
    gold_away = torch.where(gold == best, 0.0, gold - best)
    gold_place = torch.where(best == top, 0.0, best - top)[:, 0]

    def total(values: Tensor, bad: Tensor) -> Tensor:
        """In float64, over the counted rows."""
        summed = torch.where(counted, values, 0.0).double().sum()
        return summed.masked_fill(bad, float("nan"))

    sums: list[list[Tensor]] = [[], [], []]
    seen = []
    for temperature in temperatures:
        _, t, bad = widened(logits, temperature.to(x.dtype))
        wrong = bad.new_tensor(False) if len(bad) == 0 else bad[0]
        score = scaled_gap(picked, top[:, :, None], beside(t, 2)).logsumexp(2)
        log_norm = score.logsumexp(1, keepdim=True)
        gold_score = score.gather(1, at[:, None])
        sums[0].append(total((log_norm - gold_score)[:, 0], wrong))
        if derivatives:
            mean, spread = _moments((away / beside(t, 1) - log_norm).exp(), away)
            own = (gold_away / beside(t, 1)).softmax(1)
            own_mean, own_spread = _moments(own, gold_away)
            sums[1].append(total(mean - (gold_place + own_mean), wrong))
            sums[2].append(total(spread - own_spread, wrong))
        if bins:
            prediction = every.argmax(1) if gold.shape[1] == 1 else score.argmax(1)
            confidence = (score.gather(1, prediction[:, None]) - log_norm)[:, 0].exp().clamp(max=1)
            confidence = confidence.masked_fill(~counted | bad, float("nan"))
            correct = counted & (prediction == labels)
            seen.append(histogram_delta(confidence, correct, None, bins, ~ignored))
    nothing = torch.empty(0, dtype=torch.float64, device=x.device)
    nll, grad, hess = (torch.stack(of) if of else nothing.clone() for of in sums)
    histograms = torch.stack(seen) if bins else nothing.to(torch.int64)
    return nll, grad, hess if derivatives == 2 else nothing, counted.sum(), histograms
