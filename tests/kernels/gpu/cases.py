"""What tests of several Triton kernels share: shrunk blocks, rows, GPUs to compile for."""

from __future__ import annotations

import torch

TUNE = {"block": 64, "partition": 256, "warps": 4}
BLOCK = TUNE["block"]
# A cut-short partition; three and a bit, odd, so that every row starts at another alignment.
COLUMNS = (100, 837)


def some_rows(n: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, columns, generator=torch.Generator().manual_seed(seed)) * 3


HOPPER = 90
ARCHITECTURES = (80, HOPPER, 100, 120)
# float16 on Hopper alone: only a conversion sets it apart from bfloat16. float32 there and on the
# next: what other architectures do to registers shows in bfloat16.
TARGETS = [
    (arch, dtype)
    for arch in ARCHITECTURES
    for dtype in ("*bf16", "*fp16", "*fp32")
    if dtype == "*bf16" or arch == HOPPER or (arch == 100 and dtype == "*fp32")
]
