"""``row_stats``: what is to be known of each row of logits, from one read of it.

What ``native.row_stats`` and ``gpu.rows.row_stats`` are given, in the terms of ``ops``::

    row_stats(
        logits, labels, scale, temperature, ignore_index, edges,    # as for option_scores
        out,           # RowStats of allocated contiguous tensors; label_logprob and correct are
                       # None iff labels is
        seen,          # (3B+1,) int64 zeros to add to (see ``bins``); None iff edges is
        log2_d,        # (N,) to write log2 sum exp(u - largest u) to, u = logits / T; or None
    ) -> None

What goes backward is in ``gradient``.

A row is *lost* if it holds a NaN, two +inf, nothing but -inf, or has a bad temperature: real
results NaN, valid False; lse is -inf where only the -inf are to blame. prediction is the argmax of
the raw logits always (first NaN, first +inf). Label neither ignore_index nor in [0, V): confidence
and label_logprob NaN, correct False, valid False, the rest as usual. Ignored: label_logprob NaN,
correct False, valid as without labels, not in the histogram. Any other row that is not valid goes
to the histogram's invalid counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference, transforms
from calib_kernels import bins as binning
from calib_kernels.gradient import PLAIN, logits_gradient
from calib_kernels.histogram import CalibrationHistogram


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


def _flat(out: RowStats, seen: Tensor | None, log2_d: Tensor) -> tuple[Tensor, ...]:
    """As the registered op returns them: what is absent is an empty tensor."""
    label_logprob = out.lse.new_empty(0) if out.label_logprob is None else out.label_logprob
    correct = out.valid.new_empty(0) if out.correct is None else out.correct
    absent = out.prediction.new_empty(0)
    seen = absent if seen is None else seen
    return *out[:5], label_logprob, correct, out.valid, seen, log2_d


def _row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
    keep: bool = False,
) -> tuple[RowStats, Tensor | None, Tensor | None]:
    """The fields, the histogram's delta and, to ``keep`` for gradients, log2 of each row's sum."""
    name = backend.choose(logits.device, logits.dtype)
    logits = dispatch.columns(logits, vocab_size)
    if name == "reference" and logits.shape[0]:
        t = temperature if row_temperature is None else row_temperature
        *found, counted, kept = reference.row_stats(logits, labels, t, ignore_index, bins)
        return _present(found, labels), counted, kept
    out, seen = _outputs(logits, labels is not None, bins)
    log2_d = torch.empty_like(out.lse) if keep else None
    if logits.shape[0] == 0:
        return out, seen, log2_d
    dispatch.launcher(name, "row_stats")(
        logits,
        None if labels is None else labels.contiguous(),
        dispatch.LOG2_E / temperature,
        None if row_temperature is None else row_temperature.contiguous(),
        ignore_index,
        binning.edges(bins, torch.float32, logits.device) if bins else None,
        out,
        seen,
        log2_d,
    )
    return out, seen, log2_d


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
    out, seen, log2_d = _row_stats(
        logits, labels, temperature, row_temperature, ignore_index, vocab_size, bins, keep=True
    )
    assert log2_d is not None
    return _flat(out, seen, log2_d)


def _fake_row_stats(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[Tensor, ...]:
    out, seen = _outputs(logits, labels is not None, bins)
    return _flat(out, seen, torch.empty_like(out.lse))


def _row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    lse: Tensor,
    prediction: Tensor,
    entropy: Tensor,
    label_logprob: Tensor,
    log2_d: Tensor,
    d_lse: Tensor | None,
    d_entropy: Tensor | None,
    d_label_logprob: Tensor | None,
    sloped: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients in the logits and, if ``sloped``, in each row's temperature."""
    # What is NaN sends nothing back.
    lost = entropy.isnan()
    d_lse = None if d_lse is None else d_lse.masked_fill(lost, 0.0)
    d_entropy = None if d_entropy is None else d_entropy.masked_fill(lost, 0.0)
    d_loss = None
    if labels is not None and d_label_logprob is not None:
        d_loss = -d_label_logprob.masked_fill(label_logprob.isnan(), 0.0)
    name = backend.choose(logits.device, logits.dtype)
    if name == "reference" or logits.shape[0] == 0:
        t = temperature if row_temperature is None else row_temperature
        d_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
        d_logits[:, vocab_size:] = 0.0
        d_logits[:, :vocab_size], d_temperature = reference.row_stats_backward(
            logits[:, :vocab_size], labels, t, ignore_index, d_lse, d_entropy, d_loss
        )
        return d_logits, d_temperature if sloped else lse.new_empty(0)
    variance = torch.empty_like(lse) if sloped and d_entropy is not None else None
    d_logits = logits_gradient(
        name, logits, labels, temperature, row_temperature, ignore_index, vocab_size, PLAIN,
        logits.gather(1, prediction[:, None])[:, 0].float(), log2_d, entropy=entropy,
        d_loss=d_loss, d_lse=d_lse, d_entropy=d_entropy, variance=variance,
    )  # fmt: skip
    if not sloped or row_temperature is None:
        return d_logits, lse.new_empty(0)
    # T times d lse/dT, d nll/dT and d H/dT, with E[u] = lse - H.
    parts = ((d_lse, entropy - lse), (d_loss, label_logprob + entropy), (d_entropy, variance))
    d_temperature = torch.zeros_like(lse)
    for given, slope in parts:
        if given is not None and slope is not None:
            d_temperature += torch.where(given == 0, 0.0, given * slope)
    return d_logits, torch.where(lost, 0.0, d_temperature / row_temperature)


def _fake_row_stats_backward(
    logits: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    ignore_index: int,
    vocab_size: int,
    lse: Tensor,
    prediction: Tensor,
    entropy: Tensor,
    label_logprob: Tensor,
    log2_d: Tensor,
    d_lse: Tensor | None,
    d_entropy: Tensor | None,
    d_label_logprob: Tensor | None,
    sloped: bool,
) -> tuple[Tensor, Tensor]:
    return logits.new_empty(logits.shape), lse.new_empty(lse.shape[0] if sloped else 0)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, labels, temperature, row_temperature, ignore_index, vocab_size, _bins = inputs
    lse, _confidence, prediction, entropy, _sum_p2, label_logprob, *_, log2_d = output
    ctx.save_for_backward(
        logits, labels, row_temperature, lse, prediction, entropy, label_logprob, log2_d
    )
    ctx.constants = (temperature, ignore_index, vocab_size)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    logits, labels, row_temperature, *found = ctx.saved_tensors
    temperature, ignore_index, vocab_size = ctx.constants
    d_lse, _confidence, _prediction, d_entropy, _sum_p2, d_label_logprob, *_ = gradients
    sloped = row_temperature is not None and ctx.needs_input_grad[3]
    d_logits, d_row_temperature = _row_stats_backward_op(
        logits, labels, temperature, row_temperature, ignore_index, vocab_size, *found, d_lse,
        d_entropy, d_label_logprob, sloped,
    )  # fmt: skip
    if sloped and row_temperature.shape[0] == 1:
        d_row_temperature = d_row_temperature.sum(0, keepdim=True)
    wanted = d_logits if ctx.needs_input_grad[0] else None
    return wanted, None, None, d_row_temperature if sloped else None, None, None, None


_ARGUMENTS = (
    "Tensor logits, Tensor? labels, float temperature, Tensor? row_temperature, "
    "int ignore_index, SymInt vocab_size"
)
_row_stats_op = dispatch.register(
    "row_stats",
    f"({_ARGUMENTS}, int bins) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _run_row_stats,
    _fake_row_stats,
    _save,
    _backward,
)
_row_stats_backward_op = dispatch.register(
    "row_stats_backward",
    f"({_ARGUMENTS}, Tensor lse, Tensor prediction, Tensor entropy, Tensor label_logprob, "
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
    transforms.refuse_tangents("row_stats", logits, temperature)
    plain = checks.logits(logits)
    rows, columns = plain.shape
    size = checks.vocab_size(vocab_size, columns)
    wanted = checks.labels(labels, rows)
    number, row_temperature = checks.temperature(temperature, rows)
    if wanted is not None:
        wanted = dispatch.beside(plain, wanted)
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
        *found, seen, _log2_d = _row_stats_op(
            given, wanted, number, row_temperature, ignore_index, size, bins
        )
        stats = _present(found, wanted)
    else:
        stats, seen, _ = _row_stats(
            plain, wanted, number, row_temperature, ignore_index, size, bins
        )
    if histogram is not None:
        histogram.add(seen)
    if differentiated:
        stats = stats._replace(confidence=stats.confidence.detach(), sum_p2=stats.sum_p2.detach())
    return stats
