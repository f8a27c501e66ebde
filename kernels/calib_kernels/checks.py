"""Every argument check of the public ops, once: shapes, dtypes, host values.

Values that live on a device are never read here, which would wait for the device: what is wrong
with them shows in the row's ``valid`` instead. Messages name the argument, what was expected and
what came.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calib_kernels.bins import MAX_BINS

LOGIT_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
CONFIDENCES = ("options", "vocab")
FEW_IDS = 64  # looked at one by one, which takes Python less time than the cheapest array call
REDUCTIONS = ("mean", "sum", "none")
LEAST_SOFTCAP = 1e-30  # it and its inverse stay in float32
LEAST_TEMPERATURE = 1e-38  # below it log2(e)/T leaves float32


def logits(value: Any, least: int = 1) -> Tensor:
    """(N, V) floating-point tensor with V >= ``least``, without its gradient history."""
    if not isinstance(value, Tensor):
        raise TypeError(f"logits must be a torch.Tensor, got {type(value).__name__}")
    if value.dim() != 2:
        raise ValueError(f"logits must be (N, V), got shape {tuple(value.shape)}")
    if value.dtype not in LOGIT_DTYPES:
        raise TypeError(f"logits must be float32, bfloat16, float16 or float64, got {value.dtype}")
    if value.shape[1] < least:
        raise ValueError("logits must have at least one column, got V = 0")
    return value.detach() if value.requires_grad else value


def vocab_size(value: int | None, columns: int) -> int:
    """How many leading columns exist; the others are padding and count as absent."""
    if value is None:
        return columns
    size = index("vocab_size", value)
    if not 1 <= size <= columns:
        raise ValueError(f"vocab_size must be in 1..{columns} (the columns of logits), got {value}")
    return size


def option_ids(value: Tensor | Sequence[Any], rows: int) -> Tensor:
    """(1 or N, O, M) int64 ids from (O,), (O, M) or (1 or N, O, M); -1 pads."""
    ids = value if isinstance(value, Tensor) else torch.as_tensor(value)
    if ids.dtype not in INTEGERS:
        raise TypeError(f"option_ids must be integers, got {ids.dtype}")
    shape = tuple(ids.shape)
    if len(shape) == 1:
        ids = ids.reshape(1, -1, 1)
    elif len(shape) == 2:
        ids = ids.unsqueeze(0)
    elif ids.dim() != 3 or ids.shape[0] not in (1, rows):
        raise ValueError(f"option_ids must be (O,), (O, M) or (N={rows}, O, M), got {shape}")
    if ids.shape[1] < 1 or ids.shape[2] < 1:
        raise ValueError(f"option_ids must hold at least one option and one spelling, got {shape}")
    return ids.to(torch.int64)


def host_option_ids(ids: Tensor, columns: int) -> None:
    """Read the values of ids that are on the host: in range, and each in one option of its row."""
    if ids.device.type != "cpu" or ids.numel() == 0:
        return
    if ids.numel() <= FEW_IDS:
        few = ids.flatten().tolist()
        if min(few) >= 0 and max(few) < columns and len(set(few)) == len(few):
            return
    # NumPy: a dozen calls on a few numbers, each of which costs torch several times as long.
    values = ids.numpy()
    low, high = int(values.min()), int(values.max())
    if low < -1 or high >= columns:
        wrong = low if low < -1 else high
        raise ValueError(f"option_ids must be in 0..{columns - 1} or -1 for padding, got {wrong}")
    rows, options, spellings = values.shape
    flat = values.reshape(rows, options * spellings)
    order = flat.argsort(axis=1, kind="stable")
    ordered = np.take_along_axis(flat, order, axis=1)
    owners = order // spellings
    shared = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    shared &= owners[:, 1:] != owners[:, :-1]
    if shared.any():
        row, place = np.argwhere(shared)[0].tolist()
        first, second = sorted(owners[row, place : place + 2].tolist())
        raise ValueError(
            f"option_ids must not share a token between options: id {int(ordered[row, place])} is "
            f"in options {first} and {second} of row {row}"
        )


def labels(value: Any, rows: int, *, required: bool = False) -> Tensor | None:
    """(N,) int32 or int64; None where none are given, unless they are required."""
    if value is None and not required:
        return None
    if not isinstance(value, Tensor) or value.dtype not in INTEGERS:
        raise TypeError(f"labels must be an integer tensor, got {_kind(value)}")
    if tuple(value.shape) != (rows,):
        raise ValueError(f"labels must be (N={rows},), got shape {tuple(value.shape)}")
    return value if value.dtype in (torch.int32, torch.int64) else value.to(torch.int64)


def temperature(value: float | Tensor, rows: int) -> tuple[float, Tensor | None]:
    """A host number, checked, or (1.0, a float32 tensor of 1 or N values, unread)."""
    if not isinstance(value, Tensor):
        own = number("temperature", value)
        if 0 < own < LEAST_TEMPERATURE:
            raise ValueError(f"temperature must be at least {LEAST_TEMPERATURE}, got {own}")
        if not 0 < own < math.inf:
            raise ValueError(f"temperature must be positive and finite, got {own}")
        return own, None
    if not value.is_floating_point():
        raise TypeError(f"temperature must be floating point, got {value.dtype}")
    if tuple(value.shape) not in ((), (1,), (rows,)):
        raise ValueError(f"temperature must be a scalar or (N={rows},), got {tuple(value.shape)}")
    return 1.0, value.detach().reshape(-1).to(torch.float32)


def temperatures(value: Sequence[float] | Tensor) -> tuple[list[float], Tensor | None]:
    """K host numbers, checked, or ([], a floating-point tensor (K,), unread)."""
    if isinstance(value, Tensor):
        if not value.is_floating_point():
            raise TypeError(f"temperatures must be floating point, got {value.dtype}")
        if value.dim() != 1 or value.shape[0] < 1:
            raise ValueError(f"temperatures must be (K,) with K >= 1, got {tuple(value.shape)}")
        return [], value.detach()
    numbers = [temperature(number("temperatures", one), 1)[0] for one in value]
    if not numbers:
        raise ValueError("temperatures must hold at least one number, got none")
    return numbers, None


def derivative_order(value: int) -> int:
    if isinstance(value, bool) or value not in (0, 1, 2):
        raise ValueError(f"derivatives must be 0, 1 or 2, got {value!r}")
    return int(value)


def confidence_mode(value: str) -> str:
    if value not in CONFIDENCES:
        raise ValueError(f"confidence must be 'options' or 'vocab', got {value!r}")
    return value


def reduction(value: str) -> str:
    if value not in REDUCTIONS:
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {value!r}")
    return value


def softcap(value: float | None) -> float:
    """A positive finite number, or 0.0 for None."""
    if value is None:
        return 0.0
    cap = number("softcap", value)
    if not (LEAST_SOFTCAP <= cap <= 1 / LEAST_SOFTCAP):
        raise ValueError(f"softcap must be positive and finite, got {cap}")
    return cap


def within(name: str, value: float, most: float = math.inf) -> float:
    """A finite number from 0 to ``most``."""
    own = number(name, value)
    if not (0 <= own <= most and own != math.inf):
        bounds = "finite and at least 0" if most == math.inf else f"in [0, {most:g}]"
        raise ValueError(f"{name} must be {bounds}, got {own}")
    return own


def bin_count(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_BINS:
        raise ValueError(f"bins must be an integer in 1..{MAX_BINS}, got {value!r}")
    return value


def confidences(value: Any) -> Tensor:
    """(N,) float32 or float64; sixteen-bit values are widened."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise TypeError(f"confidence must be a floating-point tensor, got {_kind(value)}")
    if value.dim() != 1:
        raise ValueError(f"confidence must be (N,), got shape {tuple(value.shape)}")
    values: Tensor = value.detach()
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def flags(name: str, value: Any, like: Tensor) -> Tensor:
    """(N,) bool, on the device and of the shape of ``like``."""
    if not isinstance(value, Tensor) or value.dtype != torch.bool:
        raise TypeError(f"{name} must be a bool tensor, got {_kind(value)}")
    if value.shape != like.shape:
        raise ValueError(f"{name} must be {tuple(like.shape)}, got shape {tuple(value.shape)}")
    return value.to(like.device)


def index(name: str, value: Any) -> int:
    """An integer of Python or NumPy."""
    if type(value) is int:
        return value
    if isinstance(value, bool | np.bool_ | Tensor) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    return operator.index(value)


def number(name: str, value: Any) -> float:
    if isinstance(value, str | bytes):  # which float() would read
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    return float(value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """An integer in low..high."""
    own = index(name, value)
    if not low <= own <= high:
        raise ValueError(f"{name} must be in {low}..{high}, got {own}")
    return own


def address(name: str, value: Any, rows: int, bits: int) -> int | Tensor:
    """A number of ``bits`` bits (64: of either sign), or a tensor of 1 or N of them, unread."""
    if not isinstance(value, Tensor):
        return whole(name, value, -(2**63) if bits == 64 else 0, 2 ** min(bits, 63) - 1)
    if value.dtype not in INTEGERS:
        raise TypeError(f"{name} must be integers, got {value.dtype}")
    if tuple(value.shape) not in ((), (1,), (rows,)):
        raise ValueError(f"{name} must be an integer or (N={rows},), got {tuple(value.shape)}")
    return value.reshape(-1).to(torch.int64)


def sample_indices(value: Any, rows: int) -> Tensor:
    """(N, S) int64 from (N,) or (N, S)."""
    if not isinstance(value, Tensor) or value.dtype not in INTEGERS:
        raise TypeError(f"sample must be an integer tensor, got {_kind(value)}")
    if value.dim() not in (1, 2) or value.shape[0] != rows:
        raise ValueError(f"sample must be (N={rows},) or (N={rows}, S), got {tuple(value.shape)}")
    return (value if value.dim() == 2 else value.unsqueeze(1)).to(torch.int64)


def host_range(name: str, value: Tensor, bits: int) -> None:
    """Read values that are on the host: each has to fit into ``bits`` bits."""
    if value.device.type != "cpu" or value.numel() == 0:
        return
    if value.numel() <= FEW_IDS:
        few = value.flatten().tolist()
        ends = (min(few), max(few))
    else:
        numbers = value.numpy()
        ends = (int(numbers.min()), int(numbers.max()))
    for found in ends:
        if not 0 <= found < 2**bits:
            raise ValueError(f"{name} must be in 0..{2**bits - 1}, got {found}")


def share(name: str, value: float, most: float) -> float:
    """A host number in [0, most]."""
    own = number(name, value)
    if not 0 <= own <= most:
        raise ValueError(f"{name} must be in [0, {most:g}], got {own}")
    return own


def uniforms(value: Any, shape: torch.Size) -> Tensor | None:
    """(N, S, 2) float64 from (..., 2) for a ``sample`` of shape (...)."""
    if value is None:
        return None
    if not isinstance(value, Tensor) or value.dtype != torch.float64:
        raise TypeError(f"uniforms must be a float64 tensor, got {_kind(value)}")
    if value.shape != (*shape, 2):
        raise ValueError(f"uniforms must be {(*shape, 2)}, got {tuple(value.shape)}")
    return value if value.dim() == 3 else value[:, None]


def _kind(value: Any) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__


def head(hidden: Any, weight: Any, bias: Any) -> None:
    """hidden (N, H), weight (V, H), bias (V,) or None: of one dtype and on one device."""
    named = {"hidden": hidden, "weight": weight} | ({} if bias is None else {"bias": bias})
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
        if value.dtype not in LOGIT_DTYPES:
            raise TypeError(
                f"{name} must be float32, bfloat16, float16 or float64, got {value.dtype}"
            )
        if value.dtype != hidden.dtype:
            raise TypeError(
                f"{name} must have the dtype of hidden, {hidden.dtype}, got {value.dtype}; "
                f"torch.autocast casts both"
            )
        if value.device != hidden.device:
            raise ValueError(f"{name} must be on {hidden.device} as hidden, got {value.device}")
    if hidden.dim() != 2 or hidden.shape[1] < 1:
        raise ValueError(f"hidden must be (N, H) with H >= 1, got shape {tuple(hidden.shape)}")
    if weight.dim() != 2 or weight.shape[1] != hidden.shape[1] or weight.shape[0] < 1:
        raise ValueError(
            f"weight must be (V, H={hidden.shape[1]}) with V >= 1, got {tuple(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ValueError(f"bias must be (V={weight.shape[0]},), got shape {tuple(bias.shape)}")
