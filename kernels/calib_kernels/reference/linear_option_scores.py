"""A language model's head and the scores of options, with all the logits at once."""

from __future__ import annotations

from torch import Tensor

from calib_kernels.reference.option_scores import option_scores
from calib_kernels.reference.vocabulary import head_logits


def linear_option_scores(
    hidden: Tensor,
    weight: Tensor,
    option_ids: Tensor,
    labels: Tensor | None,
    bias: Tensor | None,
    temperature: float | Tensor,
    vocab_mode: bool,
    ignore_index: int,
    bins: int,
) -> tuple[Tensor, ...]:
    """The fields of ``OptionScores``, then the histogram."""
    logits = head_logits(hidden, weight, bias)
    return option_scores(logits, option_ids, labels, temperature, vocab_mode, ignore_index, bins)
