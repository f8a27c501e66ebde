"""``linear_option_scores``: scores of options from hidden states, without the logits.

    logits = hidden weight^T + bias        then as ``option_scores``

Some whole rows of logits at a time, which the row kernels read once. Where nothing of the whole
vocabulary is wanted, only the rows of the weight that spell an option are read: their logits are a
vocabulary of their own, of O M columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from calib_kernels import bins as binning
from calib_kernels import checks, dispatch
from calib_kernels import lm_head_tiles as tiles
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops import OptionScores

# Fields of OptionScores that say something of the whole vocabulary.
OF_THE_VOCABULARY = ("logprob", "mass", "vocab_entropy", "token")


def _outputs(
    hidden: Tensor, weight: Tensor, options: int, labelled: bool, bins: int, vocabulary: bool
) -> tuple[Tensor, ...]:
    """The fields of OptionScores and a histogram of no rows; what is absent is empty."""
    n, real = hidden.shape[0], tiles.sums_dtype(weight)
    shapes = {"logprob": (n, options), "prob": (n, options)}
    dtypes = {"prediction": torch.int64, "token": torch.int64}
    dtypes |= {"correct": torch.bool, "valid": torch.bool}
    absent = () if vocabulary else OF_THE_VOCABULARY
    absent = absent if labelled else (*absent, "correct")
    fields = (
        hidden.new_empty(0 if f in absent else shapes.get(f, (n,)), dtype=dtypes.get(f, real))
        for f in OptionScores._fields
    )
    seen = hidden.new_zeros(binning.length(bins) if bins else 0, dtype=torch.int64)
    return *fields, seen


def _linear_option_scores(
    hidden: Tensor,
    weight: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    confidence: str,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    vocabulary: bool,
) -> tuple[Tensor, ...]:
    checks.host_option_ids(option_ids, vocab_size)
    rows, options = hidden.shape[0], option_ids.shape[1]
    out = _outputs(hidden, weight, options, labels is not None, bins, vocabulary)
    ids = option_ids.to(hidden.device)
    weight = weight[:vocab_size]
    bias = None if bias is None else bias[:vocab_size]
    t = None if row_temperature is None else row_temperature.expand(rows)
    if vocabulary:
        step = tiles.rows_at_once(weight, rows)
        logits = tiles.buffer(weight, step, vocab_size)[:, :vocab_size]
    else:
        step = _gathered_at_once(weight, ids)
    with torch.autocast(hidden.device.type, enabled=False):
        for some in tiles.parts(rows, step):
            own = ids if ids.shape[0] == 1 else ids[some]
            if vocabulary:
                x = tiles.multiply(hidden[some], weight, bias, logits[: some.stop - some.start])
            else:
                x, own = _logits_of_options(hidden[some], weight, bias, own)
            *found, delta = torch.ops.calib_kernels.option_scores(
                x,
                own,
                None if labels is None else labels[some],
                temperature,
                None if t is None else t[some],
                confidence,
                ignore_index,
                x.shape[1],
                bins,
            )
            for field, value in zip(out, found, strict=False):
                if field.shape[0]:
                    field[some] = value
            if bins:
                out[-1].add_(delta)
    return out


def _gathered_at_once(weight: Tensor, ids: Tensor) -> int:
    """How many rows of hidden states are multiplied by the rows of the weight of their options."""
    size = ids.shape[1] * ids.shape[2] * tiles.sums_dtype(weight).itemsize
    if ids.shape[0] > 1:
        size *= weight.shape[1]
    return max(1, tiles.budget(weight).logits // size)


def _logits_of_options(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, ids: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (N, O M) of the tokens that spell the options, and which of them each option has.

    ids (1 or N, O, M) as ``option_scores`` takes them, which tells repeats, padding and wrong ids.
    """
    count = ids.shape[1] * ids.shape[2]
    there = (ids >= 0) & (ids < weight.shape[0])
    flat = ids.clamp(0, weight.shape[0] - 1).flatten(1)
    dtype = tiles.logits_dtype(weight)
    if ids.shape[0] == 1:
        own = None if bias is None else bias[flat[0]]
        x = hidden.new_empty((hidden.shape[0], count), dtype=dtype)
        tiles.multiply(hidden, weight[flat[0]], own, x)
    else:
        x = torch.bmm(weight[flat].to(dtype), hidden.to(dtype)[:, :, None])[:, :, 0]
        if bias is not None:
            x = x + bias[flat].to(dtype)
    x = x.masked_fill(~there.flatten(1), -torch.inf)
    # Inside an option a token counts once.
    repeat = (ids.unsqueeze(-1) == ids.unsqueeze(-2)).tril(-1).any(-1)
    place = torch.arange(count, device=ids.device).view(1, *ids.shape[1:])
    own_ids = torch.where(there & ~repeat, place, -1)
    return x, torch.where(there | (ids == -1), own_ids, count)  # no such column


def _fake_linear_option_scores(
    hidden: Tensor,
    weight: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    confidence: str,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    vocabulary: bool,
) -> tuple[Tensor, ...]:
    return _outputs(hidden, weight, option_ids.shape[1], labels is not None, bins, vocabulary)


_linear_option_scores_op = dispatch.register(
    "linear_option_scores",
    "(Tensor hidden, Tensor weight, Tensor option_ids, Tensor? labels, Tensor? bias, "
    "float temperature, Tensor? row_temperature, str confidence, int ignore_index, "
    "SymInt vocab_size, int bins, bool vocabulary) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _linear_option_scores,
    _fake_linear_option_scores,
)


def linear_option_scores(
    hidden: Tensor,
    weight: Tensor,
    option_ids: Tensor | Sequence[Any],
    labels: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    temperature: float | Tensor = 1.0,
    confidence: str = "options",
    ignore_index: int = -100,
    vocab_size: int | None = None,
    vocabulary: bool = True,
    histogram: CalibrationHistogram | None = None,
) -> OptionScores:
    """Score the options of N multiple-choice questions from the hidden states of their answers.

    logits = hidden weight^T + bias, with hidden (N, H), weight (V, H), bias (V,) of one dtype; the
    rest as for ``option_scores``. All the logits never exist together. With ``vocabulary=False``
    only the rows of the weight that spell an option are read: ``logprob``, ``mass``,
    ``vocab_entropy`` and ``token`` are None, ``confidence`` must be "options", and nothing is said
    of logits that belong to no option. No gradient flows.
    """
    hidden, weight, bias = tiles.cast(hidden, weight, bias)
    rows, columns = hidden.shape[0], weight.shape[0]
    size = checks.vocab_size(vocab_size, columns)
    ids = checks.option_ids(option_ids, rows)
    wanted = checks.labels(labels, rows)
    number, row_temperature = checks.temperature(temperature, rows)
    mode = checks.confidence_mode(confidence)
    if mode == "vocab" and not vocabulary:
        raise ValueError("confidence='vocab' needs vocabulary=True, got vocabulary=False")
    if wanted is not None:
        wanted = wanted.to(hidden.device)
    elif histogram is not None:
        raise ValueError("histogram needs labels, got labels=None")
    if row_temperature is not None:
        row_temperature = row_temperature.to(hidden.device)
    bins = 0 if histogram is None else histogram.bins
    direct = not (dispatch.traced(hidden) or dispatch.traced(weight))
    run = _linear_option_scores if direct else _linear_option_scores_op
    *found, seen = run(
        hidden.detach(), weight.detach(), ids, wanted, None if bias is None else bias.detach(),
        number, row_temperature, mode, ignore_index, size, bins, vocabulary,
    )  # fmt: skip
    if histogram is not None:
        histogram.add(seen)
    absent = set() if vocabulary else set(OF_THE_VOCABULARY)
    if wanted is None:
        absent.add("correct")
    pairs = zip(OptionScores._fields, found, strict=True)
    fields: list[Any] = [None if name in absent else value for name, value in pairs]
    return OptionScores(*fields)
