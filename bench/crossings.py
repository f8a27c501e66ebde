"""How many bytes a function takes from the device to the host, and how many of them are logits.

On a CPU nothing crosses; there, and on a GPU too, copies of whole rows of logits are counted
(``Crossings``), and what Python reads out of tensors (``Readings``): of a function that runs on a
device as well, that is as much as crosses there, or more where tensors of the host are read, too.
"""

from __future__ import annotations

from typing import Any, Self
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.clock import Call

COPIES = ("_to_copy", "copy_", "clone")


def rows_of(x: Tensor, columns: int) -> bool:
    """Whether these may be rows of logits; bytes of a storage may be as many by chance."""
    return x.is_floating_point() and x.dim() > 0 and x.shape[-1] == columns


class Crossings(TorchDispatchMode):
    """Counts bytes that go from a device to the host, and copies of rows of ``columns``."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.to_host = 0
        self.logits_to_host = 0
        self.logits_copied = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[-1]
        if name == "_local_scalar_dense" and args[0].device.type != "cpu":
            self.to_host += args[0].element_size()
        if name not in COPIES:
            return result
        source = args[1] if name == "copy_" else args[0]
        size = source.numel() * source.element_size()
        logits = rows_of(source, self.columns)
        self.logits_copied += size * logits
        if source.device.type != "cpu" and result.device.type == "cpu":
            self.to_host += size
            self.logits_to_host += size * logits
        return result


class Readings:
    """Counts the bytes that Python reads out of tensors, in ``bytes``, and those of them that are
    rows of ``columns``, in ``logits``."""

    METHODS = ("tolist", "item", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__")

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.bytes = self.logits = 0
        self._within = False
        self._patch = mock.patch.multiple(
            Tensor, **{name: self._counted(getattr(Tensor, name)) for name in self.METHODS}
        )

    def _counted(self, method: Any) -> Any:
        def counted(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._within:  # ``cpu().numpy()`` and such read once
                return method(tensor, *args, **kwargs)
            self._within = True
            try:
                size = tensor.numel() * tensor.element_size()
                self.bytes += size
                self.logits += size * rows_of(tensor, self.columns)
                return method(tensor, *args, **kwargs)
            finally:
                self._within = False

        return counted

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


def crossings(call: Call, columns: int, device: torch.device) -> dict[str, int]:
    """Columns of a row of results: what one call reads and copies, and took to the host."""
    with Crossings(columns) as seen, Readings(columns) as readings:
        call()
    found = {
        "bytes_read": readings.bytes,
        "logit_bytes_read": readings.logits,
        "logit_bytes_copied": seen.logits_copied,
    }
    if device.type != "cpu":
        found |= {"bytes_to_host": seen.to_host, "logit_bytes_to_host": seen.logits_to_host}
    return found
