"""Answers by plain ``generate`` and by ``calib.shared_prefix``, and how they are compared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from calib.hf.decoding import loop as decoding
from calib.hf.decoding.shared_prefix import shared_prefix
from tests.hf import families

SAMPLES, TOKENS = 3, 8


def both(model: Any, inputs: dict[str, Tensor], **settings: Any) -> tuple[Any, Any]:
    """Plain generation with repeated prompts, and ours, from the same state of the generator."""
    asked = {
        "do_sample": True,
        "max_new_tokens": TOKENS,
        "return_dict_in_generate": True,
        "output_logits": True,
        "output_scores": True,
        "disable_compile": True,
        **settings,
    }
    torch.manual_seed(3)
    plain = model.generate(**inputs, **asked, num_return_sequences=SAMPLES)
    torch.manual_seed(3)
    ours = model.generate(**inputs, **asked, custom_generate=shared_prefix, n_samples=SAMPLES)
    return plain, ours


def agree(plain: Any, ours: Any) -> None:
    assert torch.equal(plain.sequences, ours.sequences)
    for name in ("logits", "scores"):
        theirs, found = getattr(plain, name), getattr(ours, name)
        assert len(theirs) == len(found)
        for a, b in zip(theirs, found, strict=True):
            # The order of summation differs: 1e-4 is the bound that users are told.
            torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


SHARED = set(families.FAMILIES) - {"gemma3"}  # which has sliding layers


def decoded(
    model: Any, inputs: dict[str, Tensor], *, way: str | None = None, **settings: Any
) -> decoding.Decoded:
    """The whole of what the decode loop knows, by way of ``generate``."""
    kept: list[decoding.Decoded] = []
    original = decoding.decode

    def keeping(*args: Any, **kwargs: Any) -> Any:
        kept.append(original(*args, **{**kwargs, "way": way}))
        return kept[-1]

    asked = {"do_sample": True, "max_new_tokens": TOKENS, "n_samples": SAMPLES, "seed": 5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calib.hf.decoding.shared_prefix.decode", keeping)
        model.generate(**inputs, custom_generate=shared_prefix, **{**asked, **settings})
    return kept[0]


def answers(found: decoding.Decoded) -> list[list[int]]:
    return [
        row[found.prompt : found.prompt + length].tolist()
        for row, length in zip(found.ids, found.lengths.tolist(), strict=True)
    ]


ENDS: dict[str, Any] = {"eos_token_id": list(range(10, 50)), "pad_token_id": 0}


def way(model: Any, inputs: dict[str, Tensor], **settings: Any) -> str:
    return decoded(model, inputs, **settings).way
