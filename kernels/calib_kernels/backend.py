"""Which implementation an op runs on: ``reference``, ``native`` or ``triton``.

``CALIB_KERNELS`` = auto | reference | native | triton is read at every call;
``use_backend("native")`` overrides it inside a ``with`` block. A backend asked for by name that
cannot run raises; ``auto`` takes the fastest that can, and says once when that is ``reference``.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch

NAMES = ("auto", "reference", "native", "triton")

_override: ContextVar[str | None] = ContextVar("calib_kernels_backend", default=None)


def _known(name: str, source: str) -> str:
    if name not in NAMES:
        raise ValueError(f"{source} must be one of {', '.join(NAMES)}; got {name!r}")
    return name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the ops called inside the block on one backend, whatever CALIB_KERNELS says."""
    token = _override.set(_known(name, "backend"))
    try:
        yield
    finally:
        _override.reset(token)


def requested() -> str:
    """The backend asked for now: that of the innermost ``use_backend``, else CALIB_KERNELS."""
    override = _override.get()
    if override is not None:
        return override
    name = os.environ.get("CALIB_KERNELS")
    return _known(name, "CALIB_KERNELS") if name else "auto"


@cache
def native_problem() -> str | None:
    """Why the C++ core cannot run here, or None if it can."""
    try:
        from calib_kernels import _native  # noqa: F401  (absent where no compiler was)
    except ImportError as error:
        return f"the C++ core is not built into this installation ({error})"
    return None


@cache
def _triton_installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def triton_problem(device: torch.device) -> str | None:
    """Why Triton kernels cannot run on tensors of ``device``, or None if they can."""
    if not _triton_installed():
        return "triton is not installed"
    if device.type == "cuda":  # ROCm's name for its devices, too
        return None
    if device.type == "cpu":
        if os.environ.get("TRITON_INTERPRET") == "1":
            return None
        return "on CPU tensors triton needs TRITON_INTERPRET=1, set before Python starts"
    return f"triton kernels here do not know {device.type} devices"


def available_backends(device: torch.device | str = "cpu") -> tuple[str, ...]:
    """The backends that can run on tensors of ``device``, ``reference`` first."""
    device = torch.device(device)
    names = ["reference"]
    if device.type == "cpu" and native_problem() is None:
        names.append("native")
    if triton_problem(device) is None:
        names.append("triton")
    return tuple(names)


@cache
def _say_once(device_type: str, problem: str) -> None:
    warnings.warn(
        f"calib_kernels runs on its slower reference backend for {device_type} tensors: {problem}",
        RuntimeWarning,
        stacklevel=6,
    )


def choose(device: torch.device, dtype: torch.dtype) -> str:
    """The backend that runs an op on tensors of this device and dtype: never ``auto``.

    Raises RuntimeError when the backend asked for by name cannot run. float64 is for the reference
    alone: there it is computed in float64.
    """
    name = requested()
    if dtype == torch.float64:
        if name in ("native", "triton"):
            raise RuntimeError(f"backend {name!r} takes no float64 tensors; reference does")
        return "reference"
    if name == "reference":
        return name
    host = device.type == "cpu"
    if name == "native" or (name == "auto" and host):
        candidate = "native"
        problem = native_problem()
        if not host:
            problem = f"its tensors must be on the CPU, these are on {device}"
    else:
        candidate = "triton"
        problem = triton_problem(device)
    if problem is None:
        return candidate
    if name != "auto":
        raise RuntimeError(f"backend {name!r} was asked for and cannot run: {problem}")
    _say_once(device.type, problem)
    return "reference"
