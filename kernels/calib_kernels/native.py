"""Launchers of the C++ core: tensors in, addresses and strides on.

What each is given is written in its op's file (``ops``). Threads are the core's own, as
many as ``torch.get_num_threads()`` says; results do not depend on their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib_kernels import _native, grid

if TYPE_CHECKING:
    from calib_kernels.ops.cross_entropy import Losses
    from calib_kernels.ops.logits_gradient import Saved, Upstream
    from calib_kernels.ops.option_scores import OptionScores
    from calib_kernels.ops.row_stats import RowStats
    from calib_kernels.ops.sample import Addresses, Filters, Sample
    from calib_kernels.ops.temperature_sweep import Sums
    from calib_kernels.reference.cross_entropy import LossTerms
    from calib_kernels.rows import Launch

# Multiples of one base that the core takes together.
_MULTIPLES = (range(1, 9),)
_DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _addresses(fields: Iterable[Tensor | None]) -> Any:
    """A tuple of as many integers as there are fields."""
    return tuple([0 if field is None else field.data_ptr() for field in fields])


def _rows(rows: Launch) -> tuple[Any, Any, Any]:
    """Logits, labels and temperature as the core takes them."""
    logits, labels, scale, temperature, ignore_index, _edges, _seen = rows
    # Calls are few and conditions are inline: on short rows, Python is what a call costs.
    return (
        (logits.data_ptr(), _DTYPES[logits.dtype], *logits.shape, logits.stride(0)),
        (0, False, ignore_index)
        if labels is None
        else (labels.data_ptr(), labels.dtype is torch.int64, ignore_index),
        (scale, 0, False)
        if temperature is None
        else (scale, temperature.data_ptr(), temperature.shape[0] == 1),
    )


def _bins(edges: Tensor | None, seen: Tensor | None) -> tuple[int, int, int]:
    if edges is None or seen is None:
        return 0, 0, 0
    return edges.data_ptr(), edges.shape[0] + 1, seen.data_ptr()


def _ids(option_ids: Tensor | None) -> tuple[Any, ...]:
    if option_ids is None:
        return 0, True, 0, 0
    return option_ids.data_ptr(), option_ids.shape[0] == 1, *option_ids.shape[1:]


def simd() -> str:
    """The instruction-set variant in use: v4 (AVX-512), v3 (AVX2) or baseline."""
    name: str = _native.simd()
    return name


def option_scores(rows: Launch, option_ids: Tensor, vocab_mode: bool, out: OptionScores) -> None:
    logits, labels, temperature = _rows(rows)
    _native.option_scores(
        logits,
        _ids(option_ids),
        labels,
        temperature,
        vocab_mode,
        _bins(rows.edges, rows.seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def row_stats(rows: Launch, out: RowStats, log2_d: Tensor | None) -> None:
    _native.row_stats(
        *_rows(rows),
        _bins(rows.edges, rows.seen),
        (*_addresses(out), _address(log2_d)),
        torch.get_num_threads(),
    )


def cross_entropy(rows: Launch, terms: LossTerms, reduction: str, out: Losses) -> None:
    _native.cross_entropy(
        *_rows(rows),
        terms,
        _REDUCTIONS[reduction],
        _bins(rows.edges, rows.seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def logits_gradient(
    rows: Launch,
    terms: LossTerms,
    saved: Saved,
    upstream: Upstream,
    d_logits: Tensor,
    variance: Tensor | None,
) -> None:
    loss, lse, entropy = upstream
    _native.logits_gradient(
        *_rows(rows),
        terms,
        _addresses(saved),
        (_address(loss), 0 if loss is None else loss.stride(0), _address(lse), _address(entropy)),
        (d_logits.data_ptr(), d_logits.stride(0), _address(variance)),
        torch.get_num_threads(),
    )


def temperature_sweep(
    rows: Launch,
    option_ids: Tensor | None,
    temperatures: tuple[float, ...] | Tensor,
    derivatives: int,
    out: Sums,
) -> None:
    scales = grid.scales(list(temperatures))
    logits, labels, _ = _rows(rows)
    _native.temperature_sweep(
        logits,
        _ids(option_ids),
        labels,
        scales,
        grid.groups(scales, _MULTIPLES) if option_ids is None else (),
        derivatives,
        _bins(rows.edges, rows.seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def sample(
    rows: Launch,
    addresses: Addresses | None,
    uniforms: Tensor | None,
    filters: Filters,
    greedy: bool,
    out: Sample,
) -> None:
    if addresses is None:
        noise = (0, 0, True, 0, 0, True)
    else:
        seed, item, index, step = addresses
        one_item, one_step = item.shape[0] == 1, step.shape[0] == 1
        noise = (seed, item.data_ptr(), one_item, index.data_ptr(), step.data_ptr(), one_step)
    _native.sample(
        *_rows(rows),
        (*noise, _address(uniforms), out.token.shape[1], *filters, greedy),
        _addresses(out),
        torch.get_num_threads(),
    )


def histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, edges: Tensor, seen: Tensor
) -> None:
    _native.histogram_delta(
        confidence.data_ptr(),
        correct.data_ptr(),
        _address(valid),
        confidence.shape[0],
        _bins(edges, seen),
        torch.get_num_threads(),
    )
