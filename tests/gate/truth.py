"""What float64 says of the very values that a kernel was given."""

from __future__ import annotations

from typing import Any

from calib_kernels import (
    OptionScores,
    RowStats,
    Sweep,
    reference,
    temperature_sweep,
    use_backend,
)
from torch import Tensor


def truth_of(
    logits: Tensor,
    ids: Tensor,
    labels: Tensor | None,
    temperature: float | Tensor,
    vocab_mode: bool,
) -> OptionScores:
    """What float64 says of the very values the kernel was given."""
    values = logits.cpu().double()
    t = temperature if isinstance(temperature, float) else temperature.cpu().double()
    known = None if labels is None else labels.cpu()
    *fields, _ = reference.option_scores(values, ids.cpu(), known, t, vocab_mode, -100, 0)
    if labels is None:
        fields[8] = None
    return OptionScores(*fields)


def row_truth_of(
    logits: Tensor, labels: Tensor | None, temperature: float | Tensor, ignore_index: int = -100
) -> RowStats:
    """The same for ``row_stats``."""
    t = temperature if isinstance(temperature, float) else temperature.cpu().double()
    known = None if labels is None else labels.cpu()
    *fields, _seen, _log2_d = reference.row_stats(logits.cpu().double(), known, t, ignore_index, 0)
    if labels is None:
        fields[5] = fields[6] = None
    return RowStats(*fields)


def sweep_truth_of(logits: Tensor, labels: Tensor, temperatures: Any, **options: Any) -> Sweep:
    """The same for ``temperature_sweep``, with both derivatives."""
    if options.get("option_ids") is not None:
        options["option_ids"] = options["option_ids"].cpu()
    with use_backend("reference"):
        return temperature_sweep(
            logits.cpu().double(), labels.cpu(), temperatures, derivatives=2, **options
        )
