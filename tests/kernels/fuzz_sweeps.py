"""temperature_sweep as fuzzing calls it: each row alone, then all together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from calib_kernels import Sweep, temperature_sweep
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.agreement import compare_sweeps
from tests.kernels import fuzz
from tests.kernels.fuzz import Case, any_size, in_float64, names_of


class Sweeps(NamedTuple):
    alone: list[Sweep]
    together: Sweep


@st.composite
def _temperatures(draw: st.DrawFn) -> list[float] | Tensor:
    """On a grid in 1/T, also one with holes; any; on the device, where they may be bad; many."""
    kind = draw(st.sampled_from(["grid", "grid", "grid", "any", "any", "tensor", "many"]))
    if kind == "many":  # so many that the C++ core counts values first
        return [0.3 * 1.05**k for k in range(40)]
    if kind == "grid":
        base = draw(st.sampled_from([0.25, 1.0, 1e-3, 7.3]))
        return [1 / (base * k) for k in draw(st.lists(st.integers(1, 9), min_size=1, max_size=9))]
    good = st.sampled_from([*fuzz.TEMPERATURES, 0.93, 1.1, 2.2])
    if kind == "any":
        return draw(st.lists(good, min_size=1, max_size=6))
    some = st.one_of(good, st.sampled_from(fuzz.BAD_TEMPERATURES))
    return torch.tensor(draw(st.lists(some, min_size=1, max_size=5)))


@st.composite
def sweep_arguments(draw: st.DrawFn, n: int, columns: int) -> dict[str, Any]:
    size = draw(any_size(columns))
    there = columns if size is None else size
    ids = draw(fuzz.any_option_ids(there, n)) if draw(st.integers(0, 2)) == 0 else None
    if ids is not None:
        ids = ids[None] if ids.dim() == 2 else ids if ids.dim() == 3 else ids[None, :, None]
    return {
        "labels": draw(fuzz.present_labels(n, there if ids is None else ids.shape[1])),
        "temperatures": draw(_temperatures()),
        "option_ids": ids,
        "vocab_size": size,
        "ignore_index": draw(st.sampled_from([-100, -100, 0, columns])),
    }


def sweeps(logits: Tensor, labels: Tensor, option_ids: Tensor | None, **options: Any) -> Sweeps:
    def swept(rows: slice) -> Sweep:
        own = option_ids
        if own is not None and own.shape[0] > 1:
            own = own[rows]
        return temperature_sweep(
            logits[rows], labels[rows], option_ids=own, bins=9, derivatives=2, **options
        )

    return Sweeps([swept(slice(i, i + 1)) for i in range(len(logits))], swept(slice(None)))


def of_sweeps(case: Case, found: Sweeps, run: Callable[..., Any]) -> Iterator[str]:
    t = case.arguments["temperatures"]
    truth = in_float64(case, run)
    t = t.tolist() if isinstance(t, Tensor) else t
    for name, got, want in zip(names_of(case), found.alone, truth.alone, strict=True):
        yield from compare_sweeps(got, want, t, name)
        for mine, theirs in zip(got.histograms or (), want.histograms or (), strict=True):
            if mine.invalid != theirs.invalid or mine.count.sum() != theirs.count.sum():
                yield f"{name} is counted as {mine.count.tolist()}, {mine.invalid}"
    for field in ("nll", "grad", "hess"):
        parts = [getattr(one, field) for one in found.alone]
        total = sum(parts, torch.zeros(len(t), dtype=torch.float64))
        size = sum((part.abs() for part in parts), torch.zeros(len(t), dtype=torch.float64))
        got = getattr(found.together, field)
        same = (
            (got == total) | (got.isnan() & total.isnan()) | ((got - total).abs() <= 1e-12 * size)
        )
        # A bad temperature has no sum, whatever the rows are, if there are any.
        if not same[~got.isnan()].all() or (parts and not same.all()):
            yield f"{field} of all rows is {got.tolist()}, of each added {total.tolist()}"
