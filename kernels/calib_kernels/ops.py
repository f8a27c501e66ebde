"""``option_scores``: arguments checked, outputs allocated, a backend chosen, torch.library told.

The other ops are built in the same way: ``row_stats`` in ``rows``, ``histogram_delta`` in
``delta``.

``torch.ops.calib_kernels.option_scores`` is functional and opaque, so it passes opcheck and
``torch.compile(fullgraph=True)``; the backend is chosen when it runs. The public function below
calls the same implementation directly where nothing traces, which saves the dispatcher's share of a
small call.

What a backend's launcher is given
----------------------------------
A launcher writes into tensors that are allocated here. It neither checks nor waits for a device,
and allocates nothing but scratch of its own.
N >= 1 always; all tensors are on one device. Its module is imported at its first use.

``native.option_scores`` and ``gpu.options.option_scores``::

    option_scores(
        logits,        # (N, V) float32, bfloat16 or float16; stride(1) == 1; any stride(0), also 0
                       # or odd; any storage offset. Padding columns are already cut off.
        option_ids,    # (1 or N, O, M) int64, contiguous; one row serves all rows. -1 pads; other
                       # ids outside [0, V) make the row invalid and are not read. A repeat inside
                       # an option counts once. An option of padding only has probability 0.
        labels,        # (N,) int32 or int64, contiguous, any alignment of int; or None
        scale,         # float: log2(e)/T, from float64; unused where temperature is a tensor
        temperature,   # None, or (1,) or (N,) float32, contiguous: log2(e)/T is a float32 division;
                       # a value that is not in [1e-38, inf) makes the row invalid
        vocab_mode,    # bool: confidence is the predicted option's full-vocabulary probability
        ignore_index,  # int, compared before the label is used
        edges,         # (B-1,) float32, ``bins.edges``; or None: no histogram
        out,           # OptionScores of allocated contiguous tensors; correct is None iff labels is
        seen,          # (3B+1,) int64 zeros to add to (see ``bins``); None iff edges is
    ) -> None

Its rows, beyond the contract: a row is *lost* if it holds a NaN, two +inf, nothing but -inf, a bad
temperature or a wrong id. ``token`` is the argmax of the raw logits always (first NaN, first +inf).
Lost: every real output NaN (after a wrong id alone, vocab_entropy is still right), prediction 0,
valid False. All options -inf: prob, entropy and confidence NaN, logprob -inf, mass 0, prediction 0,
valid False. Label neither ignore_index nor in [0, O): confidence NaN, correct False, valid False,
the rest as usual. Ignored: correct False, valid as without labels, not in the histogram. Any other
row that is not valid goes to the histogram's invalid counter. One +inf: the limit, so an option
holding it has logprob 0, and where none does, logprob is -inf, mass 0 and prob still the softmax
over the options. prediction: the highest score, the first on ties, and equal to the comparison of
raw logits where options have one spelling: order options a, b by c*(max_a - max_b) + (s_a - s_b)
with s = log2(sum 2^(c*(x - max))), not by numbers that were shifted by the row's maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, reference
from calib_kernels import bins as binning
from calib_kernels.histogram import CalibrationHistogram


class OptionScores(NamedTuple):
    """What ``option_scores`` returns; float32 (float64 for float64 logits), in nats."""

    logprob: Tensor  # (N, O) log-probability in the whole vocabulary, spellings summed
    prob: Tensor  # (N, O) renormalised over the row's options
    mass: Tensor  # (N,) probability of all options together in the whole vocabulary
    confidence: Tensor  # (N,) prob of the predicted option; times mass in mode "vocab"
    prediction: Tensor  # (N,) int64 index of the likeliest option
    entropy: Tensor  # (N,) over the renormalised options
    vocab_entropy: Tensor  # (N,) over the whole vocabulary
    token: Tensor  # (N,) int64 likeliest token of the whole vocabulary
    correct: Tensor | None  # (N,) bool, prediction == label; None without labels
    valid: Tensor  # (N,) bool


def _outputs(
    logits: Tensor, options: int, labelled: bool, bins: int
) -> tuple[OptionScores, Tensor | None]:
    n = logits.shape[0]
    logprob = logits.new_empty((n, options), dtype=dispatch.real_dtype(logits))
    token = logits.new_empty(n, dtype=torch.int64)
    valid = logits.new_empty(n, dtype=torch.bool)
    out = OptionScores(
        logprob,
        logprob.new_empty((n, options)),
        logprob.new_empty(n),
        logprob.new_empty(n),
        token.new_empty(n),
        logprob.new_empty(n),
        logprob.new_empty(n),
        token,
        valid.new_empty(n) if labelled else None,
        valid,
    )
    seen = logits.new_zeros(binning.length(bins), dtype=torch.int64) if bins else None
    return out, seen


def _flat(out: OptionScores, seen: Tensor | None) -> tuple[Tensor, ...]:
    """As the registered op returns them: what is absent is an empty tensor."""
    correct = out.valid.new_empty(0) if out.correct is None else out.correct
    absent = out.token.new_empty(0)
    return (*out[:8], correct, out.valid, absent if seen is None else seen)


def _option_scores(
    logits: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    confidence: str,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[OptionScores, Tensor | None]:
    checks.host_option_ids(option_ids, vocab_size)
    name = backend.choose(logits.device, logits.dtype)
    logits = dispatch.columns(logits, vocab_size)
    option_ids = dispatch.beside(logits, option_ids).contiguous()
    vocab_mode = confidence == "vocab"
    if name == "reference" and logits.shape[0]:
        t = temperature if row_temperature is None else row_temperature
        *found, counted = reference.option_scores(
            logits, option_ids, labels, t, vocab_mode, ignore_index, bins
        )
        return _present(found, labels), counted
    out, seen = _outputs(logits, option_ids.shape[1], labels is not None, bins)
    if logits.shape[0] == 0:
        return out, seen
    dispatch.launcher(name, "option_scores")(
        logits,
        option_ids,
        None if labels is None else labels.contiguous(),
        dispatch.LOG2_E / temperature,
        None if row_temperature is None else row_temperature.contiguous(),
        vocab_mode,
        ignore_index,
        binning.edges(bins, torch.float32, logits.device) if bins else None,
        out,
        seen,
    )
    return out, seen


def _present(found: Sequence[Tensor], labels: Tensor | None) -> OptionScores:
    """The inverse of ``_flat``."""
    scores = OptionScores(*found)
    return scores if labels is not None else scores._replace(correct=None)


def _run_option_scores(
    logits: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    confidence: str,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[Tensor, ...]:
    return _flat(
        *_option_scores(
            logits, option_ids, labels, temperature, row_temperature, confidence, ignore_index,
            vocab_size, bins,
        )
    )  # fmt: skip


def _fake_option_scores(
    logits: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    temperature: float,
    row_temperature: Tensor | None,
    confidence: str,
    ignore_index: int,
    vocab_size: int,
    bins: int,
) -> tuple[Tensor, ...]:
    return _flat(*_outputs(logits, option_ids.shape[1], labels is not None, bins))


_option_scores_op = dispatch.register(
    "option_scores",
    "(Tensor logits, Tensor option_ids, Tensor? labels, float temperature, "
    "Tensor? row_temperature, str confidence, int ignore_index, SymInt vocab_size, int bins) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    _run_option_scores,
    _fake_option_scores,
)


def option_scores(
    logits: Tensor,
    option_ids: Tensor | Sequence[Any],
    labels: Tensor | None = None,
    *,
    temperature: float | Tensor = 1.0,
    confidence: str = "options",
    ignore_index: int = -100,
    vocab_size: int | None = None,
    histogram: CalibrationHistogram | None = None,
) -> OptionScores:
    """Score the options of N multiple-choice questions from the logits of their answer positions.

    logits (N, V); option_ids (O,), (O, M) or (N, O, M): the token ids that spell each option, -1
    pads. labels (N,): the index of the right option. With a histogram, its confidences and
    correctness are added in the same pass. An option's score is the log-sum-exp over its
    spellings; no gradient flows. Ids on the host are checked: one id in two options raises.
    """
    logits = checks.logits(logits)
    rows, columns = logits.shape
    size = checks.vocab_size(vocab_size, columns)
    ids = checks.option_ids(option_ids, rows)
    wanted = checks.labels(labels, rows)
    number, row_temperature = checks.temperature(temperature, rows)
    mode = checks.confidence_mode(confidence)
    if wanted is not None:
        wanted = dispatch.beside(logits, wanted)
    elif histogram is not None:
        raise ValueError("histogram needs labels, got labels=None")
    if row_temperature is not None:
        row_temperature = dispatch.beside(logits, row_temperature)
    bins = 0 if histogram is None else histogram.bins
    given = (logits, ids, wanted, number, row_temperature, mode, ignore_index, size, bins)
    if dispatch.traced(logits):
        *found, seen = _option_scores_op(*given)
        scores = _present(found, wanted)
    else:
        scores, seen = _option_scores(*given)
    if histogram is not None:
        histogram.add(seen)
    return scores
