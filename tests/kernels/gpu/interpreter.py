"""Runs the Triton kernels in Triton's interpreter, in a process of its own.

Triton decides when a kernel is defined whether it will be compiled or interpreted, so the two
cannot live in one process. Reads pickled (name, args, kwargs) from its input and writes back what
that function of this file returned, or the traceback.
"""

from __future__ import annotations

import pickle
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import calib_kernels
import numpy as np
import torch
from calib_kernels import bins
from calib_kernels.dispatch import launcher
from calib_kernels.gpu import sample_sums, tuning
from calib_kernels.gpu.tuning import RowTuning
from calib_kernels.ops.temperature_sweep import Sums
from calib_kernels.rows import Launch
from triton.runtime.interpreter import ReduceOps

from tests.gate.cross_entropy import Outcome, outcome
from tests.gate.poisoned import Poisoned
from tests.gate.row_stats import LOG2_E

# numpy reports each NaN and infinity of the rows that are made of them.
warnings.simplefilter("ignore", RuntimeWarning)


def add_in_trees() -> None:
    """Sums that share a reduction meet in a tree on a GPU. The interpreter adds them one by one,
    which loses digits where terms are alike; as it does a single sum, NumPy adds in pairs."""
    one_by_one = ReduceOps.apply_impl

    def apply_impl(self: Any, terms: Any) -> Any:
        if self.combine_fn is not sample_sums.add_both:
            return one_by_one(self, terms)
        return tuple(
            self.to_tensor(np.sum(x.handle.data, axis=self.axis, keepdims=self.keep_dims), x.dtype)
            for x in terms
        )

    ReduceOps.apply_impl = apply_impl


def launch(
    logits: torch.Tensor,
    labels: torch.Tensor | None,
    temperature: float | torch.Tensor,
    bin_count: int,
    seen: torch.Tensor,
) -> Launch:
    """Rows as launchers take them; with a histogram if they have labels."""
    host = isinstance(temperature, float)
    edges = bins.edges(bin_count, torch.float32, torch.device("cpu"))
    return Launch(
        logits, labels, LOG2_E / temperature if host else 1.0, None if host else temperature, -100,
        None if labels is None else edges, None if labels is None else seen,
    )  # fmt: skip


def option_scores(
    logits: torch.Tensor,
    ids: torch.Tensor,
    labels: torch.Tensor | None,
    temperature: float | torch.Tensor,
    vocab_mode: bool,
    tune: dict[str, int],
    split: bool,
    bin_count: int = 15,
) -> Poisoned:
    """The launcher on poisoned outputs."""
    result = Poisoned.of(logits.shape[0], ids.shape[1], bin_count, "cpu")
    out = result.out if labels is not None else result.out._replace(correct=None)
    launcher("triton", "option_scores")(
        launch(logits, labels, temperature, bin_count, result.seen), ids, vocab_mode, out,
        tune=RowTuning(**tune), split=split, slow=result.slow,
    )  # fmt: skip
    return result


def row_stats(
    logits: torch.Tensor,
    labels: torch.Tensor | None,
    temperature: float | torch.Tensor,
    tune: dict[str, int],
    split: bool,
    bin_count: int = 15,
) -> Poisoned:
    """The launcher on poisoned outputs."""
    result = Poisoned.of_rows(logits.shape[0], bin_count, "cpu")
    unlabelled = result.out._replace(label_logprob=None, correct=None)
    launcher("triton", "row_stats")(
        launch(logits, labels, temperature, bin_count, result.seen),
        unlabelled if labels is None else result.out,
        tune=RowTuning(**tune), split=split, slow=result.slow,
    )  # fmt: skip
    return replace(result, out=unlabelled) if labels is None else result


def public_row_stats(*args: Any, bin_count: int = 0, **kwargs: Any) -> Any:
    """The public op on this backend: (stats, the histogram's counts if it is to have one)."""
    if bin_count:
        kwargs["histogram"] = calib_kernels.CalibrationHistogram(bin_count)
    with calib_kernels.use_backend("triton"):
        stats = calib_kernels.row_stats(*args, **kwargs)
    return tuple(stats), kwargs["histogram"].count if bin_count else None


def public_option_scores(*args: Any, bin_count: int = 0, **kwargs: Any) -> Any:
    """The public op on this backend: (scores, the histogram's counts if it is to have one)."""
    if bin_count:
        kwargs["histogram"] = calib_kernels.CalibrationHistogram(bin_count)
    with calib_kernels.use_backend("triton"):
        scores = calib_kernels.option_scores(*args, **kwargs)
    return tuple(scores), kwargs["histogram"].count if bin_count else None


@contextmanager
def small_blocks(tune: dict[str, int], split: bool, formed: bool) -> Iterator[None]:
    """Other blocks of the loss; split rows or whole ones; its gradient formed with it, or not."""
    small = RowTuning(**tune)
    names = ("LOSS", "LOSS_CAPPED", "LOSS_FORMED", "LOSS_FORMED_8", "GRADIENT")
    changed: dict[str, Any] = {**dict.fromkeys(names, small), "SPLIT_ROWS": 10**6 if split else 0}
    changed["FORMED"] = (torch.float32, torch.float16, torch.bfloat16) if formed else ()
    before = {name: getattr(tuning, name) for name in changed}
    try:
        for name, value in changed.items():
            setattr(tuning, name, value)
        with calib_kernels.use_backend("triton"):
            yield
    finally:
        for name, value in before.items():
            setattr(tuning, name, value)


def loss_outcome(
    given: tuple[torch.Tensor, ...],
    tune: dict[str, int],
    split: bool,
    formed: bool = False,
    **options: Any,
) -> Outcome:
    """``outcome`` of the public op with other blocks."""
    with small_blocks(tune, split, formed):
        return outcome(*given, **options)


def loss_gradients(
    logits: torch.Tensor,
    labels: torch.Tensor,
    tune: dict[str, int],
    formed: bool,
    sent: list[float],
    **options: Any,
) -> tuple[str, torch.Tensor, list[torch.Tensor]]:
    """What made the loss, the loss, and the gradient of each number that is sent to it, in turn.

    Each is changed once it is known, as an optimizer might.
    """
    with small_blocks(tune, False, formed):
        x = logits.detach().requires_grad_()
        loss = calib_kernels.cross_entropy(x, labels, **options)
        found = []
        for number in sent:
            (gradient,) = torch.autograd.grad(loss, x, torch.tensor(number), retain_graph=True)
            found.append(gradient.clone())
            gradient.mul_(3.0)
        return type(loss.grad_fn).__name__, loss.detach(), found


def formed_elsewhere(tune: dict[str, int]) -> dict[str, Any]:
    """Pairs that must be equal: where the gradient may be formed, and plain autograd of it."""
    from tests.kernels.gpu import formed_cases

    with small_blocks(tune, False, True):
        return formed_cases.pairs()


def gradient_of(
    given: tuple[Any, ...],
    d_logits: torch.Tensor,
    variance: torch.Tensor | None,
    tune: dict[str, int],
    unless: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(gradient, variance) of the launcher, written into memory laid out as d_logits is."""
    launcher("triton", "logits_gradient")(
        *given, d_logits, variance, unless=unless, tune=RowTuning(**tune)
    )
    return d_logits, variance


def temperature_sweep(
    logits: torch.Tensor, labels: torch.Tensor, temperatures: Any, tune: dict[str, int]
) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """The launcher with both derivatives: (sums, the last read's second readings, histograms)."""
    host = not isinstance(temperatures, torch.Tensor)
    k = len(temperatures)
    out = Sums(*(torch.full((k,), -77.0).double() for _ in range(3)), torch.tensor(-77))
    seen = torch.zeros((k, bins.length(15)), dtype=torch.int64)
    slow = torch.full((logits.shape[0],), -77, dtype=torch.int32)
    launcher("triton", "temperature_sweep")(
        launch(logits, labels, 1.0, 15, seen), None,
        tuple(temperatures) if host else temperatures, 2, out, tune=RowTuning(**tune), slow=slow,
    )  # fmt: skip
    return tuple(out), slow, seen


def public_temperature_sweep(*args: Any, **kwargs: Any) -> Any:
    """The public op on this backend."""
    with calib_kernels.use_backend("triton"):
        found = calib_kernels.temperature_sweep(*args, **kwargs)
    return (*found[:3], None, found.count)


def swept_correct(
    logits: torch.Tensor, labels: torch.Tensor, temperatures: list[float], ids: torch.Tensor
) -> torch.Tensor:
    """How many rows are answered correctly at each temperature (K,)."""
    with calib_kernels.use_backend("triton"):
        found = calib_kernels.temperature_sweep(
            logits, labels, temperatures, option_ids=ids, bins=5
        )
    return torch.stack([histogram.correct.sum() for histogram in found.histograms or ()])


def public(op: str, *args: Any, **kwargs: Any) -> Any:
    """Any public op on this backend."""
    with calib_kernels.use_backend("triton"):
        return getattr(calib_kernels, op)(*args, **kwargs)


def sampled_in_walks(walk: int, logits: torch.Tensor, **arguments: Any) -> Any:
    """``sample`` where a program of the first pass walks so many blocks of 4,096."""
    before = tuning.SPLIT_ROWS, tuning.SAMPLE_WALK
    try:
        tuning.SPLIT_ROWS, tuning.SAMPLE_WALK = 0, walk
        return tuple(public("sample", logits, **arguments))
    finally:
        tuning.SPLIT_ROWS, tuning.SAMPLE_WALK = before


def drawn(op: str, logits: torch.Tensor, **arguments: Any) -> Any:
    """A drawn call of an op on this backend."""
    from tests.kernels.fuzz_calls import CALLS  # hypothesis is needed for these alone

    with calib_kernels.use_backend("triton"):
        return CALLS[op].run(logits, **arguments)


def histogram_delta(
    confidence: torch.Tensor, correct: torch.Tensor, valid: torch.Tensor | None, bin_count: int
) -> torch.Tensor:
    seen = torch.zeros(bins.length(bin_count), dtype=torch.int64)
    edges = bins.edges(bin_count, torch.float32, torch.device("cpu"))
    launcher("triton", "histogram_delta")(confidence, correct, valid, edges, seen)
    return seen


def serve() -> None:
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that prints may come between replies
    while True:
        try:
            name, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        try:
            reply = (globals()[name](*args, **kwargs), None)
        except Exception:  # noqa: BLE001  (the caller raises it again)
            reply = (None, traceback.format_exc())
        pickle.dump(reply, replies)
        replies.flush()


if __name__ == "__main__":
    add_in_trees()
    serve()
