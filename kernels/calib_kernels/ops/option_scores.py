"""``option_scores``: what a model makes of the options of a question, from one read of its logits.

Launchers, ``native.option_scores`` and ``gpu.option_scores.option_scores``::

    option_scores(
        rows,          # Launch; labels are options
        option_ids,    # (1 or N, O, M) int64, contiguous; one row serves all rows. -1 pads; other
                       # ids outside [0, V) make the row invalid and are not read. A repeat inside
                       # an option counts once. An option of padding only has probability 0.
        vocab_mode,    # bool: confidence is the predicted option's full-vocabulary probability
        out,           # OptionScores of allocated contiguous tensors; correct is None iff labels is
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

from torch import Tensor

from calib_kernels import checks, dispatch, reference
from calib_kernels.histogram import CalibrationHistogram
from calib_kernels.results import BOOL, INT, Field, Table, present
from calib_kernels.rows import SCHEMA, Rows, given, ready


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


TABLE: Table[OptionScores] = Table(
    OptionScores,
    logprob=Field("NO"),
    prob=Field("NO"),
    mass=Field("N"),
    confidence=Field("N"),
    prediction=Field("N", INT),
    entropy=Field("N"),
    vocab_entropy=Field("N"),
    token=Field("N", INT),
    correct=Field("N", BOOL),
    valid=Field("N", BOOL),
)


def _absent(rows: Rows) -> tuple[str, ...]:
    return ("correct",) if rows.labels is None else ()


def read(rows: Rows, option_ids: Tensor, confidence: str) -> tuple[OptionScores, Tensor | None]:
    checks.host_option_ids(option_ids, rows.vocab_size)
    n, name, vocab_mode = rows.logits.shape[0], rows.backend, confidence == "vocab"
    option_ids = dispatch.beside(rows.logits, option_ids).contiguous()
    if name == "reference" and n:
        *found, counted = reference.option_scores(
            rows.cut(), option_ids, rows.labels, rows.t, vocab_mode, rows.ignore_index, rows.bins
        )
        return TABLE.read(found, _absent(rows)), counted
    out = TABLE.empty(rows.logits, _absent(rows), N=n, O=option_ids.shape[1])
    seen = rows.histogram()
    if n:
        dispatch.launcher(name, "option_scores")(ready(rows, seen), option_ids, vocab_mode, out)
    return out, seen


def _flat(rows: Rows, scores: OptionScores, seen: Tensor | None) -> tuple[Tensor, ...]:
    return *TABLE.flat(rows.logits, scores), present(rows.logits, seen)


def _run_option_scores(*arguments: Any) -> tuple[Tensor, ...]:
    *row_arguments, option_ids, confidence = arguments
    rows = Rows(*row_arguments)
    return _flat(rows, *read(rows, option_ids, confidence))


def _fake_option_scores(*arguments: Any) -> tuple[Tensor, ...]:
    *row_arguments, option_ids, _confidence = arguments
    rows = Rows(*row_arguments)
    out = TABLE.empty(rows.logits, _absent(rows), N=rows.logits.shape[0], O=option_ids.shape[1])
    return _flat(rows, out, rows.histogram())


_option_scores_op = dispatch.register(
    "option_scores",
    f"({SCHEMA}, Tensor option_ids, str confidence) -> {TABLE.schema(1)}",
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
    bins = 0 if histogram is None else histogram.bins
    rows, _ = given("option_scores", logits, labels, temperature, ignore_index, vocab_size, bins)
    ids = checks.option_ids(option_ids, rows.logits.shape[0])
    mode = checks.confidence_mode(confidence)
    if dispatch.traced(logits):
        *found, seen = _option_scores_op(*rows, ids, mode)
        scores = TABLE.read(found, _absent(rows))
    else:
        scores, seen = read(rows, ids, mode)
    if histogram is not None:
        histogram.add(seen)
    return scores
