"""The ops as fuzzing calls them: how arguments are drawn, and what a result has to agree with.

An op joins with a strategy for its keyword arguments and a line in ``CALLS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import (
    CalibrationHistogram,
    cross_entropy,
    option_scores,
    row_stats,
)
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.agreement import compare
from tests.gate.cross_entropy import Outcome, disagreements
from tests.kernels import fuzz
from tests.kernels.fuzz import Case, any_size, any_upstream, in_float64, least_temperature, names_of
from tests.kernels.fuzz_heads import (
    head_arguments,
    heads,
    of_heads,
    whole_numbers,
    without_gradients,
)
from tests.kernels.fuzz_samples import draws, of_draws, sample_arguments
from tests.kernels.fuzz_sweeps import of_sweeps, sweep_arguments, sweeps


def everything(found: Any) -> Any:
    return found


def by_field(case: Case, found: Any, run: Callable[..., Any]) -> Iterable[str]:
    return compare(found, in_float64(case, run), names_of(case))


@st.composite
def _row_stats(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(any_size(columns))
    return {
        "labels": draw(fuzz.any_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
    }


@st.composite
def _option_scores(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(any_size(columns))
    ids = draw(fuzz.any_option_ids(columns if size is None else size, n))
    return {
        "option_ids": ids,
        "labels": draw(fuzz.any_labels(n, ids.shape[-1] if ids.dim() == 1 else ids.shape[-2])),
        "temperature": draw(fuzz.any_temperature(n)),
        "vocab_size": size,
        "confidence": draw(st.sampled_from(["options", "vocab"])),
        "ignore_index": draw(st.sampled_from([-100, -100, 0, 9])),
    }


@st.composite
def _cross_entropy(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(any_size(columns))
    return {
        "labels": draw(fuzz.present_labels(n, columns if size is None else size)),
        "temperature": draw(fuzz.any_temperature(n)),
        "upstream": draw(any_upstream(n)),
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.0, 0.1, 1.0])),
        "softcap": draw(st.sampled_from([None, None, 30.0, 0.5])),
        "z_loss": draw(st.sampled_from([0.0, 0.0, 1e-3])),
    }


def losses(
    logits: Tensor, labels: Tensor, temperature: float | Tensor, upstream: Tensor, **options: Any
) -> Outcome:
    """Of leaves that hold the values given, by row."""
    x, histogram = logits.detach().requires_grad_(), CalibrationHistogram(15)
    t = temperature
    if isinstance(t, Tensor):
        t = t.detach().clone().requires_grad_()
    loss = cross_entropy(x, labels, temperature=t, reduction="none", histogram=histogram, **options)
    loss.backward(upstream.to(loss.dtype))
    assert x.grad is not None
    slope = t.grad if isinstance(t, Tensor) else torch.zeros(len(x))
    assert slope is not None
    return Outcome(loss.detach(), slope.reshape(-1), x.grad, histogram.state_dict()["sums"])


def of_losses(case: Case, found: Outcome, run: Callable[..., Any]) -> Iterable[str]:
    """A temperature that rows share has the sum of their gradients, which is not compared, and a
    z-loss that leaves float32 has no gradient in it."""
    want = in_float64(case, run)
    n = len(case.logits)
    if n == 0:
        return []
    beyond = want.loss.float().isinf() & want.loss.isfinite()
    slopes = (
        o.d_temperature if len(o.d_temperature) == n else torch.zeros(n) for o in (found, want)
    )
    found, want = (
        o._replace(
            d_logits=o.d_logits.masked_fill(beyond[:, None], 0.0),
            d_temperature=slope.masked_fill(beyond, 0.0),
        )
        for o, slope in zip((found, want), slopes, strict=True)
    )
    options = {k: v for k, v in case.arguments.items() if v is not None}
    return disagreements(found, want, names_of(case), options, least_temperature(case))


@dataclass(frozen=True)
class Fuzzed:
    run: Callable[..., Any]  # (logits, **arguments) -> a named tuple
    arguments: Callable[..., st.SearchStrategy[dict[str, Any]]]  # of (N, V)
    wrong: Callable[..., Iterable[str]] = by_field  # (case, what was found, run)
    same: Callable[[Any], Any] = everything  # of what was found, the bits of any layout and threads
    histogram: bool = False  # whether the results are those that fill a histogram, row by row
    values: Callable[[Tensor], Tensor] = torch.Tensor.clone  # what becomes of the rows drawn
    columns: st.SearchStrategy[int] | None = None  # where not as many as are asked for


CALLS = {
    "row_stats": Fuzzed(row_stats, _row_stats, histogram=True),
    "option_scores": Fuzzed(option_scores, _option_scores, histogram=True),
    "cross_entropy": Fuzzed(losses, _cross_entropy, of_losses),
    "temperature_sweep": Fuzzed(sweeps, sweep_arguments, of_sweeps),
    "sample": Fuzzed(draws, sample_arguments, of_draws),
    "linear_cross_entropy": Fuzzed(
        heads,
        head_arguments,
        of_heads,
        without_gradients,
        values=whole_numbers,
        columns=st.integers(1, 20),
    ),
}


@st.composite
def cases(
    draw: st.DrawFn,
    op: str,
    width: st.SearchStrategy[int] = fuzz.COLUMNS,
    special: tuple[float, ...] = fuzz.SPECIAL + fuzz.LOWEST,
) -> Case:
    call = CALLS[op]
    columns = draw(width if call.columns is None else call.columns)
    dtype = draw(st.sampled_from(fuzz.DTYPES))
    values = call.values(draw(fuzz.any_rows(columns, special))).to(dtype)
    layout, logits = draw(fuzz.any_layout(values))
    return Case(logits, draw(call.arguments(len(logits), columns)), layout)
