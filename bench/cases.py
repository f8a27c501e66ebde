"""What is timed: sizes, inputs, and the same scores as plain PyTorch would compute them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, option_scores, row_stats
from torch import Tensor

from bench.clock import Clock, Sampler

BINS = 15
OPTIONS = 4  # A, B, C, D
# Where a result has its confidence and its correctness.
FIELDS = {"option_scores": (3, 8), "row_stats": (1, 6)}


@dataclass(frozen=True)
class Case:
    """One size of one op: N rows of V logits, with or without the histogram in the same pass."""

    rows: int
    columns: int
    dtype: torch.dtype
    histogram: bool = False
    op: str = "option_scores"  # or row_stats

    @property
    def name(self) -> str:
        return f"{self.op}{' + histogram' if self.histogram else ''}"

    @property
    def logit_bytes(self) -> int:
        return self.rows * self.columns * self.dtype.itemsize

    @property
    def moved_bytes(self) -> int:
        """What any implementation has to read and write: the logits once, the results once."""
        # Per row: (N, O) twice, then reals, integers, flags.
        results = {"option_scores": 8 * OPTIONS + 4 * 4 + 8 * 2 + 2, "row_stats": 4 * 5 + 8 + 2}
        label = 8
        return self.logit_bytes + self.rows * (results[self.op] + label)


@dataclass(frozen=True)
class Inputs:
    logits: Tensor  # (N, V)
    ids: Tensor  # (O,) int64
    labels: Tensor  # (N,) int64


def inputs(case: Case, device: torch.device | str, count: int) -> list[Inputs]:
    """``count`` independent inputs: logits 3 N(0, 1), options on four scattered tokens.

    Labels are options or, for ``row_stats``, tokens.
    """
    generator = torch.Generator(device).manual_seed(case.columns)
    ids = torch.tensor([case.columns * k // (OPTIONS + 1) for k in range(1, OPTIONS + 1)])
    made = []
    for _ in range(count):
        logits = torch.empty(case.rows, case.columns, dtype=case.dtype, device=device)
        logits.normal_(0.0, 3.0, generator=generator)
        classes = OPTIONS if case.op == "option_scores" else case.columns
        labels = torch.randint(classes, (case.rows,), generator=generator, device=device)
        made.append(Inputs(logits, ids.to(device), labels))
    return made


def plain_scores(logits: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The fields of ``OptionScores`` in PyTorch as one would write them: float32 log_softmax,
    gather, entropies, argmax. No care for NaN, infinities or spellings."""
    logp = torch.log_softmax(logits, 1, dtype=torch.float32)
    logprob = logp.index_select(1, ids)
    log_mass = logprob.logsumexp(1, keepdim=True)
    inner = logprob - log_mass
    prob = inner.exp()
    confidence, prediction = prob.max(1)
    entropy = -(prob * inner).sum(1)
    vocab_entropy = -(logp.exp() * logp).sum(1)
    token = logits.argmax(1)
    correct = prediction == labels
    mass = log_mass[:, 0].exp()
    valid = confidence == confidence
    return (
        logprob, prob, mass, confidence, prediction, entropy, vocab_entropy, token, correct, valid,
    )  # fmt: skip


def plain_histogram(confidence: Tensor, correct: Tensor) -> Tensor:
    """(3, B) float32: counts, correct rows and summed confidence per bin."""
    index = (confidence * BINS).long().clamp(max=BINS - 1)
    amounts = torch.stack((torch.ones_like(confidence), correct.float(), confidence))
    return torch.zeros(3, BINS, device=confidence.device).index_add(1, index, amounts)


def plain_stats(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The fields of ``RowStats`` in PyTorch as one would write them. No care for special rows."""
    logp = torch.log_softmax(logits, 1, dtype=torch.float32)
    log_confidence, prediction = logp.max(1)
    p = logp.exp()
    # What log_softmax took off, without a pass of its own.
    lse = logits.gather(1, prediction[:, None])[:, 0].float() - log_confidence
    label_logprob = logp.gather(1, labels[:, None])[:, 0]
    confidence = log_confidence.exp()
    return (
        lse, confidence, prediction, -(p * logp).sum(1), p.square().sum(1), label_logprob,
        prediction == labels, confidence == confidence,
    )  # fmt: skip


def plain(case: Case) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
    """What ``ours`` computes, in plain PyTorch, of logits, ids and labels."""
    confidence, correct = FIELDS[case.op]

    def run(logits: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        by_option = case.op == "option_scores"
        found = plain_scores(logits, ids, labels) if by_option else plain_stats(logits, labels)
        if not case.histogram:
            return found
        return (*found, plain_histogram(found[confidence], found[correct]))

    return run


def ours(case: Case) -> Callable[[Inputs], Any]:
    histogram = CalibrationHistogram(BINS) if case.histogram else None
    if case.op == "row_stats":
        return lambda x: row_stats(x.logits, x.labels, histogram=histogram)
    return lambda x: option_scores(x.logits, x.ids, x.labels, histogram=histogram)


def eager(case: Case) -> Callable[[Inputs], Any]:
    run = plain(case)
    return lambda x: run(x.logits, x.ids, x.labels)


def compiled(case: Case) -> Callable[[Inputs], Any]:
    """``torch.compile`` of ``eager``, for this size alone."""
    torch.compiler.reset()  # nothing it learnt from another size, nor its limit of recompilations
    run = torch.compile(plain(case), dynamic=False, fullgraph=True)
    return lambda x: run(x.logits, x.ids, x.labels)


OURS = "calib_kernels"
# Name -> what makes the function to be timed. Raising there, or at the first call, leaves it out.
VARIANTS: dict[str, Callable[[Case], Callable[[Inputs], Any]]] = {
    OURS: ours,
    "eager": eager,
    "compile": compiled,
}


def bound(run: Callable[[Inputs], Any], x: Inputs) -> Callable[[], Any]:
    return lambda: run(x)


def made_ready(
    case: Case, given: Sequence[Inputs], clock: Clock
) -> tuple[dict[str, Sampler], dict[str, str]]:
    """The variants that run and agree, ready to be sampled; and why the others are left out."""
    samplers: dict[str, Sampler] = {}
    missing: dict[str, str] = {}
    expected = None
    for name, build in VARIANTS.items():
        try:
            run = build(case)
            confidence = run(given[0])[FIELDS[case.op][0]]
            expected = confidence if expected is None else expected
            torch.testing.assert_close(confidence, expected, rtol=0, atol=1e-4)
            samplers[name] = clock.sampler([bound(run, x) for x in given])
        except Exception as error:  # noqa: BLE001  (a rival may fail in any way; ours is reported)
            lines = str(error).strip().splitlines() or [""]
            missing[name] = f"{type(error).__name__}: {lines[0]}"
    return samplers, missing
