"""Fewer bins from a fine histogram: of equal width or of equal mass, with a bound on the error.

A fine histogram knows of each of its F cells how many rows n_f it holds, how many of them are
correct (k_f) and their summed confidence, not where in [f/F, (f+1)/F) a row lies. An edge of a
coarser bin that falls inside a cell is therefore moved to the nearer end of the cell. That can
only put rows of this cell in another bin. The errors of a bin, sum of correct - confidence over its
rows, then change by those of the rows moved: at most P_f = k_f (1 - f/F) upwards and
M_f = (n_f - k_f) (f+1)/F downwards. Each row moved counts in two bins, so with n rows in all

    |ECE of these bins - ECE of the exact bins| <= 2/n sum_f w_f + 2^-32

over the cells that an edge cuts, with w_f = max(P_f, M_f) where it is one edge, which moves the
rows on one side of it, and w_f = P_f + M_f where several edges cut the cell. 2^-32 is what the
confidences lose by truncation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from calib_kernels import bins as binning


@dataclass(frozen=True)
class CoarseBins:
    """Bins made of whole cells of a fine histogram; on the CPU. A bin may be empty."""

    edges: Tensor  # (B-1,) float64 inner edges, each a multiple of 1/F
    count: Tensor  # (B,) int64
    correct: Tensor  # (B,) int64
    confidence: Tensor  # (B,) float64, summed
    bound: float  # |ECE - that of the exact bins| is at most this; nan without rows

    @property
    def bins(self) -> int:
        return len(self.count)


def equal_width(sums: Tensor, cells: int, bins: int) -> CoarseBins:
    """``sums`` (3F + 1,) as in ``bins``; edges at k/B, or as near as the cells allow."""
    place = torch.arange(1, bins, dtype=torch.int64) * cells
    inside = place[place % bins != 0] // bins
    return _made_of_cells(sums, cells, (2 * place + bins) // (2 * bins), inside)


def equal_mass(sums: Tensor, cells: int, bins: int) -> CoarseBins:
    """The sorted rows in near-equal parts, the first ones longer by one row if need be.

    Equal confidences share the lower part, and there are no more parts than rows.
    """
    count = sums[:cells].cpu()
    ends = count.cumsum(0)
    rows = int(ends[-1])
    parts = max(1, min(bins, rows))
    numbers = torch.arange(1, parts, dtype=torch.int64)
    ranks = numbers * (rows // parts) + numbers.clamp(max=rows % parts)
    at = torch.searchsorted(ends, ranks)  # the cell of the row that ends each part
    above = ends[at] - ranks
    below = count[at] - above
    return _made_of_cells(sums, cells, at + (above <= below), at[above > 0])


def _made_of_cells(sums: Tensor, cells: int, cuts: Tensor, inside: Tensor) -> CoarseBins:
    """``cuts`` (B-1,): cells to the left of each edge; ``inside``: the cell of each exact edge that
    is no end of a cell."""
    fine = sums[:-1].cpu().view(3, cells)
    bins = len(cuts) + 1
    owner = torch.searchsorted(cuts, torch.arange(cells), right=True)
    count, correct, fixed = torch.zeros(3, bins, dtype=torch.int64).index_add_(1, owner, fine)
    return CoarseBins(
        edges=cuts.double() / cells,
        count=count,
        correct=correct,
        confidence=fixed.double() / binning.SCALE,
        bound=_bound(fine, cells, inside),
    )


def _bound(fine: Tensor, cells: int, inside: Tensor) -> float:
    rows, correct = fine[0].double(), fine[1].double()
    cell = torch.arange(cells, dtype=torch.float64)
    up, down = correct * (1 - cell / cells), (rows - correct) * ((cell + 1) / cells)
    edges = torch.bincount(inside, minlength=cells)
    moved = torch.where(edges == 1, torch.maximum(up, down), up + down)
    total = float(rows.sum())
    at_stake = float(moved[edges > 0].sum())
    return 2 * at_stake / total + 1 / binning.SCALE if total else float("nan")
