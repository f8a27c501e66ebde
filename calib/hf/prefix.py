"""Prefill once, decode many: the state of S answers to each of B prompts, and its three ways.

``shared``    the prompts' keys and values are kept once (``calib.hf.shared_attention``).
``repeated``  the prefilled cache is copied S times, which is exact for plain and sliding layers.
``expanded``  every row is prefilled by itself, for caches of which rows cannot be repeated: hybrid,
              state-space, static, quantised and offloaded ones, some of which would repeat only
              half of their state without a word.

Axis legend: B prompts, S samples of each, R = B S rows, ordered prompt by prompt, P prompt tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from calib.hf import graphs
from calib.hf.shared_attention import CannotShare, SharedCache, attending, sharing

WAYS = ("shared", "repeated", "expanded")  # from the fastest to the one that always works
REPEATABLE = {DynamicLayer, DynamicSlidingWindowLayer}
# Inputs with a row for each row and a column for each token.
PER_TOKEN = ("attention_mask", "token_type_ids", "mm_token_type_ids", "position_ids")


def way_of(cache: Any, use_cache: bool) -> str:
    """The fastest exact way that a cache allows, by the exact types of its layers."""
    if type(cache) is not DynamicCache or not use_cache or cache.offloading:
        return "expanded"
    kinds: set[Any] = {type(layer) for layer in cache.layers}
    kinds = kinds or {cache.layer_class_to_replicate}  # layers appear as they are first used
    if kinds == {DynamicLayer}:
        return "shared"
    return "repeated" if kinds <= REPEATABLE else "expanded"


def expanded(
    model: Any, input_ids: Tensor, kwargs: dict[str, Any], samples: int
) -> tuple[Tensor, dict[str, Any]]:
    """Prompts and inputs S times over. An empty cache takes as many rows as it is first given."""
    cache = kwargs.get("past_key_values")
    if cache is not None and cache.get_seq_length():
        raise ValueError(
            f"past_key_values: a {type(cache).__name__} that already holds tokens cannot be "
            "repeated exactly; pass the whole prompt without it"
        )
    found: tuple[Tensor, dict[str, Any]] = model._expand_inputs_for_generation(
        input_ids=input_ids, expand_size=samples, is_encoder_decoder=False, **kwargs
    )
    return found


class Rows:
    """R rows that ``model`` is decoding: the logits behind them, and what their next step needs.

    ``logits`` are (B, V) behind the prompts, one row for all samples of a prompt, until the first
    ``step``, and (R, V) from then on; with the way ``expanded`` they are (R, V) from the start.
    """

    def __init__(
        self,
        model: Any,
        input_ids: Tensor,
        generation_config: Any,
        kwargs: dict[str, Any],
        samples: int,
        way: str | None = None,
    ) -> None:
        """Prefill the prompts ``input_ids`` (B, P), in the way the gate allows or a slower one."""
        self.model, self.samples = model, samples
        self.counts = [samples] * len(input_ids)
        fastest = way_of(kwargs.get("past_key_values"), kwargs.get("use_cache", True))
        self.way = max(way or fastest, fastest, key=WAYS.index)
        if self.way == "expanded":
            input_ids, kwargs = expanded(model, input_ids, kwargs, samples)
        mask = kwargs.get("attention_mask")
        outputs = model._prefill(input_ids, generation_config, kwargs)
        # A copy, so that the logits of other positions are not kept for the sake of the last.
        self.logits = outputs.logits[:, -1].clone()
        self.kwargs = model._update_model_kwargs_for_generation(outputs, kwargs)
        self.prefilled: Any = None
        self.replayed: graphs.Replayed | None = None
        self.replayed_steps = 0
        self.taken: set[str] = set()  # tensors that the last step was given
        if self.way == "expanded":
            return
        cache = self.kwargs["past_key_values"]
        if self.way == "shared":
            self.prefilled = cache  # until it is known that the model's attention can be shared
            self.configs = attending(model)
            room = generation_config.max_length - input_ids.shape[1]
            self.kwargs["past_key_values"] = SharedCache(cache, mask, samples, room)
        else:
            cache.batch_repeat_interleave(samples)
        self._each(len(input_ids), lambda value, axis: value.repeat_interleave(samples, dim=axis))

    def _each(self, rows: int, change: Callable[[Tensor, int], Tensor]) -> None:
        """Change every input that has ``rows`` rows; ``change`` is told which axis they are."""
        for name in PER_TOKEN:
            value = self.kwargs.get(name)
            if value is not None:
                self.kwargs[name] = change(value, value.dim() - 2)  # (3, R, L) for three-part ones
        deltas = rope_deltas(self.model)
        if deltas is not None and len(deltas) == rows:  # else it is another call's
            self.model.model.rope_deltas = change(deltas, 0)

    def step(self, ids: Tensor) -> None:
        """Feed the last of ``ids`` (R, P + L), the rows' tokens so far."""
        try:
            outputs = self._outputs(ids)
        except CannotShare:
            # Found out at the first step: what is exact for any attention over plain keys.
            assert self.prefilled is not None
            self.way = "repeated"
            self.prefilled.batch_repeat_interleave(self.samples)
            self.kwargs["past_key_values"] = self.prefilled
            outputs = self._outputs(ids)
        self.logits = outputs.logits[:, -1]
        self.kwargs = self.model._update_model_kwargs_for_generation(outputs, self.kwargs)
        first, self.prefilled = self.prefilled is not None, None
        if first and self.way == "shared" and ids.device.type in graphs.REPLAYING:
            self.replayed = graphs.Replayed(self.kwargs["past_key_values"])

    def _outputs(self, ids: Tensor) -> Any:
        width = 1 if self.kwargs.get("use_cache", True) else None
        inputs = self.model.prepare_inputs_for_generation(
            ids, next_sequence_length=width, **self.kwargs
        )
        self.taken = {name for name, value in inputs.items() if isinstance(value, Tensor)}
        if (kinds := inputs.get("mm_token_type_ids")) is not None and "input_ids" in inputs:
            # transformers 5.17 hands on those of all tokens beside the last token.
            inputs["mm_token_type_ids"] = kinds[:, -inputs["input_ids"].shape[1] :]
        if self.replayed is not None:
            try:
                outputs = self.replayed(inputs, self._forward)
                self.replayed_steps = self.replayed.steps
                return outputs
            except Exception as error:  # noqa: BLE001  (what is not the graph's fault comes again)
                graphs.warn(error)
                self.replayed = None
                self.kwargs["past_key_values"].leave_place()
        return self._forward(inputs)

    def _forward(self, inputs: dict[str, Any]) -> Any:
        if self.way != "shared":
            return self.model(**inputs, return_dict=True)
        with sharing(self.configs, self.kwargs["past_key_values"]):
            return self.model(**inputs, return_dict=True)

    def keep(self, rows: Tensor) -> None:
        """Go on with ``rows`` (R',), ascending, alone. Not before the first ``step``."""
        owners = [b for b, count in enumerate(self.counts) for _ in range(count)]
        left = Counter(owners[row] for row in rows.tolist())
        counts = [left[b] for b in range(len(self.counts))]
        cache = self.kwargs.get("past_key_values")
        if self.way == "shared":
            cache.keep_rows(rows, counts)
            if self.replayed is not None:
                self.replayed.forget()
        elif cache is not None:
            cache.batch_select_indices(rows)
        self.counts = [count for count in counts if count]
        self.logits = self.logits[rows]
        self._each(len(owners), lambda value, axis: value.index_select(axis, rows))

    @property
    def joinable(self) -> bool:
        """Whether rows of other prompts may ``join``: a step must know of a row nothing but its
        token, its position and the shared cache. Known from the first step on."""
        positions = self.kwargs.get("position_ids")
        return (
            self.way == "shared"
            and bool(self.taken)
            and self.taken <= {"input_ids", *PER_TOKEN}
            and positions is not None
            and positions.dim() == 2
            and rope_deltas(self.model) is None
        )

    def join(self, others: Rows) -> None:
        """Go on with ``others`` as well, behind these. They must not have gone a step, and these
        must go one before any leave."""
        self.kwargs["past_key_values"].join(others.kwargs["past_key_values"])
        self.counts += others.counts
        self.kwargs["attention_mask"] = None  # nothing attends by it
        for name in PER_TOKEN:
            value = self.kwargs.get(name)
            if value is not None:  # a step takes the last column and makes the next one of it
                self.kwargs[name] = torch.cat([value[:, -1:], others.kwargs[name][:, -1:]])


def rope_deltas(model: Any) -> Tensor | None:
    """How far positions are behind tokens, in models that keep it of each row themselves."""
    deltas: Tensor | None = getattr(getattr(model, "model", None), "rope_deltas", None)
    return deltas
