"""A language model's head and draws from it, with all the logits at once."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from calib_kernels.reference.sample import sample
from calib_kernels.reference.vocabulary import head_logits


def linear_sample(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, *draws: Any
) -> tuple[Tensor, ...]:
    """The fields of ``Sample``; ``draws`` are the arguments of ``sample`` after the logits."""
    return sample(head_logits(hidden, weight, bias), *draws)
