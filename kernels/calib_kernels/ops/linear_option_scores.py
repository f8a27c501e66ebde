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

from calib_kernels import checks, dispatch, heads, tiles
from calib_kernels.heads import Head
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops import option_scores as whole
from calib_kernels.ops.option_scores import TABLE, OptionScores
from calib_kernels.results import present

# Fields of OptionScores that say something of the whole vocabulary.
OF_THE_VOCABULARY = ("logprob", "mass", "vocab_entropy", "token")


def _absent(head: Head, vocabulary: bool) -> tuple[str, ...]:
    absent = () if vocabulary else OF_THE_VOCABULARY
    return (*absent, "correct") if head.labels is None else absent


def _outputs(
    head: Head, option_ids: Tensor, vocabulary: bool
) -> tuple[OptionScores, Tensor | None]:
    """Room for the fields, and a histogram of no rows."""
    absent, n = _absent(head, vocabulary), head.hidden.shape[0]
    out = TABLE.empty(head.hidden, absent, N=n, O=option_ids.shape[1])
    return out, head.histogram()


def _linear_option_scores(*arguments: Any) -> tuple[Tensor, ...]:
    *head_arguments, option_ids, confidence, vocabulary = arguments
    head = Head(*head_arguments)
    checks.host_option_ids(option_ids, head.vocab_size)
    count = head.hidden.shape[0]
    out, seen = _outputs(head, option_ids, vocabulary)
    ids, like = option_ids.to(head.hidden.device), head.hidden
    head = head.cut()
    if vocabulary:
        step = tiles.rows_at_once(head.weight, count)
        logits = tiles.buffer(head.weight, step, head.vocab_size)[:, : head.vocab_size]
    else:
        step = _gathered_at_once(head.weight, ids)
    with torch.autocast(like.device.type, enabled=False):
        for some in tiles.parts(count, step):
            own, h = ids if ids.shape[0] == 1 else ids[some], head.hidden[some]
            if vocabulary:
                x = tiles.multiply(h, head.weight, head.bias, logits[: some.stop - some.start])
            else:
                x, own = _logits_of_options(h, head.weight, head.bias, own)
            found, delta = whole.read(head.rows(x, some), own, confidence)
            for field, value in zip(out, found, strict=True):
                if field is not None and value is not None:
                    field[some] = value
            if seen is not None and delta is not None:
                seen += delta
    return *TABLE.flat(like, out), present(like, seen)


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


def _fake_linear_option_scores(*arguments: Any) -> tuple[Tensor, ...]:
    *head_arguments, option_ids, _confidence, vocabulary = arguments
    head = Head(*head_arguments)
    out, seen = _outputs(head, option_ids, vocabulary)
    return *TABLE.flat(head.hidden, out), present(head.hidden, seen)


_linear_option_scores_op = dispatch.register(
    "linear_option_scores",
    f"({heads.SCHEMA}, Tensor option_ids, str confidence, bool vocabulary) -> {TABLE.schema(1)}",
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
    bins = 0 if histogram is None else histogram.bins
    head, _ = heads.given(hidden, weight, bias, labels, temperature, ignore_index, vocab_size, bins)
    ids = checks.option_ids(option_ids, head.hidden.shape[0])
    mode = checks.confidence_mode(confidence)
    if mode == "vocab" and not vocabulary:
        raise ValueError("confidence='vocab' needs vocabulary=True, got vocabulary=False")
    direct = not (dispatch.traced(hidden) or dispatch.traced(weight))
    run = _linear_option_scores if direct else _linear_option_scores_op
    *found, seen = run(*head, ids, mode, vocabulary)
    if histogram is not None:
        histogram.add(seen)
    return TABLE.read(found, _absent(head, vocabulary))
