"""Launchers of the C++ core: tensors in, addresses and strides on.

They write into what they are given (see ``ops`` for the arguments). Threads are the core's own, as
many as ``torch.get_num_threads()`` says; results do not depend on their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib_kernels import _native, grid

if TYPE_CHECKING:
    from calib_kernels.loss import Losses
    from calib_kernels.ops import OptionScores
    from calib_kernels.reference.loss import Shape
    from calib_kernels.rows import RowStats
    from calib_kernels.sampling import Addresses, Filters, Sample
    from calib_kernels.sweep import Sums

# Multiples of one base that the core takes together.
_MULTIPLES = (range(1, 9),)
_DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _addresses(fields: Iterable[Tensor | None]) -> Any:
    """A tuple of as many integers as there are fields."""
    return tuple([0 if field is None else field.data_ptr() for field in fields])


def _rows(
    logits: Tensor,
    labels: Tensor | None,
    ignore_index: int,
    scale: float,
    temperature: Tensor | None,
) -> tuple[Any, Any, Any]:
    """Logits, labels and temperature as the core takes them."""
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


def simd() -> str:
    """The instruction-set variant in use: v4 (AVX-512), v3 (AVX2) or baseline."""
    name: str = _native.simd()
    return name


def option_scores(
    logits: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    scale: float,
    temperature: Tensor | None,
    vocab_mode: bool,
    ignore_index: int,
    edges: Tensor | None,
    out: OptionScores,
    seen: Tensor | None,
) -> None:
    rows, wanted, temperatures = _rows(logits, labels, ignore_index, scale, temperature)
    _native.option_scores(
        rows,
        (option_ids.data_ptr(), option_ids.shape[0] == 1, *option_ids.shape[1:]),
        wanted,
        temperatures,
        vocab_mode,
        _bins(edges, seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def row_stats(
    logits: Tensor,
    labels: Tensor | None,
    scale: float,
    temperature: Tensor | None,
    ignore_index: int,
    edges: Tensor | None,
    out: RowStats,
    seen: Tensor | None,
    log2_d: Tensor | None,
) -> None:
    _native.row_stats(
        *_rows(logits, labels, ignore_index, scale, temperature),
        _bins(edges, seen),
        (*_addresses(out), _address(log2_d)),
        torch.get_num_threads(),
    )


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    scale: float,
    temperature: Tensor | None,
    ignore_index: int,
    edges: Tensor | None,
    shape: Shape,
    reduction: str,
    out: Losses,
    seen: Tensor | None,
) -> None:
    _native.cross_entropy(
        *_rows(logits, labels, ignore_index, scale, temperature),
        shape,
        _REDUCTIONS[reduction],
        _bins(edges, seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def logits_gradient(
    logits: Tensor,
    labels: Tensor | None,
    scale: float,
    temperature: Tensor | None,
    ignore_index: int,
    shape: Shape,
    top: Tensor,
    log2_d: Tensor,
    entropy: Tensor | None,
    d_loss: Tensor | None,
    d_lse: Tensor | None,
    d_entropy: Tensor | None,
    d_logits: Tensor,
    variance: Tensor | None,
) -> None:
    _native.logits_gradient(
        *_rows(logits, labels, ignore_index, scale, temperature),
        shape,
        (top.data_ptr(), log2_d.data_ptr(), _address(entropy)),
        (
            _address(d_loss),
            0 if d_loss is None else d_loss.stride(0),
            _address(d_lse),
            _address(d_entropy),
        ),
        (d_logits.data_ptr(), d_logits.stride(0), _address(variance)),
        torch.get_num_threads(),
    )


def temperature_sweep(
    logits: Tensor,
    option_ids: Tensor | None,
    labels: Tensor,
    temperatures: tuple[float, ...] | Tensor,
    ignore_index: int,
    derivatives: int,
    edges: Tensor | None,
    out: Sums,
    seen: Tensor | None,
) -> None:
    scales = grid.scales(list(temperatures))
    rows, wanted, _ = _rows(logits, labels, ignore_index, 1.0, None)
    ids = (0, True, 0, 0)
    if option_ids is not None:
        ids = (option_ids.data_ptr(), option_ids.shape[0] == 1, *option_ids.shape[1:])
    _native.temperature_sweep(
        rows,
        ids,
        wanted,
        scales,
        grid.groups(scales, _MULTIPLES) if option_ids is None else (),
        derivatives,
        _bins(edges, seen),
        _addresses(out),
        torch.get_num_threads(),
    )


def sample(
    logits: Tensor,
    scale: float,
    temperature: Tensor | None,
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
        *_rows(logits, None, 0, scale, temperature),
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
