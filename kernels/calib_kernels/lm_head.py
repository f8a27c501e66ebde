"""``linear_cross_entropy``: a language model's head and its loss, without the logits.

    logits = hidden weight^T + bias        loss_n = ln sum_v exp(logits_nv / T) - logits_ny / T

Forward: some whole rows of logits at a time, which the row kernels read once. Kept of a row are its
largest logit ``top``, NaN where the row is lost, log2 of the sum of exp((logits - top) / T), and
the entropy H of p, from which the gradients follow: those of hidden, weight and bias in
``lm_head_gradient``, which also takes the logits themselves where they are few, and

    d loss / d T = (H - loss) / T

Backends differ in the kernels of rows and of gradients; the GEMM is torch's on each. A row is
*kept* if its label is not ignore_index and names a column. Ignored: loss 0, in no bin. Any other
row that is not kept: loss NaN, in the histogram's invalid counter. Neither is counted, summed or
sends anything back. A kept row that is *lost* (as in ``rows``) has loss NaN, is counted, sums to
NaN and sends NaN back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from calib_kernels import bins as binning
from calib_kernels import checks, dispatch, rows, transforms  # noqa: F401  (registers row_stats)
from calib_kernels import lm_head_tiles as tiles
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.lm_head_gradient import Rows, gradients


def _outputs(
    hidden: Tensor, weight: Tensor, vocab_size: int, bins: int, store: bool
) -> tuple[Tensor, ...]:
    """loss, top, log2_d and entropy (N,) of ignored rows, a histogram of none, room for logits."""
    real = tiles.sums_dtype(weight)
    fields = [hidden.new_zeros(hidden.shape[0], dtype=real) for _ in range(4)]
    seen = hidden.new_zeros(binning.length(bins) if bins else 0, dtype=torch.int64)
    return *fields, seen, tiles.store(hidden if store else hidden[:0], weight, vocab_size)


def _linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    store: bool = False,
) -> tuple[Tensor, ...]:
    """The first five of ``_outputs``, and for gradients all logits where those are few."""
    loss, top, log2_d, entropy, seen, stored = _outputs(hidden, weight, vocab_size, bins, store)
    weight = weight[:vocab_size]
    bias = None if bias is None else bias[:vocab_size]
    t = None if row_temperature is None else row_temperature.expand(hidden.shape[0])
    taken = tiles.rows_that(labels != ignore_index)
    count = hidden.shape[0] if taken is None else taken.shape[0]
    step = tiles.rows_at_once(weight, count)
    whole = stored.shape[0] > 0 and taken is None  # rows that are not taken are never read
    logits = (stored if whole else tiles.buffer(weight, step, vocab_size))[:, :vocab_size]
    with torch.autocast(hidden.device.type, enabled=False):
        for part in tiles.parts(count, step):
            some = part if taken is None else taken[part]
            room = part if whole else slice(0, part.stop - part.start)
            x = tiles.multiply(hidden[some], weight, bias, logits[room])
            if stored.shape[0] and not whole:
                stored[some, :vocab_size] = x
            own = None if t is None else t[some]
            _, p, token, h, _, logprob, *_, delta, _ = torch.ops.calib_kernels.row_stats(
                x, labels[some], temperature, own, ignore_index, vocab_size, bins
            )
            loss[some] = (-logprob).masked_fill(labels[some] == ignore_index, 0.0)
            largest = x.gather(1, token[:, None])[:, 0].to(top.dtype)
            top[some] = largest.masked_fill(p.isnan(), torch.nan)
            log2_d[some] = -p.log2()
            entropy[some] = h
            if bins:
                seen += delta
    return loss, top, log2_d, entropy, seen, stored


def _fake_linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    store: bool,
) -> tuple[Tensor, ...]:
    return _outputs(hidden, weight, vocab_size, bins, store)


def _linear_cross_entropy_backward(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    vocab_size: int,
    top: Tensor,
    log2_d: Tensor,
    stored: Tensor,
    d_loss: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    d_hidden = hidden.new_zeros(hidden.shape) if wanted[0] else None
    d_weight = weight.new_zeros(weight.shape) if wanted[1] else None
    d_bias = None
    if bias is not None and wanted[2]:
        d_bias = bias.new_zeros(bias.shape, dtype=top.dtype)
    t = None if row_temperature is None else row_temperature.expand(hidden.shape[0])
    head = slice(0, vocab_size)
    with torch.autocast(hidden.device.type, enabled=False):
        gradients(
            Rows(hidden, labels, t, top, log2_d, d_loss.to(top.dtype)),
            temperature,
            weight[head],
            None if bias is None else bias[head],
            d_hidden,
            None if d_weight is None else d_weight[head],
            None if d_bias is None else d_bias[head],
            stored[:, head] if stored.shape[0] else None,
        )
    none = hidden.new_empty(0)
    return (
        none if d_hidden is None else d_hidden,
        none.clone() if d_weight is None else d_weight,
        none.clone() if d_bias is None else d_bias.to(weight.dtype),
    )


def _fake_linear_cross_entropy_backward(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    vocab_size: int,
    top: Tensor,
    log2_d: Tensor,
    stored: Tensor,
    d_loss: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        hidden.new_empty(hidden.shape if wanted[0] else 0),
        weight.new_empty(weight.shape if wanted[1] else 0),
        weight.new_empty(weight.shape[0] if bias is not None and wanted[2] else 0),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *head, temperature, row_temperature, ignore_index, vocab_size, _bins, _store = inputs
    loss, top, log2_d, entropy, _seen, stored = output
    ctx.save_for_backward(*head, row_temperature, loss, top, log2_d, entropy, stored)
    ctx.constants = (temperature, ignore_index, vocab_size)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_loss: Tensor | None, *_others: None) -> tuple[Tensor | None, ...]:
    d_hidden = d_weight = d_bias = d_row_temperature = None
    if d_loss is not None:
        hidden, weight, labels, bias, row_temperature, loss, top, log2_d, entropy, stored = (
            ctx.saved_tensors
        )
        temperature, ignore_index, vocab_size = ctx.constants
        given = d_loss.where(_kept(labels, ignore_index, vocab_size), 0.0)
        wanted = [ctx.needs_input_grad[place] for place in (0, 1, 3)]
        if any(wanted):
            found = _linear_cross_entropy_backward_op(
                hidden, weight, labels, bias, temperature, row_temperature, vocab_size, top, log2_d,
                stored, given, wanted,
            )  # fmt: skip
            d_hidden, d_weight, d_bias = (
                g if w else None for g, w in zip(found, wanted, strict=True)
            )
        if row_temperature is not None and ctx.needs_input_grad[5]:
            sent = (given * (entropy - loss) / row_temperature).masked_fill(given == 0, 0.0)
            shared = row_temperature.shape[0] == 1
            d_row_temperature = sent.sum(0, keepdim=True) if shared else sent
    return d_hidden, d_weight, None, d_bias, None, d_row_temperature, None, None, None, None


_HEAD = (
    "Tensor hidden, Tensor weight, Tensor labels, Tensor? bias, float temperature, "
    "Tensor? row_temperature"
)
_linear_cross_entropy_op = dispatch.register(
    "linear_cross_entropy",
    f"({_HEAD}, int ignore_index, SymInt vocab_size, int bins, bool store) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _linear_cross_entropy,
    _fake_linear_cross_entropy,
    _save,
    _backward,
)
_linear_cross_entropy_backward_op = dispatch.register(
    "linear_cross_entropy_backward",
    f"({_HEAD}, SymInt vocab_size, Tensor top, Tensor log2_d, Tensor stored, Tensor d_loss, "
    "bool[] wanted) -> "
    "(Tensor, Tensor, Tensor)",
    _linear_cross_entropy_backward,
    _fake_linear_cross_entropy_backward,
    *transforms.once("linear_cross_entropy"),
)


def _kept(labels: Tensor, ignore_index: int, vocab_size: int) -> Tensor:
    return (labels != ignore_index) & (labels >= 0) & (labels < vocab_size)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    temperature: float | Tensor = 1.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    vocab_size: int | None = None,
    histogram: CalibrationHistogram | None = None,
) -> Tensor:
    """Cross-entropy of softmax(logits / T), logits = hidden weight^T + bias, with the labels.

    hidden (N, H), weight (V, H), bias (V,) of one dtype; labels (N,): the right token of each row.
    All the logits never exist together. Returns (N,) in nats for ``reduction="none"``, else the
    "mean" or "sum" over the rows that count. A row whose label is ``ignore_index`` has loss 0 and
    does not count; one whose label names no column has loss NaN and does not count either; neither
    sends a gradient. The mean over no rows is 0. With a histogram, the rows' confidences and
    correctness are added in the same pass. The loss has gradients in hidden, weight, bias and in a
    temperature that is a tensor, once. Under torch.autocast the inputs are cast as F.linear casts.
    """
    transforms.refuse_tangents("linear_cross_entropy", hidden, weight, bias, temperature)
    hidden, weight, bias = tiles.cast(hidden, weight, bias)
    count, columns = hidden.shape[0], weight.shape[0]
    size = checks.vocab_size(vocab_size, columns)
    wanted = checks.required_labels(labels, count).to(hidden.device)
    number, row_temperature = checks.temperature(temperature, count)
    checks.reduction(reduction)
    inputs = (hidden, weight, bias, temperature)
    differentiated = torch.is_grad_enabled() and any(
        isinstance(x, Tensor) and x.requires_grad for x in inputs
    )
    if isinstance(temperature, Tensor):
        own = temperature if differentiated else temperature.detach()
        row_temperature = own.reshape(-1).to(hidden.device, tiles.sums_dtype(weight))
    bins = 0 if histogram is None else histogram.bins
    direct = not (differentiated or dispatch.traced(hidden) or dispatch.traced(weight))
    run = _linear_cross_entropy if direct else _linear_cross_entropy_op
    loss: Tensor
    loss, *_, seen, _logits = run(
        hidden, weight, wanted, bias, number, row_temperature, ignore_index, size, bins,
        differentiated,
    )  # fmt: skip
    if histogram is not None:
        histogram.add(seen)
    if reduction == "none":
        return loss
    kept = _kept(wanted, ignore_index, size)
    total = loss.where(kept, 0.0).sum()
    return total / kept.sum().clamp(min=1) if reduction == "mean" else total
