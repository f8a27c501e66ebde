"""``cross_entropy``: the loss of labelled rows, with its gradients and its histogram.

What the launchers ``native.cross_entropy`` and ``gpu.loss.cross_entropy`` are given, in the terms
of ``ops``::

    cross_entropy(
        logits, labels, scale, temperature, ignore_index, edges,    # as for row_stats, with labels
        shape,         # reference.loss.Shape: softcap (0: none), smoothing in [0, 1], z_loss >= 0
        reduction,     # "none", "mean" or "sum"
        out,           # Losses of allocated contiguous tensors; slope may be None
        seen,          # (3B+1,) int64 zeros to add to (see ``bins``); None iff edges is
    ) -> None

What goes backward is in ``gradient``.

A row is *kept* if its label is not ignore_index and names a column. Ignored: loss 0, in no bin. Any
other row that is not kept: loss NaN, in the histogram's invalid counter. Neither is counted, summed
or sends anything back. A kept row that is *lost* (as in ``rows``) has loss, slope and top NaN, is
counted and sums to NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference, transforms
from calib_kernels import bins as binning
from calib_kernels.gradient import logits_gradient
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.reference.loss import Shape, capped
from calib_kernels.reference.vocabulary import LN2

# Of 1 + 2 z_loss lse, below which an entropy divided by it has lost its digits.
LEAST_LIFT = 0.1


class Losses(NamedTuple):
    """What a forward pass leaves behind; real fields float32 (float64 for float64 logits)."""

    loss: Tensor  # (N,) in nats, or () after a reduction
    kept: Tensor  # () int64, number of rows kept
    top: Tensor  # (N,) largest logit as given; NaN where the row is lost
    log2_d: Tensor  # (N,) log2 of the sum over columns of exp(u - largest u), u = logits / T
    slope: Tensor | None  # (N,) d loss / dT of a kept row, else 0; None where it is not wanted


def _outputs(
    logits: Tensor, reduction: str, sloped: bool, bins: int
) -> tuple[Losses, Tensor | None]:
    n = logits.shape[0]
    real = dispatch.real_dtype(logits)

    def new(*shape: int, dtype: torch.dtype = real) -> Tensor:
        return logits.new_empty(shape, dtype=dtype)

    out = Losses(
        loss=new(n) if reduction == "none" else new(),
        kept=new(dtype=torch.int64),
        top=new(n),
        log2_d=new(n),
        slope=new(n) if sloped else None,
    )
    seen = logits.new_zeros(binning.length(bins), dtype=torch.int64) if bins else None
    return out, seen


def _flat(out: Losses, seen: Tensor | None) -> tuple[Tensor, ...]:
    """As the registered op returns them: what is absent is an empty tensor."""
    slope = out.top.new_empty(0) if out.slope is None else out.slope
    return *out[:4], slope, out.kept.new_empty(0) if seen is None else seen


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


def _cross_entropy(
    logits: Tensor,
    labels: Tensor,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    softcap: float,
    smoothing: float,
    z_loss: float,
    reduction: str,
    bins: int,
    counted: bool = False,
) -> tuple[Tensor, ...]:
    name = backend.choose(logits.device, logits.dtype)
    logits = dispatch.rows_contiguous(logits[:, :vocab_size])
    shape = Shape(softcap, smoothing, z_loss)
    once = "none" if counted else reduction  # entropies are made of the rows' losses
    out, seen = _outputs(logits, once, counted or row_temperature is not None, bins)
    if name == "reference" or logits.shape[0] == 0:
        t = temperature if row_temperature is None else row_temperature
        loss, kept, top, log2_d, slope, seen = reference.cross_entropy(
            logits, labels, t, ignore_index, shape, bins
        )
        out = Losses(*_reduced(loss, kept, once), top, log2_d, None if out.slope is None else slope)
    else:
        dispatch.launcher(name, "cross_entropy")(
            logits,
            labels.contiguous(),
            dispatch.LOG2_E / temperature,
            None if row_temperature is None else row_temperature.contiguous(),
            ignore_index,
            binning.edges(bins, torch.float32, logits.device) if bins else None,
            shape,
            once,
            out,
            seen,
        )
    if not counted:
        return _flat(out, seen if bins else None)
    assert seen is not None
    t = temperature if row_temperature is None else row_temperature
    sums = binning.entropy_sums(_entropies(out, labels != ignore_index, t, shape))
    if reduction != "none":
        kept = (labels != ignore_index) & (labels >= 0) & (labels < vocab_size)
        out = out._replace(loss=_reduced(out.loss, kept, reduction)[0])
    if row_temperature is None:
        out = out._replace(slope=None)
    return _flat(out, torch.cat((seen, sums)))


def _entropies(out: Losses, there: Tensor, t: float | Tensor, shape: Shape) -> Tensor:
    """(N,) of rows' losses and slopes; 0 of a row in no bin, NaN where it cannot be told.

    H = (loss + T d loss/dT + z_loss lse^2) / (1 + 2 z_loss lse), unless the loss is infinite or the
    divisor so small that no digits are left. A row in no bin has loss NaN, or is not ``there``.
    """
    assert out.slope is not None
    entropy = out.loss + t * out.slope
    if shape.z_loss:
        lse = capped(out.top, shape.softcap) / t + out.log2_d * LN2
        lift = 1.0 + 2.0 * shape.z_loss * lse
        entropy = (entropy + shape.z_loss * lse.square()) / lift
        entropy = entropy.where(entropy.isfinite() & (lift >= LEAST_LIFT), torch.nan).where(
            there, 0
        )
    return entropy.masked_fill_(out.loss.isnan(), 0.0)


def _fake_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    softcap: float,
    smoothing: float,
    z_loss: float,
    reduction: str,
    bins: int,
    counted: bool = False,
) -> tuple[Tensor, ...]:
    out, seen = _outputs(logits, reduction, row_temperature is not None, bins)
    return _flat(out, seen if seen is None or not counted else seen.new_empty(seen.shape[0] + 2))


def _cross_entropy_backward(
    logits: Tensor,
    labels: Tensor,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    softcap: float,
    smoothing: float,
    z_loss: float,
    top: Tensor,
    log2_d: Tensor,
    d_loss: Tensor,
) -> Tensor:
    name = backend.choose(logits.device, logits.dtype)
    d_loss, shape = d_loss.expand(logits.shape[0]), Shape(softcap, smoothing, z_loss)
    if name != "reference":
        return logits_gradient(
            name, logits, labels, temperature, row_temperature, ignore_index, vocab_size, shape,
            top, log2_d, d_loss=d_loss,
        )  # fmt: skip
    d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
    d_logits[:, vocab_size:] = 0.0
    t = temperature if row_temperature is None else row_temperature
    d_logits[:, :vocab_size] = reference.cross_entropy_backward(
        logits[:, :vocab_size].contiguous(), labels, t, ignore_index, shape, d_loss
    )
    return d_logits


def _fake_cross_entropy_backward(
    logits: Tensor,
    labels: Tensor,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    softcap: float,
    smoothing: float,
    z_loss: float,
    top: Tensor,
    log2_d: Tensor,
    d_loss: Tensor,
) -> Tensor:
    return logits.new_empty(logits.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, labels, temperature, row_temperature, *shape, reduction, _bins, _counted = inputs
    _loss, kept, top, log2_d, slope, _seen = output
    ctx.save_for_backward(logits, labels, row_temperature, kept, top, log2_d, slope)
    ctx.constants = (temperature, shape, reduction)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_loss: Tensor | None, *_others: None) -> tuple[Tensor | None, ...]:
    d_logits = d_row_temperature = None
    if d_loss is not None:
        logits, labels, row_temperature, kept, top, log2_d, slope = ctx.saved_tensors
        temperature, shape, reduction = ctx.constants
        if reduction == "mean":
            d_loss = d_loss / kept.clamp(min=1)
        if ctx.needs_input_grad[0]:
            d_logits = _cross_entropy_backward_op(
                logits, labels, temperature, row_temperature, *shape, top, log2_d, d_loss
            )
        if row_temperature is not None and ctx.needs_input_grad[3]:
            # A row that sends nothing back may have an infinite slope.
            sent = torch.where((slope == 0) | (d_loss == 0), 0.0, slope * d_loss)
            shared = row_temperature.shape[0] == 1
            d_row_temperature = sent.sum(0, keepdim=True) if shared else sent
    return d_logits, None, None, d_row_temperature, *(None,) * 8


_ARGUMENTS = (
    "Tensor logits, Tensor labels, float temperature, Tensor? row_temperature, int ignore_index, "
    "SymInt vocab_size, float softcap, float smoothing, float z_loss"
)
_cross_entropy_op = dispatch.register(
    "cross_entropy",
    f"({_ARGUMENTS}, str reduction, int bins, bool counted=False) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
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
    """Check the arguments of a public function and call the op, or what it runs."""
    transforms.refuse_tangents("cross_entropy", logits, temperature)
    plain = checks.logits(logits)
    rows, columns = plain.shape
    size = checks.vocab_size(vocab_size, columns)
    wanted = checks.required_labels(labels, rows).to(plain.device)
    number, row_temperature = checks.temperature(temperature, rows)
    shape = (
        checks.softcap(softcap),
        checks.within("label_smoothing", label_smoothing, 1.0),
        checks.within("z_loss", z_loss),
    )
    checks.reduction(reduction)
    differentiated = torch.is_grad_enabled() and (
        logits.requires_grad or (isinstance(temperature, Tensor) and temperature.requires_grad)
    )
    if isinstance(temperature, Tensor):
        own = temperature if differentiated else temperature.detach()
        row_temperature = own.reshape(-1).to(plain.device, dispatch.real_dtype(plain))
    call = _cross_entropy_op if differentiated or dispatch.traced(logits) else _cross_entropy
    given = logits if differentiated else plain
    outputs: tuple[Tensor, ...] = call(
        given, wanted, number, row_temperature, ignore_index, size, *shape, reduction, bins, counted
    )
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
