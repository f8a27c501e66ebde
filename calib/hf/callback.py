"""Calibration while a ``transformers.Trainer`` trains, from the logits of its evaluations.

How one evaluation goes::

    forward without gradient   the batch's tally, on its device (``listening``)
    on_prediction_step         added to the evaluation's; other forwards are forgotten
    on_evaluate, on_predict    summed over ranks, put into ``metrics`` and logged
    on_save                    everything evaluated since the save before, taken together

A run that goes on from a checkpoint finds ``history``, ``histograms`` and ``window`` there.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.utils.generic import find_labels

from calib.hf.decoding.listening import Listener
from calib.intervals.floor import expected_ece
from calib.metrics.binning import BINS
from calib.records import InputError
from calib.train.loss import CalibratedCrossEntropy
from calib.train.tally import Tally

UNHEARD = (
    "CalibrationCallback saw no logits (..., V) with integer labels (...) in this evaluation, so "
    "there is nothing to measure."
)
UNBOUND = (
    f"{UNHEARD} If a compute_loss_func takes the labels, say CalibrationCallback().bind(trainer)."
)
UNCOUNTED = (
    "CalibrationCallback counted no row in this evaluation: {}, so there is nothing to measure."
)
FACTS = ("name", "step", "epoch", "rows", "invalid", "expected_ece")


class CalibrationCallback(TrainerCallback, ExportableState):
    """ECE, MCE, top-1 accuracy, mean confidence and entropy of every evaluation of a Trainer.

    ``CalibrationCallback().bind(trainer)`` adds it and logs through the trainer to whatever logs
    there. Passed as ``callbacks=[...]`` its numbers still reach what ``evaluate`` returns,
    ``metric_for_best_model`` and ``state.log_history``, but no logger.

    Names are Trainer's: ``eval_ece_width15_left`` for 15 bins of equal width [a, b),
    ``eval_<set>_...`` for each of several evaluation sets, ``test_...`` after ``predict``,
    ``eval_saved_...`` at a save. Where the bound trainer's loss is a CalibratedCrossEntropy, its
    temperature holds in evaluations too, and every line with a training loss is followed by
    ``ece_width15_left`` and so on of the rows trained on since the line before.

    An evaluation without a row that counts warns, and its numbers are nan, never the best.

    Rows are those that count in the loss, for a causal language model the predicted tokens. Ranks
    are summed; samples that only fill up the last batch of a distributed evaluation are left out.
    """

    def __init__(self, bins: int = BINS, shift: bool | None = None) -> None:
        """``shift``: whether position i predicts label i + 1; None does as the loss does.

        Raises ValueError for an unfit number of bins.
        """
        self.bins, self.shift = bins, shift
        self.history: list[dict[str, Any]] = []
        """A record an evaluation or save: name, step, epoch, rows, invalid, the numbers, and
        ``expected_ece``, what the ECE would be if every confidence were deserved."""
        self.histograms: dict[str, dict[str, Any]] = {}
        """By name, the last evaluation's ``CalibrationHistogram.state_dict``, in lists."""
        self._window = Tally(bins)
        self._saved = Tally(bins)  # evaluated since the last save, on all ranks
        self._running = Tally(bins)  # the evaluation under way, on this rank
        self._heard = False  # whether any batch of it was
        self._batches = 0  # of it
        self._loader: Any = None  # of the evaluation under way
        self._at: dict[str, Any] = {"step": 0, "epoch": None}
        self._trainer: Any = None
        self._listener = Listener(bins, shift)

    def bind(self, trainer: Any) -> CalibrationCallback:
        """Log through ``trainer``, and listen at its loss; adds the callback. Returns self.

        Raises InputError where Trainer itself smooths the labels, which nobody else then sees.
        """
        if self._trainer is trainer:
            return self
        if trainer.label_smoother is not None:
            raise InputError(
                "label_smoothing_factor: Trainer takes the labels to smooth them; give "
                "compute_loss_func=CalibratedCrossEntropy(label_smoothing=...) in its place"
            )
        if self not in trainer.callback_handler.callbacks:
            trainer.add_callback(self)
        trainer.add_callback(_Keeper(self, trainer.callback_handler))
        self._trainer = trainer
        self._listener.label_names = list(trainer.label_names)
        self._listener.attend(trainer.model)
        if trainer.compute_loss_func is not None:
            trainer.compute_loss_func = self._listener.attend_loss(trainer.compute_loss_func)
        if self._training is not None:
            self._window = Tally(self._training.bins)
            if "labels" not in trainer.label_names and trainer.loss_is_scaled_for_ga is None:
                # Without labels of that name Trainer counts no items: the loss is a batch's mean.
                trainer.loss_is_scaled_for_ga = False
        return self

    # What a checkpoint holds.

    def state(self) -> dict[str, Any]:
        """How things stand when the save that asks for it is over: ``on_save`` comes after it."""
        closing = self._closing()
        return {
            "args": {"bins": self.bins, "shift": self.shift},
            "attributes": {
                "history": self.history + ([closing] if closing else []),
                "histograms": self.histograms,
                "window": self.window,
            },
        }

    @property
    def window(self) -> dict[str, Any]:
        """Rows trained on since the last line with a loss and before the last save, all ranks."""
        return _in_lists(self._window)

    @window.setter
    def window(self, saved: dict[str, Any]) -> None:
        self._window.load_state_dict(saved)

    # Trainer's events, in the order in which they come.

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._attend(args, kwargs["model"])

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._attend(args, kwargs["model"])
        self._saved = Tally(self.bins)
        self._window.reset()
        if self._training is not None:
            self._training.reset()
        callbacks: Any = state.stateful_callbacks
        name = type(self).__name__
        if name not in callbacks:  # a checkpoint of a run without it: Trainer looks for the name
            callbacks[name] = self.state()
        elif state.global_step > 0 and isinstance(callbacks[name], dict):
            # Done here because Trainer restores callbacks only if asked to.
            for attribute, value in callbacks[name]["attributes"].items():
                setattr(self, attribute, value)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._note(state)
        if control.should_save:
            self._fold(args.device)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.on_step_end(args, state, control)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if "loss" in kwargs["logs"] and self._training is not None:
            self._fold(args.device)
            values = self._window.values()
            self._window.reset()
            self._log(state, values)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if kwargs["eval_dataloader"] is not self._loader:
            self._running = Tally(self.bins, args.device)
            self._heard, self._batches = False, 0
            self._loader = kwargs["eval_dataloader"]
        self._batches += 1
        if self._listener.heard is not None:
            self._running.merge(self._listener.heard)
            self._heard = True
            self._listener.heard = None

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._saved.merge(self._finished(args.device, state, kwargs["metrics"]))
        self._fold(args.device)  # whether the step is saved may depend on the evaluation

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        self._finished(args.device, state, metrics)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._note(state)
        record = self._closing()
        self._saved = Tally(self.bins)
        if record is not None:
            self.history.append(record)
            self._log(state, {f"eval_saved_{k}": v for k, v in record.items() if k not in FACTS})

    # Steps of those.

    @property
    def _training(self) -> Tally | None:
        """The tally that the trainer's loss fills, if it is one that does."""
        loss = None if self._trainer is None else self._trainer.compute_loss_func
        return loss.histogram if isinstance(loss, CalibratedCrossEntropy) else None

    def _attend(self, args: TrainingArguments, model: Any) -> None:
        if self._trainer is None and model is not None:
            self._listener.label_names = args.label_names or find_labels(type(model))
        self._listener.attend(model)

    def _note(self, state: Any) -> None:
        self._at = {"step": state.global_step, "epoch": state.epoch}

    def _fold(self, device: Any) -> None:
        """Move the loss's tally into the window, over all ranks: a checkpoint is one rank's."""
        if self._training is not None:
            here = Tally(self._training.bins, device).merge(self._training)
            self._training.reset()
            self._window.merge(here.all_reduce())

    def _finished(self, device: Any, state: Any, metrics: dict[str, Any]) -> Tally:
        """Of the evaluation that ``metrics`` are of: sum over ranks, record, report."""
        tally = Tally(self.bins, device)
        tally.merge(self._running)
        tally.all_reduce()
        self._running, self._loader = Tally(self.bins), None
        values, prefix = tally.values(), prefix_of(metrics)
        if not values:
            warnings.warn(self._silence(tally), UserWarning, stacklevel=3)
            # What chooses a best model, or stops early, looks for its metric in every evaluation;
            # NaN is never better.
            metrics.update({f"{prefix}_{name}": math.nan for name in tally.names})
        self._heard, self._batches = False, 0
        if not values:
            return tally
        self._note(state)
        self.history.append(self._record(prefix, tally, values))
        self.histograms[prefix] = _in_lists(tally)
        reported = {f"{prefix}_{name}": value for name, value in values.items()}
        metrics.update(reported)
        self._log(state, reported)
        return tally

    def _silence(self, tally: Tally) -> str:
        """Why the evaluation of ``tally`` has no numbers."""
        if invalid := int(tally.invalid):
            return UNCOUNTED.format(f"{invalid} are invalid (NaN logits, or labels of no class)")
        if self._heard:
            return UNCOUNTED.format("every label is ignored")
        if not self._batches:
            return UNCOUNTED.format("its data set is empty")
        return UNBOUND if self._trainer is None else UNHEARD

    def _closing(self) -> dict[str, Any] | None:
        """The record of a save made now; None where nothing was evaluated since the last."""
        values = self._saved.values()
        return self._record("eval_saved", self._saved, values) if values else None

    def _record(self, name: str, tally: Tally, values: dict[str, float]) -> dict[str, Any]:
        counts = {
            "rows": int(tally.count.sum()),
            "invalid": int(tally.invalid),
            "expected_ece": expected_ece(tally.count.cpu(), tally.confidence.cpu()),
        }
        return {"name": name, **self._at, **counts, **values}

    def _log(self, state: Any, values: dict[str, float]) -> None:
        if not values:
            return
        if self._trainer is not None:
            self._trainer.log(dict(values))
        else:
            state.log_history.append({**values, "epoch": state.epoch, "step": state.global_step})


class _Keeper(TrainerCallback):
    """Puts a bound callback back where Trainer put a restored copy in its place.

    A copy would know neither its trainer nor the name under which the user holds it; the state it
    was made from is still at hand when ``on_train_begin`` comes.
    """

    def __init__(self, callback: CalibrationCallback, handler: Any) -> None:
        self.callback, self.handler = callback, handler

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        callbacks = self.handler.callbacks
        if self.callback not in callbacks:
            kind = type(self.callback)
            copies = [i for i, other in enumerate(callbacks) if type(other) is kind]
            if copies:
                callbacks[copies[0]] = self.callback


def prefix_of(metrics: dict[str, Any]) -> str:
    """``eval``, ``eval_<set>`` or ``test``: what Trainer put before its own ``_runtime``."""
    timed = [name.removesuffix("_runtime") for name in metrics if name.endswith("_runtime")]
    return min(timed, key=len, default="eval")


def _in_lists(tally: Tally) -> dict[str, Any]:
    saved = tally.state_dict()
    return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in saved.items()}
