"""Registers and spills of every kernel this process has launched, as the driver reports them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

OURS = "calib_kernels.gpu."


@contextmanager
def launched() -> Iterator[set[str]]:
    """The names of our kernels that Python launches in the block; a graph's replays launch none."""
    found: set[str] = set()
    try:
        from triton.runtime.jit import KernelInterface
    except ImportError:
        yield found
        return
    chosen = KernelInterface.__getitem__

    def noted(kernel: Any, grid: Any) -> Any:
        if kernel.fn.__module__.startswith(OURS):
            found.add(f"{kernel.fn.__module__.removeprefix(OURS)}.{kernel.fn.__name__}")
        return chosen(kernel, grid)

    with mock.patch.object(KernelInterface, "__getitem__", noted):
        yield found


def kernels() -> Iterator[tuple[str, list[Any]]]:
    """The Triton kernels of ``calib_kernels.gpu`` by name, with their compiled variants."""
    for module_name in sorted(name for name in sys.modules if name.startswith(OURS)):
        for name, value in vars(sys.modules[module_name]).items():
            # Kernels are imported by other modules too, under the same name.
            if getattr(value, "__module__", None) != module_name:
                continue
            caches = getattr(value, "device_caches", None) or {}
            found = [kernel for cache in caches.values() for kernel in cache[0].values()]
            if found:
                yield f"{module_name.removeprefix(OURS)}.{name}", found


def most(variants: list[Any], attribute: str) -> int | None:
    """The largest value over the variants; None where none of them knows it."""
    values = [getattr(kernel, attribute, None) for kernel in variants]
    return max((value for value in values if value is not None), default=None)


def rows() -> Iterator[dict[str, Any]]:
    for name, variants in kernels():
        metadata = [getattr(kernel, "metadata", None) for kernel in variants]
        yield {
            "kind": "registers",
            "kernel": name,
            "variants": len(variants),
            "registers": most(variants, "n_regs"),
            "spilled_bytes": most(variants, "n_spills"),
            "shared_bytes": most(metadata, "shared"),
        }


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['kernel']:44} {row['variants']:3} variants, at most {row['registers']} registers, "
        f"{row['spilled_bytes']} spilled, {row['shared_bytes']} bytes shared"
    )
