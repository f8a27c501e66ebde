"""``linear_cross_entropy``: a language model's head and its loss, without the logits.

    logits = hidden weight^T + bias        loss_n = ln sum_v exp(logits_nv / T) - logits_ny / T

Some whole rows of logits at a time are multiplied, and read once by the row kernels. Kept of a row
are its largest logit ``top``, NaN where the row is lost, log2 of the sum of exp((logits - top) /
T), and with the entropy H of p

    d loss / d T = (H - loss) / T

The other gradients are those of ``linear_cross_entropy_backward``. Where the loss is one number,
they are formed before it is known what reaches it: the logits at hand become gradients, which are
multiplied twice, and what reaches the loss is a factor of the whole. So there are three products.
Where each row has its own, or where ``memory`` does not allow gradients to wait, the backward pass
multiplies the logits again, unless they are so few that they are kept.

Backends differ in the kernels of rows and of gradients; the GEMM is torch's on each. A row is
*kept* if its label is not ignore_index and names a column. Ignored: loss 0, in no bin. Any other
row that is not kept: loss NaN, in the histogram's invalid counter. Neither is counted, summed or
sends anything back. A kept row that is *lost* (as in ``row_stats``) has loss NaN, is counted, sums
to NaN and sends NaN back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import checks, dispatch, heads, tiles, transforms
from calib_kernels.heads import Head
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops import row_stats
from calib_kernels.ops.linear_cross_entropy_backward import (
    Formed,
    Sent,
    gradients,
    logits_gradient_,
    scale_,
)
from calib_kernels.results import INT, Field, Table, present


class Losses(NamedTuple):
    """What a forward pass leaves behind; real fields float32 (float64 for a float64 head)."""

    loss: Tensor  # (N,) in nats, or () after a reduction
    kept: Tensor  # () int64, number of rows kept
    top: Tensor  # (N,) largest logit; NaN where the row is lost
    log2_d: Tensor  # (N,) log2 of the sum over columns of exp((logits - top) / T)
    slope: Tensor  # (N,) d loss / dT of each row


def _table(loss: str) -> Table[Losses]:
    rows = {name: Field("N") for name in ("top", "log2_d", "slope")}
    return Table(Losses, loss=Field(loss), kept=Field("", INT), **rows)


OF_ROWS, REDUCED = _table("N"), _table("")


class Read(NamedTuple):
    """What is read of the rows (N,): fields as in ``Losses``; 0 of a row that is ignored."""

    loss: Tensor
    top: Tensor
    log2_d: Tensor
    slope: Tensor


# Formed gradients: of the hidden states, the weight and the bias; empty where there is none.
Gradients = tuple[Tensor, Tensor, Tensor]


def _kept(labels: Tensor, ignore_index: int, vocab_size: int) -> Tensor:
    return (labels != ignore_index) & (labels >= 0) & (labels < vocab_size)


class Plan(NamedTuple):
    """How the rows are read."""

    formed: bool  # whether gradients are formed in the forward pass
    stored: bool  # whether the logits are kept for the backward pass
    rows: int  # so many at a time


def _plan(head: Head, reduction: str, memory: int, wanted: Sequence[bool]) -> Plan:
    """``memory``: in bytes, 0 where there is no bound."""
    hidden, weight = head.hidden, head.weight[: head.vocab_size]
    count = hidden.shape[0]
    if not any(wanted):
        return Plan(False, False, tiles.rows_at_once(weight, count))
    if reduction != "none" and tiles.logits_dtype(weight) == weight.dtype:
        rows = tiles.rows_to_form(weight, count, memory, wanted)
        if rows:
            return Plan(True, False, rows)
    return Plan(False, tiles.few(weight, count), tiles.rows_at_once(weight, count))


def _linear_cross_entropy(*arguments: Any) -> tuple[Tensor, ...]:
    *head_arguments, reduction, memory, wanted = arguments
    whole = Head(*head_arguments)
    assert whole.labels is not None
    hidden, labels = whole.hidden, whole.labels
    plan, out, seen, stored = _outputs(whole, reduction, memory, wanted)
    head = whole.cut()
    kept = _kept(labels, head.ignore_index, head.vocab_size)
    number = kept.sum()
    taken = tiles.rows_that(labels != head.ignore_index)
    count = hidden.shape[0] if taken is None else taken.shape[0]
    step = max(1, min(plan.rows, count))
    # Rows that are not taken are never read.
    in_store = stored.shape[0] > 0 and taken is None
    room = stored if in_store else tiles.buffer(head.weight, step, head.vocab_size)
    formed = sent = None
    if plan.formed:
        formed = Formed(head, tuple(wanted), several=count > step)
        share = number.clamp(min=1) if reduction == "mean" else 1
        sent = kept.to(out.top.dtype) / share
    rows = Read(*(torch.zeros_like(out.top) for _ in Read._fields))
    with torch.autocast(hidden.device.type, enabled=False):
        for part in tiles.parts(count, step):
            some = part if taken is None else taken[part]
            place = part if in_store else slice(0, part.stop - part.start)
            x = tiles.tile(room[place], part.stop - part.start, head.vocab_size)
            h = hidden[some]
            tiles.multiply(h, head.weight, head.bias, x)
            if stored.shape[0] and not in_store:
                stored[some, : head.vocab_size] = x
            delta = _read(head, some, x, rows)
            if seen is not None and delta is not None:
                seen += delta
            if formed is not None and sent is not None:
                t = head.row_temperature
                back = Sent(
                    h, labels[some], None if t is None else t[some], rows.top[some],
                    rows.log2_d[some], sent[some],
                )  # fmt: skip
                back = back.silenced()
                formed.add(some, back.hidden, logits_gradient_(x, back, 0, head.temperature))
    loss = rows.loss
    if reduction != "none":
        loss = loss.where(kept, 0.0).sum()
        loss = loss / number.clamp(min=1) if reduction == "mean" else loss
    out = Losses(loss, number, rows.top, rows.log2_d, rows.slope)
    flat = *OF_ROWS.flat(hidden, out), present(hidden, seen), stored
    return *flat, *_whole(whole, formed, kept)


def _read(head: Head, some: slice | Tensor, x: Tensor, rows: Read) -> Tensor | None:
    """Read some rows of logits into ``rows``; return what they add to a histogram."""
    read = head.rows(x, some)
    stats, delta, log2_d = row_stats.read(read, keep=True)
    assert read.labels is not None and stats.label_logprob is not None and log2_d is not None
    loss = (-stats.label_logprob).masked_fill(read.labels == head.ignore_index, 0.0)
    top = x.gather(1, stats.prediction[:, None])[:, 0].to(loss.dtype)
    rows.loss[some] = loss
    # The row's own, also where its label is not to be told.
    rows.top[some] = top.masked_fill(stats.entropy.isnan(), torch.nan)
    rows.log2_d[some] = log2_d
    rows.slope[some] = (stats.entropy - loss) / read.t
    return delta


def _whole(head: Head, formed: Formed | None, kept: Tensor) -> Gradients:
    """The formed gradients, with rows of 0 for padding."""
    none = head.hidden.new_empty(0)
    if formed is None:
        return none, none.clone(), none.clone()
    d_hidden, d_weight, d_bias = formed.d_hidden, formed.d_weight, formed.d_bias
    if d_hidden is not None and tiles.waits(kept):
        d_hidden.masked_fill_(~kept[:, None], 0.0)  # 0 times a weight of NaN
    return (
        none if d_hidden is None else d_hidden,
        none.clone() if d_weight is None else _padded(d_weight.to(head.weight.dtype), head),
        none.clone() if d_bias is None else _padded(d_bias.to(head.weight.dtype), head),
    )


def _padded(gradient: Tensor, head: Head) -> Tensor:
    columns = head.weight.shape[0]
    if gradient.shape[0] == columns:
        return gradient
    whole = gradient.new_zeros((columns, *gradient.shape[1:]))
    whole[: head.vocab_size] = gradient
    return whole


def _outputs(
    head: Head, reduction: str, memory: int, wanted: Sequence[bool]
) -> tuple[Plan, Losses, Tensor | None, Tensor]:
    """The plan; room for the losses, for a histogram and for logits that are kept."""
    plan = _plan(head, reduction, memory, wanted)
    table = OF_ROWS if reduction == "none" else REDUCED
    out = table.empty(head.hidden, N=head.hidden.shape[0])
    seen = head.histogram()
    room = tiles.buffer(head.weight, head.hidden.shape[0] if plan.stored else 0, head.vocab_size)
    return plan, out, seen, room


def _fake_linear_cross_entropy(*arguments: Any) -> tuple[Tensor, ...]:
    *head_arguments, reduction, memory, wanted = arguments
    head = Head(*head_arguments)
    plan, out, seen, stored = _outputs(head, reduction, memory, wanted)
    shapes = (head.hidden.shape, head.weight.shape, head.weight.shape[:1])
    formed = (
        head.hidden.new_empty(
            shape if plan.formed and w and (place < 2 or head.bias is not None) else (0,)
        )
        for place, (shape, w) in enumerate(zip(shapes, wanted, strict=True))
    )
    return *OF_ROWS.flat(head.hidden, out), present(head.hidden, seen), stored, *formed


def _linear_cross_entropy_backward(*arguments: Any) -> Gradients:
    *head_arguments, top, log2_d, stored, d_loss, wanted = arguments
    head = Head(*head_arguments)
    assert head.labels is not None
    hidden, weight, bias = head[:3]
    d_hidden = hidden.new_zeros(hidden.shape) if wanted[0] else None
    d_weight = weight.new_zeros(weight.shape) if wanted[1] else None
    d_bias = None
    if bias is not None and wanted[2]:
        d_bias = bias.new_zeros(bias.shape, dtype=top.dtype)
    own, size = head.cut(), slice(0, head.vocab_size)
    with torch.autocast(hidden.device.type, enabled=False):
        gradients(
            Sent(hidden, head.labels, own.row_temperature, top, log2_d, d_loss.to(top.dtype)),
            head.temperature,
            own.weight,
            own.bias,
            d_hidden,
            None if d_weight is None else d_weight[size],
            None if d_bias is None else d_bias[size],
            stored[:, size] if stored.shape[0] else None,
        )
    none = hidden.new_empty(0)
    return (
        none if d_hidden is None else d_hidden,
        none.clone() if d_weight is None else d_weight,
        none.clone() if d_bias is None else d_bias.to(weight.dtype),
    )


def _fake_linear_cross_entropy_backward(*arguments: Any) -> Gradients:
    hidden, weight, bias, *_, wanted = arguments
    return (
        hidden.new_empty(hidden.shape if wanted[0] else 0),
        weight.new_empty(weight.shape if wanted[1] else 0),
        weight.new_empty(weight.shape[0] if bias is not None and wanted[2] else 0),
    )


def _linear_cross_entropy_scale(
    d_hidden: Tensor, d_weight: Tensor, d_bias: Tensor, d_loss: Tensor
) -> Gradients:
    """As ``scale_``, of a new tensor each, so that this may be done again."""
    return scale_(d_hidden.clone(), d_weight.clone(), d_bias.clone(), d_loss)


def _fake_linear_cross_entropy_scale(
    d_hidden: Tensor, d_weight: Tensor, d_bias: Tensor, d_loss: Tensor
) -> Gradients:
    return torch.empty_like(d_hidden), torch.empty_like(d_weight), torch.empty_like(d_bias)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, bias, labels, temperature, row_temperature, *constants = inputs
    *row_constants, reduction, _memory, _wanted = constants
    _loss, kept, top, log2_d, slope, _seen, *rest = output
    ctx.save_for_backward(
        hidden, weight, bias, labels, row_temperature, kept, top, log2_d, slope, *rest
    )
    ctx.constants = (temperature, row_constants, reduction)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_loss: Tensor | None, *_others: None) -> tuple[Tensor | None, ...]:
    d_head: list[Tensor | None] = [None, None, None]
    d_row_temperature = None
    if d_loss is not None:
        *head, labels, row_temperature, kept, top, log2_d, slope, stored, d_h, d_w, d_b = (
            ctx.saved_tensors
        )
        temperature, constants, reduction = ctx.constants
        ignore_index, vocab_size, _bins = constants
        share = d_loss / kept.clamp(min=1) if reduction == "mean" else d_loss
        sent = share.where(_kept(labels, ignore_index, vocab_size), 0.0)
        wanted = ctx.needs_input_grad[:3]
        formed = all(g.shape[0] or not w for g, w in zip((d_h, d_w, d_b), wanted, strict=True))
        if any(wanted) and formed and reduction != "none":
            scale = scale_ if dispatch.passes_once(d_loss) else _linear_cross_entropy_scale_op
            found = scale(d_h, d_w, d_b, d_loss)
        elif any(wanted):
            found = _linear_cross_entropy_backward_op(
                *head, labels, temperature, row_temperature, *constants, top, log2_d, stored, sent,
                list(wanted),
            )  # fmt: skip
        if any(wanted):
            d_head = [g if w else None for g, w in zip(found, wanted, strict=True)]
        if row_temperature is not None and ctx.needs_input_grad[5]:
            slopes = (sent * slope).masked_fill(sent == 0, 0.0)
            shared = row_temperature.shape[0] == 1
            d_row_temperature = slopes.sum(0, keepdim=True) if shared else slopes
    return *d_head, None, None, d_row_temperature, *(None,) * 6


_linear_cross_entropy_op = dispatch.register(
    "linear_cross_entropy",
    f"({heads.SCHEMA}, str reduction, int memory, bool[] wanted) -> {OF_ROWS.schema(5)}",
    _linear_cross_entropy,
    _fake_linear_cross_entropy,
    _save,
    _backward,
)
_linear_cross_entropy_backward_op = dispatch.register(
    "linear_cross_entropy_backward",
    f"({heads.SCHEMA}, Tensor top, Tensor log2_d, Tensor stored, Tensor d_loss, bool[] wanted) -> "
    "(Tensor, Tensor, Tensor)",
    _linear_cross_entropy_backward,
    _fake_linear_cross_entropy_backward,
    *transforms.once("linear_cross_entropy"),
)
_linear_cross_entropy_scale_op = dispatch.register(
    "linear_cross_entropy_scale",
    "(Tensor d_hidden, Tensor d_weight, Tensor d_bias, Tensor d_loss) -> (Tensor, Tensor, Tensor)",
    _linear_cross_entropy_scale,
    _fake_linear_cross_entropy_scale,
    *transforms.once("linear_cross_entropy"),
)


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
    memory: int | None = None,
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

    For "mean" and "sum", gradients are formed in the forward pass and wait for the backward pass,
    except of a float16 head: what is held beside the inputs and the gradients returned is as large
    as these, several times as large as the weight where bfloat16 is summed. ``memory`` bounds it,
    in bytes, at least 256 MiB: where gradients do not fit, the backward pass multiplies the logits
    again, as it does for "none", a fourth product.
    """
    transforms.refuse_tangents("linear_cross_entropy", hidden, weight, bias, temperature)
    bins = 0 if histogram is None else histogram.bins
    head, differentiated = heads.given(
        hidden, weight, bias, labels, temperature, ignore_index, vocab_size, bins, labelled=True,
        gradients=True,
    )  # fmt: skip
    checks.reduction(reduction)
    bound = 0 if memory is None else checks.whole("memory", memory, tiles.LEAST_MEMORY, 2**63 - 1)
    wanted = [differentiated and x is not None and x.requires_grad for x in head[:3]]
    direct = not (differentiated or dispatch.traced(hidden) or dispatch.traced(weight))
    run = _linear_cross_entropy if direct else _linear_cross_entropy_op
    found = run(*head, reduction, bound, wanted)
    loss: Tensor = found[0]
    if histogram is not None:
        histogram.add(found[len(Losses._fields)])
    return loss
