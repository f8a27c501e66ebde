"""Linear layers of a decoding step on a CPU.

A step multiplies some tens of rows by every weight. PyTorch gives float32 products to MKL, which
packs the whole weight first as if many rows would follow; oneDNN's product for the same tensors
leaves that out. On an AMX Xeon it was 1.04 to 1.3 times as fast for 4 to 48 rows of a 135M model,
and no faster for one row or beyond. It sums in another order, by the shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from torch.nn.functional import linear

FEW = range(4, 49)  # rows


def linears(model: Any) -> list[Linear]:
    """The layers that ``few_rows`` is good for: plain ones in float32, on a CPU with oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return []
    return [
        module
        for module in model.modules()
        # A subclass, or a forward that somebody else has replaced, does more than this product.
        if type(module) is Linear
        and "forward" not in vars(module)
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
    ]


def product(layer: Linear, x: Tensor) -> Tensor:
    """``layer(x)`` without gradients."""
    rows = x.numel() // x.shape[-1]
    if rows not in FEW or x.dtype != torch.float32 or torch.is_grad_enabled():
        return linear(x, layer.weight, layer.bias)
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")
    return found


@contextmanager
def few_rows(layers: list[Linear]) -> Iterator[None]:
    """Inside, ``layers`` are computed by ``product``."""
    forward: Callable[..., Tensor]
    for layer in layers:
        forward = partial(product, layer)
        vars(layer)["forward"] = forward
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["forward"]
