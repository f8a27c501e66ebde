"""Rows whose offsets leave 32 bits, in a sparse file that takes next to no room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import option_scores, row_stats, sample, temperature_sweep
from torch import Tensor

STRIDE = 2**30 + 5  # of the third row, 2^31 elements and more
COLUMNS = 300
OPS: dict[str, Callable[[Tensor], Any]] = {
    "row_stats": lambda x: row_stats(x, torch.arange(len(x))),
    "option_scores": lambda x: option_scores(x, torch.arange(4), torch.arange(len(x))),
    "temperature_sweep": lambda x: temperature_sweep(x, torch.arange(4), [1.0, 0.7])[:1],
    "sample": lambda x: sample(x, seed=0, item=0, sample=torch.arange(4), step=0, top_k=9),
}


def far_rows(folder: Path, rows: Tensor) -> Tensor:
    """The rows (N, V), 2^30 elements apart."""
    n, columns = rows.shape
    size = (n - 1) * STRIDE + columns
    path = folder / "rows"
    with path.open("wb") as file:
        file.truncate(size * rows.element_size())
    storage = torch.from_file(str(path), shared=True, size=size, dtype=rows.dtype)
    view = storage.as_strided((n, columns), (STRIDE, 1))
    view.copy_(rows)
    return view


@pytest.mark.parametrize("op", OPS)
def test_offsets_beyond_32_bits(backend: str, op: str, tmp_path: Path) -> None:
    """R8, for elements and bytes: wrapped, an offset would read zeros or another row."""
    generator = torch.Generator().manual_seed(0)
    x = (torch.randn(4, COLUMNS, generator=generator) * 3).bfloat16()
    view = far_rows(tmp_path, x)
    assert 2 * view.stride(0) > 2**31 and view[3, 0] != 0
    for found, wanted in zip(OPS[op](view), OPS[op](x), strict=True):
        assert torch.equal(found, wanted)
