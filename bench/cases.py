"""What is timed: sizes, inputs, and the same scores as plain PyTorch would compute them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import CalibrationHistogram, option_scores
from torch import Tensor

from bench.clock import Clock, Sampler

BINS = 15
OPTIONS = 4  # A, B, C, D


@dataclass(frozen=True)
class Case:
    """One size of one op: N rows of V logits, with or without the histogram in the same pass."""

    rows: int
    columns: int
    dtype: torch.dtype
    histogram: bool = False

    @property
    def name(self) -> str:
        return f"option_scores{' + histogram' if self.histogram else ''}"

    @property
    def logit_bytes(self) -> int:
        return self.rows * self.columns * self.dtype.itemsize

    @property
    def moved_bytes(self) -> int:
        """What any implementation has to read and write: the logits once, the results once."""
        results = 8 * OPTIONS + 4 * 4 + 8 * 2 + 2  # per row: (N, O) twice, reals, integers, flags
        label = 8
        return self.logit_bytes + self.rows * (results + label)


@dataclass(frozen=True)
class Inputs:
    logits: Tensor  # (N, V)
    ids: Tensor  # (O,) int64
    labels: Tensor  # (N,) int64


def inputs(case: Case, device: torch.device | str, count: int) -> list[Inputs]:
    """``count`` independent inputs: logits 3 N(0, 1), options on four scattered tokens."""
    generator = torch.Generator(device).manual_seed(case.columns)
    ids = torch.tensor([case.columns * k // (OPTIONS + 1) for k in range(1, OPTIONS + 1)])
    made = []
    for _ in range(count):
        logits = torch.empty(case.rows, case.columns, dtype=case.dtype, device=device)
        logits.normal_(0.0, 3.0, generator=generator)
        labels = torch.randint(OPTIONS, (case.rows,), generator=generator, device=device)
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


def plain_scores_and_histogram(logits: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    scores = plain_scores(logits, ids, labels)
    return (*scores, plain_histogram(scores[3], scores[8]))


def ours(case: Case) -> Callable[[Inputs], Any]:
    histogram = CalibrationHistogram(BINS) if case.histogram else None
    return lambda x: option_scores(x.logits, x.ids, x.labels, histogram=histogram)


def eager(case: Case) -> Callable[[Inputs], Any]:
    plain = plain_scores_and_histogram if case.histogram else plain_scores
    return lambda x: plain(x.logits, x.ids, x.labels)


def compiled(case: Case) -> Callable[[Inputs], Any]:
    """``torch.compile`` of ``eager``, for this size alone."""
    torch.compiler.reset()  # nothing it learnt from another size, nor its limit of recompilations
    plain = plain_scores_and_histogram if case.histogram else plain_scores
    run = torch.compile(plain, dynamic=False, fullgraph=True)
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
            confidence = run(given[0])[3]
            expected = confidence if expected is None else expected
            torch.testing.assert_close(confidence, expected, rtol=0, atol=1e-4)
            samplers[name] = clock.sampler([bound(run, x) for x in given])
        except Exception as error:  # noqa: BLE001  (a rival may fail in any way; ours is reported)
            lines = str(error).strip().splitlines() or [""]
            missing[name] = f"{type(error).__name__}: {lines[0]}"
    return samplers, missing
