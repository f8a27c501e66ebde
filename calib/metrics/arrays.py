"""What users hold, as NumPy arrays: lists, arrays, pandas columns, tensors on any device."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIXTEEN_BITS = 2e-2
"""The sum of a row of 16-bit probabilities may be this far from 1, since bfloat16 rounds each by
up to 0.2 %."""
SUM = 1e-3
"""The same for 32 bits and more, which may have been printed with few digits."""


def numbers(name: str, values: Any) -> NDArray[Any]:
    """``values`` as an array of booleans, integers or floats, in their own dtype.

    A tensor is taken off its graph and device; bfloat16 becomes float32, which loses nothing.
    ``name`` is the argument's, for errors. Raises ValueError for masked entries, complex numbers,
    dates, texts and iterators.
    """
    if isinstance(values, Iterator):
        raise ValueError(f"{name} must be a sequence of numbers, got a {type(values).__name__}")
    if hasattr(values, "detach"):
        array = of_tensor(name, values)
    else:
        if masked := int(np.ma.getmaskarray(values).sum() if np.ma.is_masked(values) else 0):
            raise ValueError(f"{name} has {masked} masked entries; leave such rows out")
        array = np.asarray(values)
    if array.dtype.kind == "O":
        array = of_objects(name, array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    return array


def labels(name: str, values: Any, n: int) -> NDArray[Any]:
    """``values`` as an array (n,) of labels, numbers or texts, that say what each row belongs to.

    Raises ValueError for another shape, for labels of several types, and for a label that is
    masked, NaN or None.
    """
    if masked := int(np.ma.getmaskarray(values).sum() if np.ma.is_masked(values) else 0):
        raise ValueError(f"{name} has {masked} masked entries; leave such rows out")
    array = of_tensor(name, values) if hasattr(values, "detach") else np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} must be ({n},), one per row, got {array.shape}")
    absent = np.array([v is None or v != v for v in array]) if array.dtype.kind in "Ofc" else None
    if absent is not None and absent.any():
        row = int(absent.argmax())
        raise ValueError(f"{name} must say what each row belongs to, got {array[row]} at row {row}")
    if array.dtype.kind in "OU" and len(kinds := {type(v) for v in values}) > 1:
        type_names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"{name} must be labels of one type, got {type_names}")
    return array


def of_tensor(name: str, values: Any) -> NDArray[Any]:
    """A tensor's numbers. Raises ValueError for a tensor that NumPy cannot hold: one that is sparse
    or quantised, or on the device "meta"."""
    try:
        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if "bfloat16" in str(tensor.dtype) else tensor)
    except (TypeError, NotImplementedError, RuntimeError) as error:
        layout = str(getattr(values, "layout", "")).removeprefix("torch.")
        raise ValueError(
            f"{name} must be a dense tensor of numbers, got {layout} {values.dtype} on "
            f"{values.device}"
        ) from error


def whole(name: str, value: Any, low: int) -> int:
    """``value`` as an int. Raises ValueError for anything but a whole number from ``low`` on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValueError(f"{name} must be a whole number from {low}, got {value!r}")
    return int(value)


def value_of(metric: Any, first: Any, second: Any) -> float:
    """``metric(first, second)``. Raises ValueError where that is not one number."""
    if not callable(metric):
        raise ValueError(f"metric must be a function of two arrays, got {metric!r}")
    value = metric(first, second)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        type_name = type(value).__name__
        raise ValueError(f"metric must return one number, got a {type_name}") from error


def pair(name: str, values: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two arrays of rows. Raises ValueError for anything but (confidence, correct)."""
    try:
        confidence, correct = values
    except (TypeError, ValueError) as error:
        received = f"{len(values)} entries" if hasattr(values, "__len__") else repr(values)
        raise ValueError(f"{name} must be a pair (confidence, correct), got {received}") from error
    arrays = numbers("confidence", confidence), numbers("correct", correct)
    if 0 in (arrays[0].ndim, arrays[1].ndim):
        raise ValueError(f"{name} must be a pair (confidence, correct) of arrays, got numbers")
    return arrays


def of_objects(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    """Python numbers, and zero-dimensional tensors, as float64."""
    flat = [values.item() if hasattr(values, "item") else values for values in array.ravel()]
    wrong = next((v for v in flat if not isinstance(v, (bool, int, float))), None)
    if wrong is not None or None in flat:
        raise ValueError(f"{name} must hold numbers, got {wrong!r} among them")
    try:
        return np.array(flat, dtype=np.float64).reshape(array.shape)
    except OverflowError as error:
        raise ValueError(f"{name} must hold numbers that a float can, got a larger one") from error


def probabilities(name: str, values: Any) -> NDArray[np.float64]:
    """Probabilities (N,), or rows of probabilities (N, K) that each sum to 1.

    Raises ValueError where a value is outside [0, 1] or a row's sum is not 1.
    """
    array = numbers(name, values)
    coarse = array.dtype.itemsize == 2 or "bfloat16" in str(getattr(values, "dtype", ""))
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must be (N,) or (N, K), got {array.shape}")
    p = array.astype(np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"{name} must hold probabilities: finite values in [0, 1]")
    if p.ndim == 2 and p.size:
        away = np.abs(p.sum(axis=1) - 1)
        if away.max() > (SIXTEEN_BITS if coarse else SUM):
            row = int(away.argmax())
            raise ValueError(
                f"{name} must have rows that sum to 1, got {p[row].sum():.6g} in row {row}"
            )
    return p
