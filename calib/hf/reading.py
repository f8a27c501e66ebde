"""Prompts as a model reads them, and texts behind them.

A forward pass takes more than tokens: positions of one part or of three, token types, masks of
cross-attention. The methods that ``generate`` itself calls make these inputs and extend them for a
text behind the prompt, so they follow each family.

A text is read on the cache of its prompt where the cache can be divided into rows exactly and a
step takes no pixels. Else prompt and text are read together. The prompts are then collated anew,
since only a processor knows which tensors of pictures belong to which prompt.

Axis legend: N prompts of P tokens, R texts of L tokens, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import CausalLMOutputWithPast

from calib.hf.batching import fitting
from calib.hf.decoding.prefix import way_of

Inputs = dict[str, Any]
Learned = dict[tuple[Any, ...], Any]
"""What trials have shown of a model, by question and kind of prompt."""
Again = Callable[[Sequence[int]], Inputs]
"""The inputs of prompts, by their numbers, collated anew; a number may stand there repeatedly."""


@dataclass(frozen=True)
class Source:
    """Where the inputs of a batch come from, for prompts that have to be read anew."""

    again: Again | None = None
    padded: bool = True  # some of its prompts are
    positions: bool = True  # the model is given those that generate would give it
    pixels: Sequence[int] = ()  # of each prompt's pictures, where there are some
    learned: Learned | None = None  # whether its model is right on the cache; None: not tried


class CannotAttribute(ValueError):
    """Tensors of a batch that cannot be told apart by prompt, and no way to collate it anew."""


class ReadPrompts:
    """N prompts that ``hf`` has read: ``logits`` (N, V) behind their last tokens."""

    def __init__(
        self,
        hf: Any,
        inputs: Mapping[str, Any],
        source: Source | None = None,
        *,
        keep: bool,
        cache: Any = None,
    ) -> None:
        """``keep`` the cache, for texts behind the prompts; ``cache`` is what was kept of the same
        prompts before, which are not read again: then there are no ``logits``."""
        self.hf, self.inputs, self.source = hf, dict(inputs), source or Source()
        self.kwargs = self._with_positions(self.inputs)
        self.ids: Tensor = self.kwargs.pop("input_ids")
        if cache is not None:
            self.outputs: Any = CausalLMOutputWithPast(past_key_values=cache)
            return
        self.outputs = forward(hf, self.ids, self.kwargs, last=1, use_cache=keep)
        self.logits: Tensor = self.outputs.logits[:, -1]

    def _with_positions(self, inputs: Inputs) -> Inputs:
        return with_positions(self.hf, inputs) if self.source.positions else dict(inputs)

    def branch(self) -> ReadPrompts:
        """The same prompts with a cache of their own, for other texts than those read on this."""
        other = copy(self)
        other.outputs = copy(self.outputs)
        other.outputs.past_key_values = deepcopy(self.outputs.past_key_values)
        return other

    def behind(self, rows: Sequence[int], fed: Tensor, real: Tensor) -> Tensor:
        """Logits (R, L, V) behind each token of ``fed`` (R, L), texts behind the prompts ``rows``.

        ``real`` (R, L) is 0 at padding, which stands at the end of a text. The first batch of a
        kind decides whether reading on the cache gives what reading anew gives. Raises
        CannotAttribute where prompts with pictures have to be read anew and ``source`` has no way.
        """
        step = tried(self._step, fed.shape[1])
        learned = self.source.learned
        key = ("cache", self._pictured, self.source.padded)
        if step is None or (learned is not None and learned.get(key) is False):
            return self._anew(rows, fed, real)
        if learned is None or key in learned:
            return self._on_cache(step, rows, fed, real)
        logits = tried(self._on_cache, step, rows, fed, real)
        r = rows.index(self._shortest(rows))
        expected = self._anew([rows[r]], fed[r : r + 1], real[r : r + 1])[0]
        own = real[r].bool()
        learned[key] = logits is not None and close(logits[r][own], expected[own], self.hf.dtype)
        return logits if logits is not None and learned[key] else self._anew(rows, fed, real)

    def ends(self, rows: Sequence[int], fed: Tensor, lengths: Sequence[int]) -> Tensor | None:
        """Logits (R, V) behind the last token of each of ``fed`` (R, L), texts of so many tokens
        behind the prompts ``rows``, read on the cache; None where the model cannot do that."""
        step = tried(self._step, fed.shape[1])
        return None if step is None else tried(self._ends, step, rows, fed, lengths)

    def _ends(
        self, step: Inputs, rows: Sequence[int], fed: Tensor, lengths: Sequence[int]
    ) -> Tensor:
        positions = sorted({length - 1 for length in lengths})
        columns = torch.arange(fed.shape[1], device=fed.device)
        real = (columns < torch.tensor(lengths, device=fed.device)[:, None]).long()
        logits = self._on_cache(step, rows, fed, real, torch.tensor(positions, device=fed.device))
        if logits.shape[1] != len(positions):  # of every token
            positions = list(range(fed.shape[1]))
        place = {position: k for k, position in enumerate(positions)}
        where = torch.tensor([place[length - 1] for length in lengths], device=fed.device)
        return logits[torch.arange(len(fed), device=fed.device), where]

    @property
    def _pictured(self) -> bool:
        return any(not per_token(value, self.ids, 0) for value in self.inputs.values())

    def _shortest(self, rows: Sequence[int]) -> int:
        """Which of the prompts ``rows`` has most padding."""
        mask = self.inputs.get("attention_mask")
        return rows[0] if mask is None else min(rows, key=mask.sum(1).tolist().__getitem__)

    def _step(self, length: int) -> Inputs | None:
        """What ``generate`` would hand to a step of ``length`` tokens behind each prompt; None
        where such a step cannot be divided into rows."""
        cache = getattr(self.outputs, "past_key_values", None)
        if cache is None or way_of(cache, True) == "expanded":
            return None
        kwargs = extended(self.hf, self.ids, self.outputs, self.kwargs, length)
        ids = torch.cat([self.ids, self.ids.new_zeros(len(self.ids), length)], dim=1)
        step: Inputs = self.hf.prepare_inputs_for_generation(
            ids,
            next_sequence_length=length,
            is_first_iteration=False,
            use_cache=True,
            **kwargs,
        )
        step = {name: value for name, value in step.items() if value is not None}
        step |= last_only(self.hf, length)
        for name, value in list(step.items()):
            if name in PASSED or isinstance(value, bool | int):
                continue
            if not isinstance(value, Tensor) or value.is_floating_point():
                return None  # pixels or features: the model reads its pictures at every step
            if name != "position_ids" and not per_token(value, self.ids, length):
                del step[name]  # sizes and grids of pictures that are not handed on
        return step

    def _on_cache(
        self,
        step: Inputs,
        numbers: Sequence[int],
        fed: Tensor,
        real: Tensor,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Read on the cache, which belongs to the texts from now on.

        A model that can spare logits gives those of ``positions`` alone, the same of every text.
        """
        rows = torch.tensor(numbers, device=fed.device)
        for name, value in step.items():
            if isinstance(value, Tensor):
                axis = value.dim() - 2 if name == "position_ids" else 0  # (3, N, L) or (N, L)
                step[name] = value.index_select(axis, rows)
        step["input_ids"] = fed
        if positions is not None and "logits_to_keep" in step:
            step["logits_to_keep"] = positions
        if "attention_mask" in step:
            step["attention_mask"][:, -fed.shape[1] :] = real
        step["past_key_values"].batch_select_indices(rows)
        logits: Tensor = self.hf(**step).logits[:, -fed.shape[1] :]
        return logits

    def _anew(self, rows: Sequence[int], fed: Tensor, real: Tensor) -> Tensor:
        """Read prompts and texts together, as many rows at once as fitted memory before."""
        pixels = self.source.pixels or [0] * len(self.ids)
        logits, start = [], 0
        while start < len(rows):
            end = start + fitting((pixels[n] for n in rows[start:]), len(self.ids))
            logits.append(self._whole(rows[start:end], fed[start:end], real[start:end]))
            start = end
        return torch.cat(logits)

    def _whole(self, rows: Sequence[int], fed: Tensor, real: Tensor) -> Tensor:
        if self.source.again is not None:
            inputs = self.source.again(rows)
        else:
            foreign = [n for n, v in self.inputs.items() if not per_token(v, self.ids, 0)]
            if foreign:
                raise CannotAttribute(
                    f"{foreign[0]} cannot be divided among {len(self.ids)} prompts: pass a source "
                    "with `again`, which collates prompts anew"
                )
            chosen = torch.tensor(rows, device=fed.device)
            inputs = {name: value[chosen] for name, value in self.inputs.items()}
        length = fed.shape[1]
        kwargs = self._with_positions(inputs)
        ids = kwargs.pop("input_ids")
        # Without a cache, families keep for every token what else the last one alone would need.
        kwargs = extended(self.hf, ids, NoOutputs(), {**kwargs, "use_cache": False}, length)
        del kwargs["use_cache"]
        ids = torch.cat([ids, fed], dim=1)
        if "attention_mask" in kwargs:
            kwargs["attention_mask"][:, -length:] = real
        outputs = forward(self.hf, ids, kwargs, last=length, use_cache=False)
        logits: Tensor = outputs.logits[:, -length:]
        return logits


def tried(read: Callable[..., Any], *arguments: Any) -> Any:
    """What ``read`` gives; None where the model cannot do it on a cache."""
    try:
        return read(*arguments)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001  (whatever it is, reading anew raises it or does without)
        return None


class NoOutputs:
    """What stands for the outputs of a step that was not taken: nothing is in it."""

    def __contains__(self, name: object) -> bool:
        return False

    def __getattr__(self, name: str) -> None:
        return None


PASSED = ("past_key_values", "input_ids")


CLOSE = 1e-3
"""How far two logits of one prompt may lie apart in float32."""
CLOSE_STEPS = 4
"""The same in a 16-bit dtype, in its steps at the largest logit: what other shapes round to."""


def close(logits: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether a model of ``dtype`` has given the same logits twice, but for rounding."""
    logits, expected = logits.float(), expected.float()
    steps = CLOSE_STEPS * torch.finfo(dtype).eps * expected.abs().max()
    bound: Tensor = steps.clamp(min=CLOSE)
    return bool((logits - expected).abs().max() <= bound)


def per_token(value: Any, ids: Tensor, more: int) -> bool:
    """Whether a tensor has a row for each row of ``ids`` (N, P) and a column for each token, of
    all P + ``more`` or of the last ``more``."""
    if not isinstance(value, Tensor) or value.dim() < 2 or len(value) != len(ids):
        return False
    return value.shape[1] in (ids.shape[1] + more, more)


def forward(hf: Any, ids: Tensor, kwargs: Inputs, *, last: int, use_cache: bool) -> Any:
    """The model's outputs, of at least the ``last`` positions' logits."""
    inputs = hf.prepare_inputs_for_generation(
        ids, is_first_iteration=True, use_cache=use_cache, **kwargs
    )
    # Last, since some families put a number of their own there (Falcon-H1).
    return hf(**inputs | last_only(hf, last))


def last_only(hf: Any, last: int) -> dict[str, int]:
    """The argument that spares a model the logits of other positions, where it has one."""
    return {"logits_to_keep": last} if "logits_to_keep" in arguments(hf) else {}


def with_positions(hf: Any, inputs: Mapping[str, Any]) -> Inputs:
    """Inputs with the positions that ``generate`` would give them, where the model takes some."""
    positioned = dict(inputs)
    if "position_ids" in arguments(hf) and positioned.get("position_ids") is None:
        kwargs = {name: value for name, value in positioned.items() if name != "input_ids"}
        positioned["position_ids"] = hf._prepare_position_ids_for_generation(
            positioned["input_ids"], kwargs
        )
    return positioned


def extended(hf: Any, ids: Tensor, outputs: Any, kwargs: Inputs, length: int) -> Inputs:
    """What goes with the prompts' tokens, extended by ``length`` tokens behind each prompt."""
    grown: Inputs = hf._update_model_kwargs_for_generation(
        outputs, dict(kwargs), is_encoder_decoder=False, num_new_tokens=length
    )
    for name, value in grown.items():
        # Where pictures stand among a prompt's tokens (Kosmos-2): none stand behind it.
        same = value is kwargs.get(name)
        if same and isinstance(value, Tensor) and value.dim() == 2 and per_token(value, ids, 0):
            grown[name] = torch.nn.functional.pad(value, (0, length))
    return grown


def arguments(hf: Any) -> Mapping[str, inspect.Parameter]:
    """What the model's forward takes, by name."""
    return inspect.signature(hf.forward).parameters


def accepted(hf: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs that the model's forward takes, floating-point ones in the model's dtype.

    Processors also give what training needs (``labels``), and pixels in a dtype of their own.
    """
    takes = arguments(hf)
    anything = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    chosen = {
        name: value
        for name, value in inputs.items()
        if name != "labels" and (anything or name in takes)
    }
    return moved(chosen, hf.dtype)


def moved(inputs: dict[str, Any], where: Any) -> dict[str, Any]:
    """Their tensors, also those of lists, on a device; or floating-point ones in a dtype."""

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return moved(value, where)
        if isinstance(value, list | tuple):
            return type(value)(map(one, value))
        if not isinstance(value, Tensor):
            return value
        if isinstance(where, torch.dtype) and not value.is_floating_point():
            return value
        return value.to(where)

    return {name: one(value) for name, value in inputs.items()}


@torch.inference_mode()
def takes_positions(hf: Any, alone: Inputs) -> bool:
    """Whether the positions that ``generate`` gives a prompt are those of the model's own forward.

    They are not where a model counts from another number, or generates with a part of itself
    (Kosmos-2).
    """
    plain = hf(**alone, **last_only(hf, 1)).logits[0, -1]
    return close(ReadPrompts(hf, alone, keep=False).logits[0], plain, hf.dtype)
