"""Logits of a language model's head, a part at a time: what the ops ``linear_*`` share.

    logits = hidden weight^T + bias        hidden (N, H), weight (V, H), bias (V,)

The vendor's GEMM writes some rows of logits, or a tile of some rows and columns, into one buffer
that is used over and over; all the logits never exist together.

The logits have the dtype of hidden and weight. For bfloat16 those are, to the bit, the logits that
the model itself would hand on, and it is the model's confidence that is measured here; the product
is summed in float32 and rounded once. float16 leaves at 65,504, so there operands are widened a
part at a time, and logits are float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend


class Budget(NamedTuple):
    """The most bytes at once of what is held beside the inputs and the gradients returned."""

    logits: int  # whole rows, forward
    tile: int  # of logits, backward
    weight: int  # a part that is widened, or of its gradient that is summed
    hidden: int  # the part of the gradient of the hidden states that is summed


# A GPU's products want many rows and columns, and add to a sum in place; operands that are widened
# take as much room again as the sums.
BUDGETS = {
    "cpu": Budget(64 * 2**20, 64 * 2**20, 16 * 2**20, 32 * 2**20),
    "cuda": Budget(128 * 2**20, 48 * 2**20, 64 * 2**20, 128 * 2**20),
    "cuda, widened": Budget(128 * 2**20, 48 * 2**20, 16 * 2**20, 64 * 2**20),
}
# Where all the logits take no more, they are stored for the backward pass, which saves a product.
STORED_BYTES = 96 * 2**20
# Logits that become gradients at once in the forward pass. Each part of the rows reads and writes
# the sums of the weight's gradient, so a GPU takes few. A CPU's products of bfloat16 take room of
# their own beside them.
FORMED_BYTES = {"cpu": 128 * 2**20, "cpu, bfloat16": 64 * 2**20, "cuda": 256 * 2**20}
# The least that ``linear_cross_entropy`` may be bounded to, and what it holds beside logits and
# gradients: parts of sums, and what allocators keep.
LEAST_MEMORY = 256 * 2**20
_BESIDE = 96 * 2**20
# Rows of a buffer start at a multiple of this many logits, which fast GEMM kernels ask for.
_ALIGNED = 64


def budget(weight: Tensor) -> Budget:
    """That of a weight's device and dtype."""
    widened = ", widened" if weight.dtype == torch.float16 else ""
    return BUDGETS["cuda" + widened if weight.is_cuda else "cpu"]


def logits_dtype(weight: Tensor) -> torch.dtype:
    return torch.float32 if weight.dtype == torch.float16 else weight.dtype


def sums_dtype(weight: Tensor) -> torch.dtype:
    """Of what is summed over parts (R19)."""
    return torch.float64 if weight.dtype == torch.float64 else torch.float32


def _stride(columns: int) -> int:
    return -(-columns // _ALIGNED) * _ALIGNED


def buffer(like: Tensor, rows: int, columns: int) -> Tensor:
    """Room for (rows, columns) logits and the padding behind each row."""
    return like.new_empty((rows, _stride(columns)), dtype=logits_dtype(like))


def few(weight: Tensor, rows: int) -> bool:
    """Whether all the logits of so many rows are few enough to be stored."""
    size = rows * _stride(weight.shape[0]) * logits_dtype(weight).itemsize
    # Parts that are widened take up to 120 MiB beside them: glibc keeps what was freed.
    return size <= (STORED_BYTES * 2 // 3 if weight.dtype == torch.float16 else STORED_BYTES)


def rows_to_form(weight: Tensor, rows: int, memory: int, wanted: Sequence[bool]) -> int:
    """How many whole rows of logits become gradients at a time in the forward pass.

    ``memory``: of the logits, and of the gradients of hidden states and weight that are ``wanted``
    and wait for the backward pass, with their sums; 0: not bounded. Returns 0 where it is too
    little.
    """
    columns, hidden = weight.shape
    size, wide = weight.dtype.itemsize, sums_dtype(weight).itemsize
    row = _stride(columns) * size
    own = ", bfloat16" if weight.dtype == torch.bfloat16 else ""
    most = FORMED_BYTES["cuda" if weight.is_cuda else "cpu" + own] // row
    if backend.choose(weight.device, weight.dtype) == "reference":
        most //= 8
    at_once = max(1, min(rows, _aligned(most)))
    if not memory:
        return at_once
    waiting = (rows * hidden * bool(wanted[0]) + columns * hidden * bool(wanted[1])) * size
    left = memory - _BESIDE - waiting
    if rows * row > left and wanted[1] and wide > size:
        left -= columns * hidden * wide  # sums of several parts
    return min(at_once, _aligned(left // row)) if left >= row else 0


def tile(room: Tensor, rows: int, columns: int) -> Tensor:
    """The first rows and columns (rows, columns) of a buffer, for products that sum over columns.

    Nothing but 0 follows them: a bfloat16 GEMM on AMX registers reads on (oneDNN 3.12), and 0
    times a NaN that an earlier tile has left there would be NaN.
    """
    room[:rows, columns : _stride(columns)] = 0.0
    return room[:rows, :columns]


def rows_at_once(weight: Tensor, rows: int) -> int:
    """How many whole rows of logits fit; a multiple of 64 where more than 64 do."""
    dtype = logits_dtype(weight)
    most = budget(weight).logits // (weight.shape[0] * dtype.itemsize)
    if backend.choose(weight.device, dtype) == "reference":
        most //= 8  # its temporaries are as many times as large as the logits
    return max(1, min(rows, _aligned(most)))


def _aligned(most: int) -> int:
    """A multiple of 64 where there is one up to ``most``: GEMM kernels waste no registers on it."""
    return most if most < _ALIGNED else most // _ALIGNED * _ALIGNED


def parts(length: int, step: int) -> Iterator[slice]:
    """0..length in slices of ``step``."""
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def multiply(hidden: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    """out (R, C) = hidden (R, H) weight (C, H)^T + bias (C,)."""
    if hidden.dtype == weight.dtype == out.dtype:
        if bias is None:
            return torch.mm(hidden, weight.T, out=out)
        return torch.addmm(bias, hidden, weight.T, out=out)
    wide = hidden.to(out.dtype)
    for some in parts(weight.shape[0], columns_at_once(weight)):
        own = None if bias is None else bias[some].to(out.dtype)
        multiply(wide, weight[some].to(out.dtype), own, out[:, some])
    return out


def columns_at_once(weight: Tensor) -> int:
    """How many rows of the weight, which are columns of logits, are widened or summed at once."""
    return max(1, budget(weight).weight // (weight.shape[1] * sums_dtype(weight).itemsize))


def rows_of_a_tile(weight: Tensor) -> int:
    """How many rows a tile of logits has at most, backward."""
    most = hidden_at_once(weight)
    return most if adds_in_place(weight) else max(1, most // 2)


def tile_columns(weight: Tensor, rows: int, stored: bool, summed: bool) -> int:
    """How many columns a tile of so many rows of logits has; see ``rows_at_once``.

    ``summed``: the gradient of the weight is a sum over several tiles.
    """
    size = budget(weight).tile // (4 if stored else 1)  # beside the logits themselves
    most = max(1, size // (rows * logits_dtype(weight).itemsize))
    widened = weight.dtype != (sums_dtype(weight) if summed else logits_dtype(weight))
    if widened or (not adds_in_place(weight) and weight.dtype != sums_dtype(weight)):
        most = min(most, columns_at_once(weight))
    return min(_aligned(most), weight.shape[0])


def hidden_at_once(weight: Tensor) -> int:
    """For how many rows the gradient of the hidden states is summed apart from the result."""
    return max(1, budget(weight).hidden // (weight.shape[1] * sums_dtype(weight).itemsize))


def waits(x: Tensor) -> bool:
    """Whether to read a value of x here would wait for its device."""
    return x.device.type != "cpu"


def rows_that(matter: Tensor) -> Tensor | None:
    """Indices of the rows that matter (N,) where only some do; None where that would wait."""
    if waits(matter) or bool(matter.all()):
        return None
    return matter.nonzero()[:, 0]


def adds_in_place(x: Tensor) -> bool:
    """Whether ``add_product`` needs no room for the product."""
    return x.is_cuda


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a b, where total is at least as wide as a and b."""
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    elif a.is_cuda:
        torch.addmm(total, a, b, out_dtype=total.dtype, out=total)
    else:  # CPU GEMMs give out nothing wider than they are given: each part is rounded once
        total += torch.mm(a, b)
