"""``calib.shared_prefix``: a decoding method for ``model.generate(custom_generate=...)``."""

from __future__ import annotations

import sys
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin
from transformers.generation.configuration_utils import GenerationMode
from transformers.generation.utils import GenerateDecoderOnlyOutput
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from transformers.integrations.fsdp import is_fsdp_managed_module

from calib.hf.decoding.draws import ByAddress, FromGenerator, by_address
from calib.hf.decoding.loop import decode


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
    the generation config asks for them. Without ``seed`` tokens are drawn as plain sampling draws
    them from the same state of torch's generator: the same ids, but where rounding of the logits
    decides a draw. With one, a token depends on (seed, item, sample, step) and its logits alone;
    ``item`` is the number of the first prompt, or one (B,) for each (default 0, 1, ...).

    Raises ValueError for what it does not do: beams and other ways of searching, assistants,
    streamers, several return sequences, attentions and hidden states, models that keep no cache
    while they checkpoint gradients, encoder-decoders and models sharded over processes.
    """
    refuse(model, generation_config, n_samples, seed)
    refuse_unheard(sys._getframe(1).f_locals, sys._getframe(1).f_code)
    as_output = generation_config.return_dict_in_generate
    keep_scores = bool(as_output and generation_config.output_scores)
    keep_logits = bool(as_output and generation_config.output_logits)
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
    results = decode(
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
    if not as_output:
        return results.ids
    parts: dict[str, Any] = {"sequences": results.ids}
    if keep_scores:
        parts["scores"] = tuple(results.scores)
    if keep_logits:
        parts["logits"] = tuple(results.logits)
    return GenerateDecoderOnlyOutput(**parts)


def refuse(model: Any, config: Any, n_samples: int, seed: int | None) -> None:
    """ValueError for what this method does not do, before anything is computed."""
    if not integer(n_samples) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer, got {n_samples!r}")
    if seed is not None and not integer(seed):
        raise ValueError(f"seed must be an integer or None, got {seed!r}")
    if model.config.is_encoder_decoder:
        raise ValueError("shared_prefix decodes decoder-only models, this is an encoder-decoder")
    if (config.num_return_sequences or 1) > 1:
        raise ValueError(
            f"num_return_sequences={config.num_return_sequences}: use n_samples, which prefills "
            "each prompt once"
        )
    if (config.num_beams or 1) > 1:
        raise ValueError(f"shared_prefix samples; num_beams={config.num_beams} is not possible")
    mode = config.get_generation_mode()
    if mode not in (GenerationMode.SAMPLE, GenerationMode.GREEDY_SEARCH):
        raise ValueError(
            "shared_prefix samples or takes the likeliest token; these settings ask for "
            f"{mode.value.replace('_', ' ')} (generation_config.get_generation_mode())"
        )
    for name in ("output_attentions", "output_hidden_states"):
        if getattr(config, name, None):
            raise ValueError(f"{name} is not returned by shared_prefix")
    if any(m.training and getattr(m, "gradient_checkpointing", False) for m in model.modules()):
        raise ValueError(
            "a model that checkpoints gradients in training mode keeps no cache, so that its "
            "answers know of nothing but their last token; call model.eval() before generate()"
        )
    if sharded(model):
        raise ValueError(
            "shared_prefix takes as many steps as its own rows need, and processes that share a "
            "model's weights (FSDP, ZeRO-3) would wait for each other for ever; gather them first"
        )


def sharded(model: Any) -> bool:
    """Whether processes share the model's weights, so that all must take as many steps."""
    if not is_deepspeed_zero3_enabled() and not is_fsdp_managed_module(model):
        return False
    return torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1


def refuse_unheard(variables: dict[str, Any], code: Any) -> None:
    """ValueError for arguments of ``generate`` that it hands to no decoding method of one's own.

    ``variables`` are the caller's local variables; its ``code`` says whether it is ``generate``.
    A streamer is ended, so that whoever listens to it does not wait for ever.
    """
    if code is not unwrapped(GenerationMixin.generate).__code__:
        return
    if variables.get("assistant_model") is not None:
        raise ValueError("assistant_model: shared_prefix drafts no tokens; leave it out")
    if (streamer := variables.get("streamer")) is not None:
        streamer.end()
        raise ValueError(
            "streamer: shared_prefix draws many answers side by side and streams none; leave it out"
        )


def integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def unwrapped(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
