"""Prefill once, decode many: the state of S answers to each of B prompts, and its three ways.

``shared``    one copy of each prompt's keys and values (``calib.hf.decoding.shared_attention``).
``repeated``  the prefilled cache is copied S times, which is exact for plain and sliding layers.
``expanded``  every row is prefilled by itself, for caches of which rows cannot be repeated: hybrid,
              state-space, static, quantised and offloaded ones, some of which would repeat only
              half of their state without a word.

A trial decides which of them is exact: where the checks of a way fail, or its first step raises
anything, the next slower way takes its place, and nothing of the failed step remains.

Axis legend: B prompts, S samples of each, R = B S rows, ordered prompt by prompt, P prompt tokens.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import cache_utils
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from calib.hf.decoding import graphs
from calib.hf.decoding.row_inputs import PER_TOKEN, axis_of_rows, expanded, filled, rows_of_step
from calib.hf.decoding.shared_attention import NAME
from calib.hf.decoding.shared_cache import CannotShare, SharedCache
from calib.hf.model_view import CannotView, View, changed, own_tensors

WAYS = ("shared", "repeated", "expanded")  # from the fastest to the one that always works
# Layers of which rows are repeated and taken exactly; the last two are not in every transformers.
REPEATABLE = {
    DynamicLayer,
    DynamicSlidingWindowLayer,
    getattr(cache_utils, "DynamicIndexedLayer", DynamicLayer),
    getattr(cache_utils, "DummyLayer", DynamicLayer),  # holds nothing
}


def way_of(cache: Any, use_cache: bool) -> str:
    """The fastest exact way that a cache allows, by the exact types of its layers."""
    if type(cache) is not DynamicCache or not use_cache or cache.offloading:
        return "expanded"
    kinds: set[Any] = {type(layer) for layer in cache.layers}
    kinds = kinds or {cache.layer_class_to_replicate}  # layers appear as they are first used
    if kinds == {DynamicLayer}:
        return "shared"
    return "repeated" if kinds <= REPEATABLE else "expanded"


def slower(one: str, other: str) -> str:
    return max(one, other, key=WAYS.index)


class CannotContinue(Exception):
    """A way that is not exact for what the prefill has left behind."""


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
        """Prefill the prompts ``input_ids`` (B, P), in the fastest exact way or a slower one.

        Raises ValueError where nothing but repeated inputs would do and they cannot be repeated.
        """
        self.original, self.input_ids = model, input_ids
        self.generation_config, self.samples = generation_config, samples
        self.counts = [samples] * len(input_ids)
        cache = kwargs.get("past_key_values")
        self.first_kwargs: dict[str, Any] | None = None  # what another prefill would begin with
        self.view: View | None = None
        self.prefilled: Any = None
        self.replayed: graphs.Replayed | None = None
        self.replayed_steps = 0
        self.taken: set[str] = set()  # names of the tensors that went into the last step
        # In training mode each row is to draw its own dropout.
        fastest = "expanded" if model.training else way_of(cache, kwargs.get("use_cache", True))
        self.way = slower(way or fastest, fastest)
        if self.way != "expanded":
            # A cache that holds tokens already is not copied, and so there is no other prefill.
            empty = cache if filled(cache) else copy.deepcopy(cache)
            self.first_kwargs = {**kwargs, "past_key_values": empty}
            try:
                self._prefill_prompts(kwargs)
                return
            except CannotContinue:
                kwargs = self.first_kwargs
        self._prefill_rows(kwargs)

    def _prefill_prompts(self, kwargs: dict[str, Any]) -> None:
        """One row for each prompt. Raises CannotContinue where those cannot be repeated."""
        prompts, samples = len(self.input_ids), self.samples
        mask = kwargs.get("attention_mask")
        try:
            self.view = View(self.original)
            self.model = self.view.model
        except CannotView:
            self.way, self.model = "repeated", self.original
        before = own_tensors(self.model)
        self._prefill(self.input_ids, kwargs)
        if changed(before, own_tensors(self.model)) - {"rope_deltas"}:
            raise CannotContinue("the model keeps more of its rows than its cache")
        cache: Any = self.kwargs.get("past_key_values")
        self.way = slower(self.way, way_of(cache, True))
        if self.way == "expanded":
            raise CannotContinue("the model has made another cache")
        try:
            self.per_row = rows_of_step(self.model, self.input_ids, self.kwargs)
        except Exception as error:
            raise CannotContinue("the inputs of a step are not known") from error
        self.prefilled = cache  # until a step has been taken
        if self.way == "shared":
            room = self.generation_config.max_length - self.input_ids.shape[1]
            try:
                shared = SharedCache(cache, mask, samples, room)
            except CannotShare:
                self.way = "repeated"
            else:
                assert self.view is not None
                self.view.share(shared, NAME)
                self.kwargs["past_key_values"] = shared
        if self.way == "repeated":
            cache.batch_repeat_interleave(samples)
        self._each(prompts, lambda value, axis: value.repeat_interleave(samples, dim=axis))

    def _prefill_rows(self, kwargs: dict[str, Any]) -> None:
        """One row for each answer."""
        self.way, self.model, self.view, self.prefilled = "expanded", self.original, None, None
        ids, kwargs = expanded(self.model, self.input_ids, kwargs, self.samples)
        self.first_kwargs, self.per_row = None, []
        self._prefill(ids, kwargs)

    def _prefill(self, ids: Tensor, kwargs: dict[str, Any]) -> None:
        outputs = self.model._prefill(ids, self.generation_config, kwargs)
        # Copied where there are other positions: a view would keep the memory of all of them.
        several = outputs.logits.shape[1] > 1
        self.logits = outputs.logits[:, -1].to(ids.device, copy=several)
        self.kwargs = self._after(outputs, kwargs)

    def _after(self, outputs: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The inputs of the next step."""
        encoder_decoder = self.model.config.is_encoder_decoder
        after: dict[str, Any] = self.model._update_model_kwargs_for_generation(
            outputs, kwargs, is_encoder_decoder=encoder_decoder
        )
        return after

    def _each(self, rows: int, change: Callable[[Tensor, int], Tensor]) -> None:
        """Change every input that has ``rows`` rows; ``change`` takes the value and the axis."""
        for name in self.per_row:
            value = self.kwargs.get(name)
            if value is not None:
                self.kwargs[name] = change(value, axis_of_rows(name, value))
        deltas = rope_deltas(self.model)
        if deltas is not None and len(deltas) == rows:  # else it is another call's
            self.model.model.rope_deltas = change(deltas, 0)

    def step(self, ids: Tensor) -> None:
        """Feed the last of ``ids`` (R, P + L), the rows' tokens so far."""
        outputs = self._outputs(ids) if self.first_kwargs is None else self._first_outputs(ids)
        self.logits = outputs.logits[:, -1].to(ids.device)
        self.kwargs = self._after(outputs, self.kwargs)

    def _first_outputs(self, ids: Tensor) -> Any:
        """Those of the first step, in this way or the next slower one that takes it."""
        state = [] if self.view is None else self.view.state()
        try:
            outputs = self._outputs(ids)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # noqa: BLE001  (what is not this way's fault comes again in the next)
            if self.view is not None:
                self.view.unshare()
                self.view.restore(state)
            return self._slower_outputs(ids)
        self.first_kwargs = self.prefilled = None
        if self.way == "shared" and ids.device.type in graphs.REPLAYING:
            self.replayed = graphs.Replayed(self.kwargs["past_key_values"])
        return outputs

    def _slower_outputs(self, ids: Tensor) -> Any:
        """While an exception is handled, which is raised again where there is no slower way."""
        assert self.first_kwargs is not None
        if self.way == "shared":
            self.way = "repeated"
            self.prefilled.batch_repeat_interleave(self.samples)
            self.kwargs["past_key_values"] = self.prefilled
            return self._first_outputs(ids)
        if filled(self.first_kwargs.get("past_key_values")):
            raise
        self._prefill_rows(self.first_kwargs)
        return self._outputs(ids)

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
        cache = self.kwargs["past_key_values"]
        cache.handed_through = frozenset(inputs)
        outputs = self.model(**inputs, return_dict=True)
        cache.check_read()
        return outputs

    @property
    def may_leave(self) -> bool:
        """Whether rows may ``keep`` on without others: all that is known of a row is known here."""
        return self.way != "expanded"

    def keep(self, rows: Tensor) -> None:
        """Go on with ``rows`` (R',), ascending, alone. Not before the first ``step``."""
        owners = [b for b, count in enumerate(self.counts) for _ in range(count)]
        left = Counter(owners[row] for row in rows.tolist())
        counts = [left[b] for b in range(len(self.counts))]
        cache = self.kwargs["past_key_values"]
        if self.way == "shared":
            cache.keep_rows(rows, counts)
            if self.replayed is not None:
                self.replayed.forget()
        else:
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
            and {"input_ids", "position_ids"} <= self.taken <= {"input_ids", *PER_TOKEN}
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
