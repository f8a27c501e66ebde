"""``cross_entropy``: the loss of labelled rows, with its gradients and its histogram.

Launchers, ``native.cross_entropy`` and ``gpu.cross_entropy.cross_entropy``::

    cross_entropy(
        rows,          # Launch, with labels
        terms,         # LossTerms: softcap (0: none), smoothing in [0, 1], z_loss >= 0
        reduction,     # "none", "mean" or "sum"
        out,           # Losses of allocated contiguous tensors; slope may be None
    ) -> None

What goes backward is in ``logits_gradient``. Where the loss is one number and ``gpu.tuning.forms``
says so, ``gpu.cross_entropy_formed.cross_entropy_formed`` does both at once; it is given besides::

        d_logits,      # (N, V) to write to, whose rows lie as those of the logits (``_Formed``)
        mean,          # whether it is that of the mean, else of the sum: for 1 that reaches it

A row is *kept* if its label is not ignore_index and names a column. Ignored: loss 0, in no bin. Any
other row that is not kept: loss NaN, in the histogram's invalid counter. Neither is counted, summed
or sends anything back. A kept row that is *lost* (as in ``row_stats``) has loss, slope and top NaN,
is counted and sums to NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference, transforms
from calib_kernels import bins as binning
from calib_kernels.gpu import tuning
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops.logits_gradient import Saved, Upstream, logits_gradient, room
from calib_kernels.reference.cross_entropy import LossTerms, capped
from calib_kernels.reference.vocabulary import LN2
from calib_kernels.results import INT, Field, Table, present
from calib_kernels.rows import SCHEMA, Rows, given, ready

# Of 1 + 2 z_loss lse, below which an entropy divided by it has lost its digits.
LEAST_LIFT = 0.1


class Losses(NamedTuple):
    """What a forward pass leaves behind; real fields float32 (float64 for float64 logits)."""

    loss: Tensor  # (N,) in nats, or () after a reduction
    kept: Tensor  # () int64, number of rows kept
    top: Tensor  # (N,) largest logit as given; NaN where the row is lost
    log2_d: Tensor  # (N,) log2 of the sum over columns of exp(u - largest u), u = logits / T
    slope: Tensor | None  # (N,) d loss / dT of a kept row, else 0; None where it is not wanted


def _table(loss: str) -> Table[Losses]:
    return Table(
        Losses,
        loss=Field(loss),
        kept=Field("", INT),
        top=Field("N"),
        log2_d=Field("N"),
        slope=Field("N"),
    )


OF_ROWS, REDUCED = _table("N"), _table("")


def _outputs(rows: Rows, reduction: str, sloped: bool) -> Losses:
    table = OF_ROWS if reduction == "none" else REDUCED
    return table.empty(rows.logits, () if sloped else ("slope",), N=rows.logits.shape[0])


def _flat(rows: Rows, out: Losses, seen: Tensor | None) -> tuple[Tensor, ...]:
    return *OF_ROWS.flat(rows.logits, out), present(rows.logits, seen)


def _reduced(loss: Tensor, kept: Tensor, reduction: str) -> tuple[Tensor, Tensor]:
    """The loss asked for and the number of rows kept."""
    count = kept.sum()
    if reduction == "none":
        return loss, count
    # float64, as the kernels sum, where there is one.
    wide = loss.dtype if loss.device.type == "mps" else torch.float64
    total = loss.where(kept, 0.0).sum(dtype=wide)
    reduced = total / count.clamp(min=1) if reduction == "mean" else total
    return reduced.to(loss.dtype), count


def _cross_entropy(*arguments: Any, d_logits: Tensor | None = None) -> tuple[Tensor, ...]:
    """``d_logits``: where the gradient is formed at once, room for it."""
    *row_arguments, softcap, smoothing, z_loss, reduction, counted = arguments
    rows, terms = Rows(*row_arguments), LossTerms(softcap, smoothing, z_loss)
    assert rows.labels is not None
    n, name = rows.logits.shape[0], rows.backend
    once = "none" if counted else reduction  # entropies are made of the rows' losses
    sloped = rows.row_temperature is not None
    out, seen = _outputs(rows, once, counted or sloped), rows.histogram()
    if name == "reference" or n == 0:
        loss, kept, top, log2_d, slope, seen = reference.cross_entropy(
            rows.cut(), rows.labels, rows.t, rows.ignore_index, terms, rows.bins
        )
        out = Losses(*_reduced(loss, kept, once), top, log2_d, None if out.slope is None else slope)
    elif d_logits is None:
        dispatch.launcher(name, "cross_entropy")(ready(rows, seen), terms, once, out)
    else:
        own = d_logits[:, : rows.vocab_size]
        launch = dispatch.launcher(name, "cross_entropy_formed")
        launch(ready(rows, seen), terms, once, out, own, reduction == "mean")
    if not counted:
        return _flat(rows, out, seen if rows.bins else None)
    assert seen is not None
    there = rows.labels != rows.ignore_index
    sums = binning.entropy_sums(_entropies(out, there, rows.t, terms))
    if reduction != "none":
        kept = there & (rows.labels >= 0) & (rows.labels < rows.vocab_size)
        out = out._replace(loss=_reduced(out.loss, kept, reduction)[0])
    if not sloped:
        out = out._replace(slope=None)
    return _flat(rows, out, torch.cat((seen, sums)))


def _entropies(out: Losses, there: Tensor, t: float | Tensor, terms: LossTerms) -> Tensor:
    """(N,) of rows' losses and slopes; 0 of a row in no bin, NaN where it cannot be told.

    H = (loss + T d loss/dT + z_loss lse^2) / (1 + 2 z_loss lse), unless the loss is infinite or the
    divisor so small that no digits are left. A row in no bin has loss NaN, or is not ``there``.
    """
    assert out.slope is not None
    entropy = out.loss + t * out.slope
    if terms.z_loss:
        lse = capped(out.top, terms.softcap) / t + out.log2_d * LN2
        lift = 1.0 + 2.0 * terms.z_loss * lse
        entropy = (entropy + terms.z_loss * lse.square()) / lift
        entropy = entropy.where(entropy.isfinite() & (lift >= LEAST_LIFT), torch.nan).where(
            there, 0
        )
    return entropy.masked_fill_(out.loss.isnan(), 0.0)


def _fake_cross_entropy(*arguments: Any) -> tuple[Tensor, ...]:
    *row_arguments, _softcap, _smoothing, _z_loss, reduction, counted = arguments
    rows = Rows(*row_arguments)
    out, seen = _outputs(rows, reduction, rows.row_temperature is not None), rows.histogram()
    if counted and seen is not None:
        seen = seen.new_empty(seen.shape[0] + 2)
    return _flat(rows, out, seen)


def _cross_entropy_backward(*arguments: Any) -> Tensor:
    *row_arguments, softcap, smoothing, z_loss, top, log2_d, d_loss = arguments
    rows, terms = Rows(*row_arguments), LossTerms(softcap, smoothing, z_loss)
    assert rows.labels is not None
    logits, name, size = rows.logits, rows.backend, rows.vocab_size
    d_loss = d_loss.expand(logits.shape[0])
    if name != "reference":
        return logits_gradient(name, rows, Saved(top, log2_d), Upstream(d_loss), terms=terms)
    d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
    d_logits[:, size:] = 0.0
    d_logits[:, :size] = reference.cross_entropy_backward(
        logits[:, :size].contiguous(), rows.labels, rows.t, rows.ignore_index, terms, d_loss
    )
    return d_logits


def _fake_cross_entropy_backward(*arguments: Any) -> Tensor:
    logits: Tensor = arguments[0]
    return logits.new_empty(logits.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, labels, temperature, row_temperature, *constants, reduction, _counted = inputs
    _loss, kept, top, log2_d, slope, _seen, *formed = output
    ctx.save_for_backward(logits, labels, row_temperature, kept, top, log2_d, slope, *formed)
    ctx.constants = (temperature, constants, reduction)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_loss: Tensor | None, *_others: None) -> tuple[Tensor | None, ...]:
    d_logits = d_row_temperature = None
    if d_loss is not None:
        logits, labels, row_temperature, kept, top, log2_d, slope, *formed = ctx.saved_tensors
        temperature, constants, reduction = ctx.constants
        given = d_loss / kept.clamp(min=1) if reduction == "mean" else d_loss
        if ctx.needs_input_grad[0]:
            arguments = (
                logits, labels, temperature, row_temperature, *constants, top, log2_d, given
            )  # fmt: skip
            if formed and _taken(ctx, logits, d_loss):
                d_logits = _completed(formed[0], d_loss, *arguments)
            else:
                d_logits = _cross_entropy_backward_op(*arguments)
        if row_temperature is not None and ctx.needs_input_grad[3]:
            # A row that sends nothing back may have an infinite slope.
            sent = torch.where((slope == 0) | (given == 0), 0.0, slope * given)
            shared = row_temperature.shape[0] == 1
            d_row_temperature = sent.sum(0, keepdim=True) if shared else sent
    return d_logits, None, None, d_row_temperature, *(None,) * 8


class _Formed(torch.autograd.Function):
    """The op whose forward pass forms the gradient of the logits, for 1 that reaches the loss.

    A backward pass hands on what was formed, so only one can; where something else reaches the
    loss, it is written over first. torch.library has no ops that keep what they may write over:
    what a compiler or a transform sees is the registered op.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        d_logits = room(Rows(*arguments[: len(Rows._fields)]))
        output = _cross_entropy(*arguments, d_logits=d_logits)
        _save(ctx, arguments, (*output, d_logits))
        ctx.waits = True
        loss, *_, seen = output
        ctx.mark_non_differentiable(seen)
        return loss, seen

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor | None, _seen: None) -> tuple[Tensor | None, ...]:
        return _backward(ctx, d_loss)


def _forms(rows: Rows, capped: bool, reduction: str) -> bool:
    """Whether ``_Formed`` is what runs."""
    x, size = rows.logits, rows.vocab_size
    if x.dtype not in tuning.FORMED or reduction == "none" or not x.requires_grad:
        return False
    if dispatch.watched(x) or rows.backend != "triton" or torch.version.hip is not None:
        return False  # on AMD's wider warps nobody has compared the order of sums
    # The gradient is contiguous; its rows must lie as those of the logits do to 16-byte boundaries.
    alike = (x.stride(0) - x.shape[1]) * x.element_size() % 16 == 0 and x.data_ptr() % 16 == 0
    return alike and x.stride(1) == 1 and tuning.forms(x.dtype, x.shape[0], size, capped)


def _taken(ctx: Any, logits: Tensor, d_loss: Tensor) -> bool:
    """Whether this backward pass is the one that hands on what was formed.

    Not where it is itself recorded, or something must see the registered op, nor where another
    backend is asked for by now.
    """
    if torch.is_grad_enabled() or dispatch.watched(d_loss) or not ctx.waits:
        return False
    if backend.choose(logits.device, logits.dtype) != "triton":
        return False
    ctx.waits = False
    return True


def _completed(formed: Tensor, d_loss: Tensor, *arguments: Any) -> Tensor:
    """The gradient that was formed; made anew in its place where d_loss is not 1."""
    *row_arguments, softcap, smoothing, z_loss, top, log2_d, given = arguments
    rows = Rows(*row_arguments)
    # Not to autograd the tensor that was saved: a gradient may be changed by whom it is given to.
    d_logits = formed.data
    given = given.expand(d_logits.shape[0])
    dispatch.launcher("triton", "logits_gradient")(
        ready(rows._replace(bins=0)), LossTerms(softcap, smoothing, z_loss), Saved(top, log2_d),
        Upstream(given), d_logits[:, : rows.vocab_size], None, unless=d_loss,
    )  # fmt: skip
    return d_logits


_ARGUMENTS = f"{SCHEMA}, float softcap, float smoothing, float z_loss"
_cross_entropy_op = dispatch.register(
    "cross_entropy",
    f"({_ARGUMENTS}, str reduction, bool counted) -> {OF_ROWS.schema(1)}",
    _cross_entropy,
    _fake_cross_entropy,
    _save,
    _backward,
)
_cross_entropy_backward_op = dispatch.register(
    "cross_entropy_backward",
    f"({_ARGUMENTS}, Tensor top, Tensor log2_d, Tensor d_loss) -> Tensor",
    _cross_entropy_backward,
    _fake_cross_entropy_backward,
    *transforms.once("cross_entropy"),
)


def run(
    logits: Tensor,
    labels: Tensor,
    temperature: float | Tensor,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    softcap: float | None,
    z_loss: float,
    vocab_size: int | None,
    bins: int,
    counted: bool,
) -> tuple[Tensor, ...]:
    """Check the arguments of a public function and call the op, or what it runs.

    First of what is returned is the loss, last what is seen of calibration.
    """
    rows, differentiated = given(
        "cross_entropy", logits, labels, temperature, ignore_index, vocab_size, bins,
        labelled=True, gradients=True,
    )  # fmt: skip
    terms = (
        checks.softcap(softcap),
        checks.within("label_smoothing", label_smoothing, 1.0),
        checks.within("z_loss", z_loss),
    )
    checks.reduction(reduction)
    call = _cross_entropy_op if differentiated or dispatch.traced(logits) else _cross_entropy
    if differentiated and _forms(rows, terms[0] > 0, reduction):
        call = _Formed.apply
    outputs: tuple[Tensor, ...] = call(*rows, *terms, reduction, counted)
    return outputs


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    temperature: float | Tensor = 1.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    vocab_size: int | None = None,
    histogram: CalibrationHistogram | None = None,
) -> Tensor:
    """Cross-entropy of softmax(u), u = softcap(logits) / T, with the labels; in nats.

        loss = (1 - s) (lse(u) - u[label]) + s (lse(u) - mean(u)) + z_loss lse(u)^2

    logits (N, V); labels (N,): the right token of each row; s is ``label_smoothing``;
    softcap(x) = c tanh(x / c) with c = ``softcap``, or x where that is None. Returns (N,) for
    ``reduction="none"``, else the "mean" or "sum" over the rows that count. A row whose label is
    ``ignore_index`` has loss 0 and does not count; one whose label names no column has loss NaN and
    does not count either; neither sends a gradient. The mean over no rows is 0. With a histogram,
    the rows' confidences and correctness are added in the same pass. The loss has gradients in
    logits and in a temperature that is a tensor, once.
    """
    loss, *_, seen = run(
        logits, labels, temperature, ignore_index, reduction, label_smoothing, softcap, z_loss,
        vocab_size, 0 if histogram is None else histogram.bins, False,
    )  # fmt: skip
    if histogram is not None:
        histogram.add(seen)
    return loss
