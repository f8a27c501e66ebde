"""Rows made to break kernels, with the labels, options and places in memory that go with them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

INF = float("inf")
LOG2_E = math.log2(math.e)


def hard_rows(columns: int, block: int) -> dict[str, Tensor]:
    """Float32 rows (V,) of ``columns`` logits, each with one thing in it that breaks kernels.

    ``block`` is how many logits a kernel under test loads at once, so that trouble can be put at
    the seams. Options are taken to be the columns 0, 1, ....
    """
    random = torch.Generator().manual_seed(columns)
    base = torch.randn(columns, generator=random) * 3
    late = columns - 1
    middle = columns // 2

    def row(*changes: tuple[Any, float], offset: float = 0.0) -> Tensor:
        changed = base + offset
        for where, value in changes:
            changed[where] = value
        return changed

    everywhere = slice(None)
    rows = {
        "plain": row(),
        "offset +1e4": row(offset=1e4),
        "offset -1e4": row(offset=-1e4),
        "confident option": row((0, 30.0)),
        "late spike": row((late, 300.0)),
        "a little late": row((middle, 15.0)),
        "beyond float32 unless shifted": row((late, 1e4)),
        "first block -inf": row((slice(0, block), -INF)),
        "first block -inf, rest far below 0": row((slice(0, block), -INF), offset=-400.0),
        "all but one -inf": row((everywhere, -INF), (middle, 2.0)),
        "all -inf": row((everywhere, -INF)),
        "options -inf": row((slice(0, min(4, columns)), -INF)),
        "NaN first": row((0, math.nan)),
        "NaN late": row((late, math.nan)),
        "NaN among -inf": row((everywhere, -INF), (late, math.nan)),
        "NaN and +inf": row((0, INF), (late, math.nan)),
        "+inf, an option": row((0, INF)),
        "+inf, no option": row((late, INF)),
        "+inf twice": row((0, INF), (late, INF)),
        "+inf among -inf": row((everywhere, -INF), (middle, INF)),
        "uniform": row((everywhere, 1.5)),
        "zeros of both signs": row((everywhere, 0.0), (slice(0, None, 2), -0.0)),
        "ties of the maximum": row((slice(min(3, late), None, max(block // 3, 1)), 20.0)),
        # log2(e) x must stay in float32, hence not 3e38
        "largest": row((middle, 2.0e38)),
        "smallest": row((everywhere, -2.0e38)),
        "one option of many": row((0, -60.0), (min(1, late), -80.0)),
    }
    # The spike that sits right at the bound of the single-read path, and to both sides of it.
    for bits in (15.9, 16.1, 53.0, 99.0, 101.0):
        top = float(base[:block].max())
        rows[f"{bits} bits above"] = row((late, top + bits / LOG2_E))
    return rows


def laid_out(rows: Tensor, stride: int, offset: int, device: torch.device | str) -> Tensor:
    """The same values (N, V) at a row stride and storage offset of one's choice."""
    n, columns = rows.shape
    storage = torch.full((offset + n * stride + columns,), math.nan, dtype=rows.dtype)
    view = storage.to(device).as_strided((n, columns), (stride, 1), offset)
    view.copy_(rows)
    return view


def option_sets(n: int, columns: int) -> dict[str, Tensor]:
    """Option ids (1 or N, O, M): single tokens; spellings, repeats, padding; sets per row."""
    last = columns - 1
    sets = {"letters": torch.arange(min(4, columns))[None, :, None]}
    if columns >= 64:
        spelled = torch.tensor([[0, 5, 0, -1, 5], [1, -1, -1, -1, -1], [2, 7, 9, last, 7]])
        sets["spellings"] = spelled[None]
        own = torch.arange(n)[:, None, None] * 0 + spelled[None]
        own = own.clone()
        own[1::3, 2] = torch.tensor([3, 4, -1, 3, 4])
        own[2::3, 1] = -1  # an option that has no token in this row
        own[3::5, 0, 0] = columns  # no such column
        sets["sets per row"] = own
    return sets


def row_labels(n: int, columns: int) -> Tensor:
    """Labels (N,) for ``hard_rows``: early, late and middle columns, ignored ones, wrong ones."""
    labels = torch.tensor([0, columns - 1, columns // 2, min(1, columns - 1)]).repeat(n)[:n]
    labels[3::7] = -100
    labels[5::11] = columns
    labels[9::13] = -1
    return labels
