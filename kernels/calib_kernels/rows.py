"""``row_stats``: what is to be known of each row of logits, from one read of it.

What ``native.row_stats`` and ``gpu.rows.row_stats`` are given, in the terms of ``ops``::

    row_stats(
        logits, labels, scale, temperature, ignore_index, edges,    # as for option_scores
        out,           # RowStats of allocated contiguous tensors; label_logprob and correct are
                       # None iff labels is
        seen,          # (3B+1,) int64 zeros to add to (see ``bins``); None iff edges is
    ) -> None

A row is *lost* if it holds a NaN, two +inf, nothing but -inf, or has a bad temperature: real
results NaN, valid False; lse is -inf where only the -inf are to blame. prediction is the argmax of
the raw logits always (first NaN, first +inf). Label neither ignore_index nor in [0, V): confidence
and label_logprob NaN, correct False, valid False, the rest as usual. Ignored: label_logprob NaN,
correct False, valid as without labels, not in the histogram. Any other row that is not valid goes
to the histogram's invalid counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference
from calib_kernels import bins as binning

if TYPE_CHECKING:
    from calib_kernels.histogram import CalibrationHistogram

# Logits whose gradient is worked on at once: its temporaries are several times as large.
_AT_ONCE = 2**24


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


def _outputs(logits: Tensor, labelled: bool, bins: int) -> tuple[RowStats, Tensor | None]:
    n = logits.shape[0]
    lse = logits.new_empty(n, dtype=dispatch.real_dtype(logits))
    valid = logits.new_empty(n, dtype=torch.bool)
    out = RowStats(
        lse,
        lse.new_empty(n),
        logits.new_empty(n, dtype=torch.int64),
        lse.new_empty(n),
        lse.new_empty(n),
        lse.new_empty(n) if labelled else None,
        valid.new_empty(n) if labelled else None,
        valid,
    )
    seen = logits.new_zeros(binning.length(bins), dtype=torch.int64) if bins else None
    return out, seen


def _flat(out: RowStats, seen: Tensor | None) -> tuple[Tensor, ...]:
    """As the registered op returns them: what is absent is an empty tensor."""
    label_logprob = out.lse.new_empty(0) if out.label_logprob is None else out.label_logprob
    correct = out.valid.new_empty(0) if out.correct is None else out.correct
    absent = out.prediction.new_empty(0)
    return (*out[:5], label_logprob, correct, out.valid, absent if seen is None else seen)


def _row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[RowStats, Tensor | None]:
    name = backend.choose(logits.device, logits.dtype)
    logits = dispatch.columns(logits, vocab_size)
    if name == "reference" and logits.shape[0]:
        t = temperature if row_temperature is None else row_temperature
        *found, counted = reference.row_stats(logits, labels, t, ignore_index, bins)
        return _present(found, labels), counted
    out, seen = _outputs(logits, labels is not None, bins)
    if logits.shape[0] == 0:
        return out, seen
    dispatch.launcher(name, "row_stats")(
        logits,
        None if labels is None else labels.contiguous(),
        dispatch.LOG2_E / temperature,
        None if row_temperature is None else row_temperature.contiguous(),
        ignore_index,
        binning.edges(bins, torch.float32, logits.device) if bins else None,
        out,
        seen,
    )
    return out, seen


def _present(found: Sequence[Tensor], labels: Tensor | None) -> RowStats:
    """The inverse of ``_flat``."""
    stats = RowStats(*found)
    return stats if labels is not None else stats._replace(label_logprob=None, correct=None)


def _run_row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[Tensor, ...]:
    return _flat(
        *_row_stats(logits, labels, temperature, row_temperature, ignore_index, vocab_size, bins)
    )


def _fake_row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[Tensor, ...]:
    return _flat(*_outputs(logits, labels is not None, bins))


def _row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    d_lse: Tensor,
    d_entropy: Tensor,
    d_label_logprob: Tensor,
) -> tuple[Tensor, Tensor]:
    """Plain PyTorch on every backend, some rows at a time."""
    d_logits, d_temperature = _fake_row_stats_backward(
        logits, labels, temperature, row_temperature, ignore_index, vocab_size, d_lse, d_entropy,
        d_label_logprob,
    )  # fmt: skip
    d_logits[:, vocab_size:] = 0.0
    rows = logits.shape[0]
    step = max(1, _AT_ONCE // vocab_size)
    t = temperature if row_temperature is None else row_temperature.expand(rows)
    for start in range(0, rows, step):
        some = slice(start, start + step)
        d_logits[some, :vocab_size], d_temperature[some] = reference.row_stats_backward(
            logits[some, :vocab_size],
            None if labels is None else labels[some],
            t[some] if isinstance(t, Tensor) else t,
            ignore_index,
            d_lse[some],
            d_entropy[some],
            None if labels is None else d_label_logprob[some],
        )
    return d_logits, d_temperature


def _fake_row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    d_lse: Tensor,
    d_entropy: Tensor,
    d_label_logprob: Tensor,
) -> tuple[Tensor, Tensor]:
    d_temperature = logits.new_empty(logits.shape[0], dtype=dispatch.real_dtype(logits))
    return logits.new_empty(logits.shape), d_temperature


_row_stats_op = dispatch.register(
    "row_stats",
    "(Tensor logits, Tensor? labels, float temperature, Tensor? row_temperature, "
    "int ignore_index, SymInt vocab_size, int bins) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _run_row_stats,
    _fake_row_stats,
)
_row_stats_backward_op = dispatch.register(
    "row_stats_backward",
    "(Tensor logits, Tensor? labels, float temperature, Tensor? row_temperature, "
    "int ignore_index, SymInt vocab_size, Tensor d_lse, Tensor d_entropy, "
    "Tensor d_label_logprob) -> (Tensor, Tensor)",
    _row_stats_backward,
    _fake_row_stats_backward,
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, labels, temperature, row_temperature, ignore_index, vocab_size, _bins = inputs
    ctx.save_for_backward(logits, labels, row_temperature)
    ctx.constants = (temperature, ignore_index, vocab_size)


def _backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    logits, labels, row_temperature = ctx.saved_tensors
    temperature, ignore_index, vocab_size = ctx.constants
    d_lse, _confidence, _prediction, d_entropy, _sum_p2, d_label_logprob, *_ = gradients
    d_logits, d_temperature = _row_stats_backward_op(
        logits, labels, temperature, row_temperature, ignore_index, vocab_size, d_lse, d_entropy,
        d_label_logprob,
    )  # fmt: skip
    d_row_temperature = None
    if row_temperature is not None and ctx.needs_input_grad[3]:
        shared = row_temperature.shape[0] == 1
        d_row_temperature = d_temperature.sum(0, keepdim=True) if shared else d_temperature
    wanted = d_logits if ctx.needs_input_grad[0] else None
    return wanted, None, None, d_row_temperature, None, None, None


_row_stats_op.register_autograd(_backward, setup_context=_save)


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
    plain = checks.logits(logits)
    rows, columns = plain.shape
    size = checks.vocab_size(vocab_size, columns)
    wanted = checks.labels(labels, rows)
    number, row_temperature = checks.temperature(temperature, rows)
    if wanted is not None:
        wanted = wanted.to(plain.device)
    elif histogram is not None:
        raise ValueError("histogram needs labels, got labels=None")
    differentiated = torch.is_grad_enabled() and (
        logits.requires_grad or (isinstance(temperature, Tensor) and temperature.requires_grad)
    )
    if isinstance(temperature, Tensor):
        own = temperature if differentiated else temperature.detach()
        row_temperature = own.reshape(-1).to(plain.device, dispatch.real_dtype(plain))
    bins = 0 if histogram is None else histogram.bins
    if differentiated or dispatch.traced(logits):
        given = logits if differentiated else plain
        *found, seen = _row_stats_op(
            given, wanted, number, row_temperature, ignore_index, size, bins
        )
        stats = _present(found, wanted)
    else:
        stats, seen = _row_stats(plain, wanted, number, row_temperature, ignore_index, size, bins)
    if histogram is not None:
        histogram.add(seen)
    if differentiated:
        stats = stats._replace(confidence=stats.confidence.detach(), sum_p2=stats.sum_p2.detach())
    return stats
