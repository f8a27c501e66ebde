"""Outputs for launchers that are called without their op, which would have allocated them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import OptionScores, RowStats, bins
from torch import Tensor


@dataclass(frozen=True)
class Poisoned:
    """Outputs filled with what no row can give, so that an unwritten element shows."""

    out: Any  # OptionScores or RowStats
    seen: Tensor
    slow: Tensor

    @classmethod
    def of(cls, n: int, options: int, bin_count: int, device: torch.device | str) -> Poisoned:
        """For ``option_scores``."""
        shapes = {"logprob": (n, options), "prob": (n, options)}
        out = OptionScores(*(_poison(f, shapes.get(f, (n,)), device) for f in OptionScores._fields))
        return cls(out, *_counters(n, bin_count, device))

    @classmethod
    def of_rows(cls, n: int, bin_count: int, device: torch.device | str) -> Poisoned:
        """For ``row_stats``."""
        out = RowStats(*(_poison(field, (n,), device) for field in RowStats._fields))
        return cls(out, *_counters(n, bin_count, device))


def _poison(field: str, shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    if field in ("prediction", "token"):
        return torch.full(shape, -77, dtype=torch.int64, device=device)
    if field in ("correct", "valid"):
        return torch.full(shape, 77, dtype=torch.uint8, device=device).view(torch.bool)
    return torch.full(shape, -77.0, device=device)


def _counters(n: int, bin_count: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    seen = torch.zeros(bins.length(bin_count), dtype=torch.int64, device=device)
    return seen, torch.full((n,), -77, dtype=torch.int32, device=device)
