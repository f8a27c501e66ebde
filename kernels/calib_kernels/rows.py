"""N rows of logits and how each is read: the arguments that the ops share, at three stages.

A public op checks what it was called with (``given``). A registered op begins with the fields of
``Rows``, in their order (``SCHEMA``). A launcher, which is what a backend has for each op, begins
with ``Launch`` (``ready``).

A launcher writes into tensors that are allocated by its op. It neither checks nor waits for a
device, and allocates nothing but scratch of its own. N >= 1 always; all tensors are on one device.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_kernels import backend, checks, dispatch, transforms
from calib_kernels import bins as binning

SCHEMA = (
    "Tensor logits, Tensor? labels, float temperature, Tensor? row_temperature, int ignore_index, "
    "SymInt vocab_size, int bins"
)


class Rows(NamedTuple):
    """Checked, and on one device."""

    logits: Tensor  # (N, columns); those from vocab_size on are padding
    labels: Tensor | None  # (N,) int32 or int64
    temperature: float  # that of all rows; 1.0 where they have tensors
    row_temperature: Tensor | None  # (1 or N,)
    ignore_index: int
    vocab_size: int
    bins: int  # of the histogram; 0 where none is wanted

    @property
    def t(self) -> float | Tensor:
        """The temperature, whichever kind there is."""
        return self.temperature if self.row_temperature is None else self.row_temperature

    @property
    def backend(self) -> str:
        """The backend that reads them."""
        return backend.choose(self.logits.device, self.logits.dtype)

    def cut(self) -> Tensor:
        """The logits (N, V) that are no padding, rows contiguous."""
        return dispatch.columns(self.logits, self.vocab_size)

    def histogram(self, *leading: int) -> Tensor | None:
        return histogram(self.logits, self.bins, *leading)


class Launch(NamedTuple):
    """As launchers take them."""

    # (N, V) float32, bfloat16 or float16; stride(1) == 1; any stride(0), also 0 or odd; any storage
    # offset. There is no padding.
    logits: Tensor
    labels: Tensor | None  # (N,) int32 or int64, contiguous, any alignment of int
    scale: float  # log2(e) / T, from float64; unused where temperature is a tensor
    # None, or (1,) or (N,) float32, contiguous: log2(e) / T is a float32 division; a value that is
    # not in [1e-38, inf) makes the row invalid.
    temperature: Tensor | None
    ignore_index: int  # compared before the label is used
    edges: Tensor | None  # (B-1,) float32, ``bins.edges``; None: no histogram
    seen: Tensor | None  # (3B+1,) int64 zeros to add to (see ``bins``); None iff edges is


def histogram(like: Tensor, bins: int, *leading: int) -> Tensor | None:
    """Zeros (..., 3B + 1) int64 on the device of ``like``; None where no bins are wanted."""
    return like.new_zeros((*leading, binning.length(bins)), dtype=torch.int64) if bins else None


def ready(rows: Rows, seen: Tensor | None = None) -> Launch:
    """``seen``: where the histogram is added up, if there is one."""
    logits, labels, temperature, row_temperature, ignore_index, vocab_size, bins = rows
    return Launch(
        dispatch.columns(logits, vocab_size),
        None if labels is None else labels.contiguous(),
        dispatch.LOG2_E / temperature,
        None if row_temperature is None else row_temperature.contiguous(),
        ignore_index,
        binning.edges(bins, torch.float32, logits.device) if bins else None,
        seen,
    )


class How(NamedTuple):
    """How each of N rows is read, checked: what ``Rows`` and ``Head`` have in common."""

    labels: Tensor | None
    temperature: float
    row_temperature: Tensor | None
    ignore_index: int


def how(
    like: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    bins: int,
    *,
    labelled: bool,
    differentiated: bool,
) -> How:
    """Of as many rows as ``like`` (N, ..) has, on its device.

    A temperature that is a tensor has the dtype of results, and its history if ``differentiated``.
    """
    count = like.shape[0]
    wanted = checks.labels(labels, count, required=labelled)
    number, row_temperature = checks.temperature(temperature, count)
    ignored = checks.whole("ignore_index", ignore_index, -(2**63), 2**63 - 1)
    if wanted is not None:
        wanted = dispatch.beside(like, wanted)
        if not -(2**31) <= ignored < 2**31:
            wanted = wanted.long()  # compared with int32 labels it would be cut to their bits
    elif bins:
        raise ValueError("histogram needs labels, got labels=None")
    if isinstance(temperature, Tensor):
        own = temperature if differentiated else temperature.detach()
        row_temperature = own.reshape(-1).to(like.device, dispatch.real_dtype(like))
    return How(wanted, number, row_temperature, ignored)


def wants_gradients(*values: Any) -> bool:
    """Whether a gradient may be asked for in one of them now."""
    return torch.is_grad_enabled() and any(
        isinstance(value, Tensor) and value.requires_grad for value in values
    )


def given(
    op: str,
    logits: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    ignore_index: int,
    vocab_size: int | None,
    bins: int,
    *,
    labelled: bool = False,
    gradients: bool = False,
) -> tuple[Rows, bool]:
    """What a public op was called with, checked; and whether a gradient may be asked of it.

    ``labelled``: whether there must be labels. ``gradients``: whether the op has any; where one may
    be asked for, logits and temperature keep their history. Raises as ``checks`` does, ValueError
    for a histogram without labels, RuntimeError for a forward-mode derivative.
    """
    if gradients:
        transforms.refuse_tangents(op, logits, temperature)
    plain = checks.logits(logits)
    size = checks.vocab_size(vocab_size, plain.shape[1])
    differentiated = gradients and wants_gradients(logits, temperature)
    read = how(
        plain, labels, temperature, ignore_index, bins, labelled=labelled,
        differentiated=differentiated,
    )  # fmt: skip
    return Rows(logits if differentiated else plain, *read, size, bins), differentiated
