"""``linear_sample``: tokens drawn from hidden states, without the logits.

    logits = hidden weight^T + bias        then as ``sample``

Some whole rows of logits at a time, in one buffer that is used over and over; the draws are those
of ``sample`` from the model's own logits, to the bit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from calib_kernels import dispatch, heads, tiles
from calib_kernels.heads import Head
from calib_kernels.ops import sample as whole
from calib_kernels.ops.sample import NO_LABELS, TABLE, Draws, Sample


def _linear_sample(*arguments: Any) -> tuple[Tensor, ...]:
    count = len(Head._fields)
    head, draws = Head(*arguments[:count]).cut(), Draws(*arguments[count:])
    hidden, weight, bias = head[:3]
    rows, columns = hidden.shape[0], weight.shape[0]
    out = whole.outputs(hidden, draws.sample)
    step = tiles.rows_at_once(weight, rows)
    logits = tiles.buffer(weight, step, columns)[:, :columns]
    with torch.autocast(hidden.device.type, enabled=False):
        for some in tiles.parts(rows, step):
            x = tiles.multiply(hidden[some], weight, bias, logits[: some.stop - some.start])
            found = whole.read(head.rows(x, some), draws.at(some))
            for field, value in zip(out, found, strict=True):
                field[some] = value
    return out


def _fake_linear_sample(*arguments: Any) -> tuple[Tensor, ...]:
    return whole.outputs(arguments[0], arguments[len(Head._fields)])


_linear_sample_op = dispatch.register(
    "linear_sample",
    f"({heads.SCHEMA}, {whole.SCHEMA}) -> {TABLE.schema()}",
    _linear_sample,
    _fake_linear_sample,
)


def linear_sample(
    hidden: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    temperature: float | Tensor = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    greedy: bool = False,
    seed: int,
    item: int | Tensor,
    sample: Tensor,
    step: int | Tensor,
    uniforms: Tensor | None = None,
    vocab_size: int | None = None,
) -> Sample:
    """Draw tokens from softmax(logits / T), logits = hidden weight^T + bias, filtered.

    hidden (N, H), weight (V, H), bias (V,) of one dtype; the rest as for ``sample``. All the logits
    never exist together. Under torch.autocast the inputs are cast as F.linear casts. No gradient
    flows.
    """
    head, _ = heads.given(hidden, weight, bias, None, temperature, NO_LABELS, vocab_size, 0)
    draws = whole.drawn(
        head.hidden.shape[0], head.hidden.device, sample, item, step, uniforms, seed, top_k, top_p,
        min_p, greedy,
    )  # fmt: skip
    direct = not (dispatch.traced(hidden) or dispatch.traced(weight))
    call = _linear_sample if direct else _linear_sample_op
    return whole.shaped(call(*head, *draws), sample)
