"""Cases that tests of several ops share: dtypes, widths, rows, options, draws."""

from __future__ import annotations

from typing import Any

import torch
from calib_kernels import Sample, sample
from torch import Tensor

from tests.gate.row_stats import hard_rows

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# Around the lanes (64), the blocks (4096) and the chunks (32768) of the C++ core.
COLUMNS = [1, 2, 63, 64, 65, 4095, 4096, 4097, 32768, 36865]


def rows_of(columns: int, dtype: torch.dtype) -> tuple[list[str], Tensor]:
    rows = hard_rows(columns, min(4096, max(columns // 2, 1)))
    return list(rows), torch.stack(list(rows.values())).to(dtype)


def permuted_spellings(
    n: int, spellings: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Logits (N, V), and ids (6, M) of options that have the same logits in other orders.

    Among the spellings of each stand a padding and a repeat.
    """
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(n, spellings, generator=g, dtype=dtype) * 3
    ids = torch.arange(6 * spellings).view(6, spellings)
    ids = torch.cat([ids, ids[:, :1], torch.full((6, 1), -1)], 1)
    mixed = [own[torch.randperm(spellings + 2, generator=g)] for own in ids]
    return logits.repeat(1, 6), torch.stack(mixed)


IDS = torch.tensor([[3, 5], [7, -1], [9, 9]])


def example(n: int = 6, columns: int = 101) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, columns, generator=generator) * 3
    return x, torch.arange(n) % 3


def sampled(x: Tensor, indices: Tensor | None = None, **options: Any) -> Sample:
    n = len(x)
    indices = torch.arange(4 * n).view(n, 4) if indices is None else indices
    address: dict[str, Any] = {"seed": 5, "item": torch.arange(n) + 2**40, "step": 3}
    return sample(x, sample=indices, **{**address, **options})
