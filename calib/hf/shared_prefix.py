"""``calib.shared_prefix``: a decoding method for ``model.generate(custom_generate=...)``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.generation.utils import GenerateDecoderOnlyOutput

from calib.hf.decoding import decode
from calib.hf.draws import ByAddress, FromGenerator, by_address


def shared_prefix(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    n_samples: int = 1,
    seed: int | None = None,
    item: int | Tensor | None = None,
    **model_kwargs: Any,
) -> Any:
    """S answers to each prompt, whose image and text are encoded and prefilled once.

    >>> model.generate(**inputs, custom_generate=calib.shared_prefix, n_samples=20,
    ...                do_sample=True)                                          # doctest: +SKIP

    Returns what ``generate(num_return_sequences=n_samples)`` would: (B S, P + L) ids, prompt by
    prompt, or with ``return_dict_in_generate`` an output that has ``scores`` and ``logits`` where
    the generation config asks for them. Without ``seed`` the ids are those of plain sampling with
    the same state of torch's generator. With one, a token depends on (seed, item, sample, step)
    and its logits alone; ``item`` is the number of the first prompt, or one (B,) for each (default
    0, 1, ...). Raises ValueError for beams, several return sequences, attentions and hidden states.
    """
    refuse(model, generation_config, n_samples)
    wanted = generation_config.return_dict_in_generate
    keep_scores = bool(wanted and generation_config.output_scores)
    keep_logits = bool(wanted and generation_config.output_logits)
    draw: FromGenerator | ByAddress
    if seed is None:
        draw = FromGenerator(logits_processor, not generation_config.do_sample, n_samples)
    else:
        items = torch.as_tensor(0 if item is None else item, device=input_ids.device)
        if items.dim() == 0:
            items = items + torch.arange(len(input_ids), device=input_ids.device)
        if items.shape != (len(input_ids),):
            raise ValueError(
                f"item must be a number or one for each of {len(input_ids)} prompts, "
                f"got shape {tuple(items.shape)}"
            )
        draw = by_address(
            logits_processor, generation_config, seed, items, n_samples, 0, keep_scores
        )
    found = decode(
        model,
        input_ids,
        draw,
        stopping_criteria,
        generation_config,
        model_kwargs,
        samples=n_samples,
        keep_scores=keep_scores,
        keep_logits=keep_logits,
    )
    if not wanted:
        return found.ids
    parts: dict[str, Any] = {"sequences": found.ids}
    if keep_scores:
        parts["scores"] = tuple(found.scores)
    if keep_logits:
        parts["logits"] = tuple(found.logits)
    return GenerateDecoderOnlyOutput(**parts)


def refuse(model: Any, config: Any, n_samples: int) -> None:
    """ValueError for what this method does not do, before anything is computed."""
    if not isinstance(n_samples, int) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer, got {n_samples!r}")
    if model.config.is_encoder_decoder:
        raise ValueError("shared_prefix decodes decoder-only models, this is an encoder-decoder")
    if (config.num_return_sequences or 1) > 1:
        raise ValueError(
            f"num_return_sequences={config.num_return_sequences}: use n_samples, which prefills "
            "each prompt once"
        )
    if (config.num_beams or 1) > 1:
        raise ValueError(f"shared_prefix samples; num_beams={config.num_beams} is not possible")
    for name in ("output_attentions", "output_hidden_states"):
        if getattr(config, name, None):
            raise ValueError(f"{name} is not returned by shared_prefix")
