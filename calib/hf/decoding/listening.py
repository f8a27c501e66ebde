"""Overhear the logits and labels of evaluations, which a Trainer hands to no callback.

A forward hook on the model sees both, unless a loss function takes the labels away before: then a
hook on the loss sees them. Labels that ``label_names`` gives another name than "labels" reach the
model and no loss function, so the model's hook stores them for the loss. The hooks hear forwards
without gradient alone. They reduce a batch to a ``Tally`` at once: no logits outlive the hook, and
nothing waits for the device.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from accelerate.state import GradientState
from torch import Tensor, nn
from transformers.loss.loss_utils import LOSS_MAPPING, ForCausalLMLoss

from calib.train.loss import CalibratedCrossEntropy, flat_rows, logits_of
from calib.train.tally import Tally


class Listener:
    """Hears forwards of one model; ``heard`` is the tally of the last one, or None.

    ``shift``: whether position i predicts label i + 1; None asks the loss, or the model.
    ``label_names`` are Trainer's; the labels are the first of those that fit the logits.
    """

    def __init__(self, bins: int, shift: bool | None) -> None:
        self.bins, self.shift = bins, shift
        self.heard: Tally | None = None
        self.label_names: list[str] = []
        self._model: nn.Module | None = None
        self._labels: Tensor | None = None  # of the last forward

    def attend(self, model: nn.Module | None) -> None:
        """Hook ``model``, once. The hook dies with this object."""
        if model is not None and model is not self._model:
            self._model = model
            model.register_forward_hook(_weak(self._after_model), with_kwargs=True)

    def attend_loss(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """``loss(outputs, labels, ...)``, overheard: a module gets a hook, a function a wrapper."""
        if isinstance(loss, CalibratedCrossEntropy):
            loss.register_forward_pre_hook(_weak(self._before_loss), with_kwargs=True)
        if isinstance(loss, nn.Module):
            loss.register_forward_hook(_weak(self._after_loss), with_kwargs=True)
            return loss
        hear = _weak(self._hear_function)

        @functools.wraps(loss)
        def overheard(outputs: Any, labels: Any, **how: Any) -> Any:
            hear(outputs, labels)
            return loss(outputs, labels, **how)

        return overheard

    def _after_model(self, model: Any, args: Any, kwargs: dict[str, Any], outputs: Any) -> None:
        if not torch.is_grad_enabled():
            self.heard = None
        if (shifted := kwargs.get("shift_labels")) is not None:
            self._hear(outputs, shifted, shift=False)
            return
        self._labels = labels_of(kwargs, self.label_names, logits_of(outputs))
        self._hear(outputs, self._labels)

    def _before_loss(self, loss: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Hand on the labels that Trainer has not handed on."""
        arguments = _by_name(args, kwargs)
        if arguments.get("labels") is None and self._labels is not None:
            return (), {**arguments, "labels": self._labels}
        return None

    def _after_loss(
        self, loss: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any
    ) -> None:
        arguments = _by_name(args, kwargs)
        known = loss if isinstance(loss, CalibratedCrossEntropy) else None
        self._hear_function(arguments.get("outputs"), arguments.get("labels"), known)

    def _hear_function(
        self, outputs: Any, labels: Any, loss: CalibratedCrossEntropy | None = None
    ) -> None:
        self._hear(outputs, self._labels if labels is None else labels, loss)

    def _hear(
        self,
        outputs: Any,
        labels: Any,
        loss: CalibratedCrossEntropy | None = None,
        shift: bool | None = None,
    ) -> None:
        logits = logits_of(outputs)
        if torch.is_grad_enabled() or logits is None or not readable(logits, labels):
            return
        own = own_samples(len(labels))
        logits, labels = logits[:own], labels[:own]
        if shift is None:
            shift = self.shift
        if loss is not None:
            shift = loss.shifts(outputs) if shift is None else shift
            self.heard = Tally.of_logits(
                *flat_rows(loss.capped(logits), labels, shift, loss.ignore_index),
                bins=self.bins,
                temperature=loss.temperature,
                ignore_index=loss.ignore_index,
                vocab_size=loss.vocab_size,
            )
        else:
            shift = shifts(self._model, outputs) if shift is None else shift
            self.heard = Tally.of_logits(*flat_rows(logits, labels, shift), bins=self.bins)


def labels_of(inputs: Mapping[str, Any], names: Sequence[str], logits: Tensor | None) -> Any:
    """The first of the inputs so called that fits the logits, or the one called "labels"."""
    if logits is not None:
        for name in (*names, "labels"):
            if readable(logits, inputs.get(name)):
                return inputs[name]
    return None


def readable(logits: Tensor, labels: Any) -> bool:
    """Whether they are a classification: logits (..., V), integer labels (...)."""
    if not isinstance(labels, Tensor) or labels.is_floating_point():
        return False
    return logits.shape[:-1] == labels.shape


def shifts(model: Any, outputs: Any = None) -> bool:
    """Whether the model's own loss compares position i with label i + 1; Trainer's rule.

    A module around a model does not say which loss it is; there the kind of its outputs decides.
    """
    if not hasattr(model, "loss_type"):
        return "CausalLM" in type(outputs).__name__
    causal = LOSS_MAPPING.get(model.loss_type or "") is ForCausalLMLoss
    return causal and not getattr(getattr(model, "config", None), "is_encoder_decoder", False)


def own_samples(batch: int) -> int:
    """How many leading samples of this rank's batch are no repeats.

    The last batches of a distributed evaluation are filled up from the first ones; gathered in the
    order of ranks, what lies beyond the remainder is what ``gather_for_metrics`` drops, too.
    """
    state = GradientState()
    if not state.end_of_dataloader or state.remainder <= 0:
        return batch
    rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
    return min(batch, max(0, int(state.remainder) - rank * batch))


def _by_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a loss under their names."""
    names = ("outputs", "labels", "num_items_in_batch")
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _weak(method: Any) -> Callable[..., Any]:
    """``method`` without keeping its object alive: models outlive callbacks. Not compiled."""
    held = weakref.WeakMethod(method)

    def call(*args: Any, **kwargs: Any) -> Any:
        alive = held()
        return None if alive is None else alive(*args, **kwargs)

    uncompiled: Callable[..., Any] = torch.compiler.disable(call)
    return uncompiled
