"""Launchers of the C++ core: tensors in, addresses and strides on.

They write into what they are given (see ``ops`` for the arguments). Threads are the core's own, as
many as ``torch.get_num_threads()`` says; results do not depend on their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib_kernels import _native

if TYPE_CHECKING:
    from calib_kernels.loss import Losses
    from calib_kernels.ops import OptionScores
    from calib_kernels.reference.loss import Shape
    from calib_kernels.rows import RowStats

_DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _rows(
    logits: Tensor,
    labels: Tensor | None,
    ignore_index: int,
    scale: float,
    temperature: Tensor | None,
) -> tuple[tuple[Any, ...], ...]:
    """Logits, labels and temperature as the core takes them."""
    rows, columns = logits.shape
    return (
        (logits.data_ptr(), _DTYPES[logits.dtype], rows, columns, logits.stride(0)),
        (_address(labels), labels is not None and labels.dtype == torch.int64, ignore_index),
        (scale, _address(temperature), temperature is not None and temperature.shape[0] == 1),
    )


def _bins(edges: Tensor | None, seen: Tensor | None) -> tuple[int, int, int]:
    return _address(edges), 0 if edges is None else edges.shape[0] + 1, _address(seen)


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
        tuple(_address(field) for field in out),
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
        (*(_address(field) for field in out), _address(log2_d)),
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
        tuple(shape),
        _REDUCTIONS[reduction],
        _bins(edges, seen),
        tuple(_address(field) for field in out),
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
        tuple(shape),
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


def histogram_delta(
    confidence: Tensor, correct: Tensor, valid: Tensor | None, edges: Tensor, seen: Tensor
) -> None:
    _native.histogram_delta(
        confidence.data_ptr(),
        correct.data_ptr(),
        _address(valid),
        confidence.shape[0],
        _bins(edges, seen),
    )
