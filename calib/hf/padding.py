"""Whether a prompt's logits are its own, whatever is read beside it.

Some models do not mask padding in what they carry from token to token (RWKV, RecurrentGemma), or
attend to the empty pictures that a prompt with fewer of them is filled up with (Llama 3.2 Vision).
Their configuration does not say so; reading a prompt twice does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import torch

from calib.hf.reading import Inputs, ReadPrompts, close


def lengths(inputs: Inputs) -> list[int] | None:
    """Tokens of each prompt; None where the inputs have no mask that says so."""
    mask = inputs.get("attention_mask")
    return None if mask is None else mask.sum(1).tolist()


def padded(inputs: Inputs) -> bool:
    """Whether a prompt of the batch, which is on the host yet, is shorter than another."""
    mask = inputs.get("attention_mask")
    return len(inputs["input_ids"]) > 1 and (mask is None or not bool(mask.all()))


def grouped(keys: Iterable[Hashable]) -> list[list[int]]:
    """Indices by equal keys."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())


@torch.inference_mode()
def independent(hf: Any, batch: Inputs, row: int, alone: Inputs) -> bool:
    """Whether prompt ``row`` has the logits in a batch that it has ``alone``."""
    beside = ReadPrompts(hf, batch, keep=False).logits[row]
    return close(beside, ReadPrompts(hf, alone, keep=False).logits[0], hf.dtype)
