"""Which of a model's inputs belong to which rows, and how they are repeated for S samples.

Axis legend: B prompts, S samples of each, R = B S rows, ordered prompt by prompt, P prompt tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin
from transformers.generation.utils import ALL_CACHE_NAMES

# Inputs with a row for each row and a column for each token; three-part positions are (3, R, L).
PER_TOKEN = ("attention_mask", "token_type_ids", "mm_token_type_ids", "position_ids")
OF_ALL_ROWS = {"cache_position"}  # which transformers once kept among the inputs


class CannotRepeat(ValueError):
    """It cannot be told which entries of an input belong to which prompt."""


def axis_of_rows(name: str, value: Tensor) -> int:
    return max(0, value.dim() - 2) if name in PER_TOKEN else 0


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in ``value`` and in the lists, tuples and dicts that it is made of."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def rows_of_step(model: Any, input_ids: Tensor, kwargs: dict[str, Any]) -> list[str]:
    """Names of the inputs in ``kwargs`` of which a step behind B prompts takes a row for each row.

    What the model's own ``prepare_inputs_for_generation`` makes of them says which of them reach a
    step. Raises CannotRepeat where one does that has not a row for each prompt.
    """
    last = input_ids[:, -1:] if input_ids.shape[1] else input_ids.new_zeros(len(input_ids), 1)
    inputs = model.prepare_inputs_for_generation(
        torch.cat([input_ids, last], dim=1), next_sequence_length=1, **kwargs
    )
    inputs = {k: v for k, v in inputs.items() if k not in ALL_CACHE_NAMES}
    reached = {part.untyped_storage().data_ptr() for part in tensors_in(inputs)}
    names = []
    for name, value in kwargs.items():
        if name in ALL_CACHE_NAMES or name in OF_ALL_ROWS:
            continue
        parts = [part for part in tensors_in(value) if part.dim() and part.numel()]
        if name not in PER_TOKEN and not (
            inputs.get(name) is not None
            or any(part.untyped_storage().data_ptr() in reached for part in parts)
        ):
            continue
        if not parts:
            continue
        if value is not parts[0] or value.shape[axis_of_rows(name, value)] != len(input_ids):
            raise CannotRepeat(f"{name} has not a row for each of {len(input_ids)} prompts")
        names.append(name)
    return names


def expanded(
    model: Any, input_ids: Tensor, kwargs: dict[str, Any], samples: int
) -> tuple[Tensor, dict[str, Any]]:
    """Prompts and inputs S times over. An empty cache takes the number of rows of its first keys.

    Raises ValueError for a cache that holds tokens, and CannotRepeat.
    """
    for name in ALL_CACHE_NAMES:
        if filled(kwargs.get(name)):
            raise ValueError(
                f"{name}: a {type(kwargs[name]).__name__} that already holds tokens cannot be "
                "repeated exactly; pass the whole prompt without it"
            )
    if samples == 1:
        return input_ids, kwargs
    prompts = len(input_ids)
    own = (
        type(model)._expand_inputs_for_generation
        is not GenerationMixin._expand_inputs_for_generation
    )
    # Features of images are repeated by transformers, which tells prompts apart by their tokens.
    encoded = {name: kwargs[name] for name in ("mm_encoder_outputs",) if name in kwargs}
    rest = {name: value for name, value in kwargs.items() if name not in encoded}
    if prompts == 1 and not own:
        _, encoded = model._expand_inputs_for_generation(
            input_ids=input_ids, expand_size=samples, is_encoder_decoder=False, **encoded
        )
        tiled = {name: whole_again(name, value, samples) for name, value in rest.items()}
        return input_ids.repeat(samples, 1), {**tiled, **encoded}
    if not own:
        for name, value in rest.items():
            parts = [] if name in OF_ALL_ROWS else [p for p in tensors_in(value) if p.dim()]
            if parts and (
                value is not parts[0] or value.shape[axis_of_rows(name, value)] != prompts
            ):
                raise CannotRepeat(
                    f"{name}: {len(value)} entries for {prompts} prompts do not say which entry "
                    "belongs to which prompt, and this model's cache cannot be repeated without "
                    "that; pass one prompt at a time"
                )
    inputs: tuple[Tensor, dict[str, Any]] = model._expand_inputs_for_generation(
        input_ids=input_ids, expand_size=samples, is_encoder_decoder=False, **kwargs
    )
    return inputs


def whole_again(name: str, value: Any, times: int) -> Any:
    """An input of one prompt ``times`` over: all of its pictures, then all of them again."""
    if name in ALL_CACHE_NAMES or name in OF_ALL_ROWS:
        return value
    if isinstance(value, Tensor) and value.dim():
        return torch.cat([value] * times, dim=axis_of_rows(name, value))
    if isinstance(value, (list, tuple)) and next(tensors_in(value), None) is not None:
        return value * times
    return value


def filled(cache: Any) -> bool:
    """Whether a cache, if it is one, holds tokens."""
    if cache is None or not hasattr(cache, "get_seq_length"):
        return cache is not None
    try:
        return bool(cache.get_seq_length())
    except ValueError:  # it has layers with a state alone
        return bool(cache.has_previous_state())
