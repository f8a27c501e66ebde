"""``row_stats``: what is to be known of each row of logits, from one read of it.

Launchers, ``native.row_stats`` and ``gpu.row_stats.row_stats``::

    row_stats(
        rows,          # Launch
        out,           # RowStats of allocated contiguous tensors; label_logprob and correct are
                       # None iff there are no labels
        log2_d,        # (N,) to write log2 sum exp(u - largest u) to, u = logits / T; or None
    ) -> None

What goes backward is in ``logits_gradient``.

A row is *lost* if it holds a NaN, two +inf, nothing but -inf, or has a bad temperature: real
results NaN, valid False; lse is -inf where only the -inf are to blame. prediction is the argmax of
the raw logits always (first NaN, first +inf). Label neither ignore_index nor in [0, V): confidence
and label_logprob NaN, correct False, valid False, the rest as usual. Ignored: label_logprob NaN,
correct False, valid as without labels, not in the histogram. Any other row that is not valid goes
to the histogram's invalid counter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import dispatch, reference, transforms
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.ops.logits_gradient import Saved, Upstream, logits_gradient
from calib_kernels.results import BOOL, INT, Field, Table, present
from calib_kernels.rows import SCHEMA, Rows, given, ready


class RowStats(NamedTuple):
    """What ``row_stats`` returns; real fields float32 (float64 for float64 logits), in nats."""

    lse: Tensor  # (N,) ln sum exp(logits / T)
    confidence: Tensor  # (N,) largest probability
    prediction: Tensor  # (N,) int64 likeliest token
    entropy: Tensor  # (N,)
    sum_p2: Tensor  # (N,) sum of squared probabilities
    label_logprob: Tensor | None  # (N,) ln p of the label; None without labels
    correct: Tensor | None  # (N,) bool, prediction == label; None without labels
    valid: Tensor  # (N,) bool


TABLE: Table[RowStats] = Table(
    RowStats,
    lse=Field("N"),
    confidence=Field("N"),
    prediction=Field("N", INT),
    entropy=Field("N"),
    sum_p2=Field("N"),
    label_logprob=Field("N"),
    correct=Field("N", BOOL),
    valid=Field("N", BOOL),
)
OF_LABELS = ("label_logprob", "correct")


def _absent(rows: Rows) -> tuple[str, ...]:
    return OF_LABELS if rows.labels is None else ()


def read(rows: Rows, keep: bool = False) -> tuple[RowStats, Tensor | None, Tensor | None]:
    """The fields, the histogram's delta and, to ``keep`` for gradients, log2 of each row's sum."""
    n, name = rows.logits.shape[0], rows.backend
    if name == "reference" and n:
        *found, counted, log2_sum = reference.row_stats(
            rows.cut(), rows.labels, rows.t, rows.ignore_index, rows.bins
        )
        return TABLE.read(found, _absent(rows)), counted, log2_sum
    out = TABLE.empty(rows.logits, _absent(rows), N=n)
    seen, log2_d = rows.histogram(), torch.empty_like(out.lse) if keep else None
    if n:
        dispatch.launcher(name, "row_stats")(ready(rows, seen), out, log2_d)
    return out, seen, log2_d


def _flat(
    rows: Rows, stats: RowStats, seen: Tensor | None, log2_d: Tensor | None
) -> tuple[Tensor, ...]:
    assert log2_d is not None
    return *TABLE.flat(rows.logits, stats), present(rows.logits, seen), log2_d


def _run_row_stats(*arguments: Any) -> tuple[Tensor, ...]:
    rows = Rows(*arguments)
    return _flat(rows, *read(rows, keep=True))


def _fake_row_stats(*arguments: Any) -> tuple[Tensor, ...]:
    rows = Rows(*arguments)
    out = TABLE.empty(rows.logits, _absent(rows), N=rows.logits.shape[0])
    return _flat(rows, out, rows.histogram(), torch.empty_like(out.lse))


def _row_stats_backward(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Gradients in the logits and, if ``sloped``, in each row's temperature."""
    rows = Rows(*arguments[: len(Rows._fields)])
    lse, prediction, entropy, label_logprob, log2_d, d_lse, d_entropy, d_label_logprob, sloped = (
        arguments[len(Rows._fields) :]
    )
    # What is NaN sends nothing back.
    lost = entropy.isnan()
    d_lse = None if d_lse is None else d_lse.masked_fill(lost, 0.0)
    d_entropy = None if d_entropy is None else d_entropy.masked_fill(lost, 0.0)
    d_loss = None
    if rows.labels is not None and d_label_logprob is not None:
        d_loss = -d_label_logprob.masked_fill(label_logprob.isnan(), 0.0)
    logits, name, size = rows.logits, rows.backend, rows.vocab_size
    if name == "reference" or logits.shape[0] == 0:
        d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
        d_logits[:, size:] = 0.0
        d_logits[:, :size], d_temperature = reference.row_stats_backward(
            logits[:, :size], rows.labels, rows.t, rows.ignore_index, d_lse, d_entropy, d_loss
        )
        return d_logits, d_temperature if sloped else lse.new_empty(0)
    variance = torch.empty_like(lse) if sloped and d_entropy is not None else None
    top = logits.gather(1, prediction[:, None])[:, 0].float()
    d_logits = logits_gradient(
        name, rows, Saved(top, log2_d, entropy), Upstream(d_loss, d_lse, d_entropy), variance
    )
    if not sloped or rows.row_temperature is None:
        return d_logits, lse.new_empty(0)
    # T times d lse/dT, d nll/dT and d H/dT, with E[u] = lse - H.
    parts = ((d_lse, entropy - lse), (d_loss, label_logprob + entropy), (d_entropy, variance))
    d_temperature = torch.zeros_like(lse)
    for sent, slope in parts:
        if sent is not None and slope is not None:
            d_temperature += torch.where(sent == 0, 0.0, sent * slope)
    return d_logits, torch.where(lost, 0.0, d_temperature / rows.row_temperature)


def _fake_row_stats_backward(*arguments: Any) -> tuple[Tensor, Tensor]:
    logits, lse, sloped = arguments[0], arguments[len(Rows._fields)], arguments[-1]
    return logits.new_empty(logits.shape), lse.new_empty(lse.shape[0] if sloped else 0)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, labels, temperature, row_temperature, *constants = inputs
    lse, _confidence, prediction, entropy, _sum_p2, label_logprob, *_, log2_d = output
    ctx.save_for_backward(
        logits, labels, row_temperature, lse, prediction, entropy, label_logprob, log2_d
    )
    ctx.constants = (temperature, *constants)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    logits, labels, row_temperature, *found = ctx.saved_tensors
    temperature, *constants = ctx.constants
    d_lse, _confidence, _prediction, d_entropy, _sum_p2, d_label_logprob, *_ = gradients
    sloped = row_temperature is not None and ctx.needs_input_grad[3]
    d_logits, d_row_temperature = _row_stats_backward_op(
        logits, labels, temperature, row_temperature, *constants, *found, d_lse, d_entropy,
        d_label_logprob, sloped,
    )  # fmt: skip
    if sloped and row_temperature.shape[0] == 1:
        d_row_temperature = d_row_temperature.sum(0, keepdim=True)
    wanted = d_logits if ctx.needs_input_grad[0] else None
    return wanted, None, None, d_row_temperature if sloped else None, None, None, None


_row_stats_op = dispatch.register(
    "row_stats",
    f"({SCHEMA}) -> {TABLE.schema(2)}",
    _run_row_stats,
    _fake_row_stats,
    _save,
    _backward,
)
_row_stats_backward_op = dispatch.register(
    "row_stats_backward",
    f"({SCHEMA}, Tensor lse, Tensor prediction, Tensor entropy, Tensor label_logprob, "
    "Tensor log2_d, Tensor? d_lse, Tensor? d_entropy, Tensor? d_label_logprob, bool sloped) -> "
    "(Tensor, Tensor)",
    _row_stats_backward,
    _fake_row_stats_backward,
    *transforms.once("row_stats"),
)


def row_stats(
    logits: Tensor,
    labels: Tensor | None = None,
    *,
    temperature: float | Tensor = 1.0,
    ignore_index: int = -100,
    vocab_size: int | None = None,
    histogram: CalibrationHistogram | None = None,
) -> RowStats:
    """Log-sum-exp, confidence, entropy and more of softmax(logits / T), per row.

    logits (N, V); labels (N,): the right token of each row. With a histogram, the rows' confidences
    and correctness are added in the same pass. lse, entropy and label_logprob have gradients in
    logits and in a temperature that is a tensor; the other results have none.
    """
    bins = 0 if histogram is None else histogram.bins
    rows, differentiated = given(
        "row_stats", logits, labels, temperature, ignore_index, vocab_size, bins, gradients=True
    )
    if differentiated or dispatch.traced(logits):
        *found, seen, _log2_d = _row_stats_op(*rows)
        stats = TABLE.read(found, _absent(rows))
    else:
        stats, seen, _ = read(rows)
    if histogram is not None:
        histogram.add(seen)
    if differentiated:
        stats = stats._replace(confidence=stats.confidence.detach(), sum_p2=stats.sum_p2.detach())
    return stats
