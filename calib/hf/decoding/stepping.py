"""Whether a model that keeps more than keys and values decodes several rows at once as each alone.

``prefix`` checks plain caches where it uses them. Recurrent models carry other state from step to
step: some mix rows (RWKV in transformers 5.23) or let padding in again when they step (MiniMax).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteriaList

from calib.hf.decoding.prefix import Rows
from calib.hf.decoding.sampling import generated
from calib.hf.reading import ReadPrompts, close
from calib.models.protocol import Sampling

STEPS = 2


def rows_step_apart(
    hf: Any, tokenizer: Any, two: dict[str, Any], alone: dict[str, Any], source: Any
) -> bool:
    """Whether the second of ``two`` prompts steps in a batch to the logits of a forward alone.

    The rows are fed different tokens of the prompt's own, for two steps. ``alone`` are the second
    prompt's inputs, and ``source`` reads it anew.
    """
    own = list(dict.fromkeys(reversed(alone["input_ids"][0].tolist())))  # its last ones are text
    x, y = own[0], own[min(1, len(own) - 1)]
    tokens = torch.tensor([[x, y], [y, x]], device=alone["input_ids"].device)
    stepped = step_logits(hf, tokenizer, two, tokens)
    read = ReadPrompts(hf, alone, source, keep=False)
    expected = read.behind([0], tokens[1:], torch.ones_like(tokens[1:]))[0]
    return all(
        close(logits[1], by_itself, hf.dtype)
        for logits, by_itself in zip(stepped, expected, strict=True)
    )


@torch.no_grad()
def step_logits(
    hf: Any, tokenizer: Any, inputs: dict[str, Any], tokens: Tensor
) -> Sequence[Tensor]:
    """Logits (B, V) behind each of ``tokens`` (B, L), which are fed one after the other."""

    def method(
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> list[Tensor]:
        rows = Rows(model, input_ids, generation_config, model_kwargs, 1)
        logits = []
        for end in range(1, tokens.shape[1] + 1):
            rows.step(torch.cat([input_ids, tokens[:, :end]], dim=1))
            logits.append(rows.logits)
        return logits

    how = Sampling(samples=1, greedy=True, max_new_tokens=STEPS + 1)
    logits: list[Tensor] = generated(hf, inputs, tokenizer, how, StoppingCriteriaList(), method)
    return logits
