"""Cross entropy for training loops that also counts calibration.

The pass that computes the loss fills the histogram, so the ECE of the training rows costs only the
reading of it. Axis legend: V vocabulary or classes, ... leading axes, N rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from calib_kernels import counted_cross_entropy, cross_entropy
from torch import Tensor, nn
from torch.nn import functional as F

from calib.metrics.binning import BINS
from calib.train.tally import Tally

_COUNTED = "calib: the backward pass that counted"
UNLABELLED = (
    "labels must be a tensor of integers, got {}: Trainer hands on none but those called 'labels'; "
    "say CalibrationCallback().bind(trainer), which finds those that label_names calls otherwise"
)
SHARDED = (
    "log_temperature is sharded, and its gradient would be that of one rank: make the loss a "
    "submodule of the model that fully_shard is given, and call it inside the forward of that model"
)


class CalibratedCrossEntropy(nn.Module):
    """``calib_kernels.cross_entropy`` as a module, and as a Trainer's ``compute_loss_func``.

    Called with logits (..., V) and labels (...) it returns the loss; called with a model's output
    in place of the logits, as Trainer does, it takes the logits out of it. Rows whose label is
    ``ignore_index`` count neither in the loss nor in the histogram.

    ``histogram``, a ``Tally``, holds the rows of every training forward, and their entropies, since
    ``histogram.reset()``, which is the caller's to say, once a logging window
    (``CalibrationCallback`` does it); ``histogram.values()`` names what they tell. It is left alone
    in ``eval`` mode and without gradient. A checkpointed forward counts once, with
    ``use_reentrant=True`` when its rows' gradient comes. It is part of the state dict, and no
    buffer: DistributedDataParallel would overwrite it with rank 0's. Over ranks, sum it with
    ``histogram.all_reduce()``.
    """

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        learnable: bool = False,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        vocab_size: int | None = None,
        shift: bool | None = None,
        bins: int = BINS,
    ) -> None:
        """Arguments up to ``vocab_size`` are those of ``cross_entropy``.

        ``learnable`` makes the temperature a parameter (1,), ``log_temperature``, which an
        optimizer must be given. ``shift``: whether position i predicts label i + 1; None: where the
        output of a causal language model is handed in, and not for plain logits. Raises ValueError
        for a temperature that is not positive and finite, and for unfit bins.
        """
        super().__init__()
        if not 0.0 < temperature < math.inf:
            raise ValueError(f"temperature must be positive and finite, got {temperature}")
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing, self.softcap, self.z_loss = label_smoothing, softcap, z_loss
        self.vocab_size, self.shift = vocab_size, shift
        self.histogram = Tally(bins)
        self.log_temperature: nn.Parameter | None = None
        self._temperature = float(temperature)
        if learnable:
            with torch.inference_mode(False):  # (1,): fully_shard takes no parameters of no axis
                self.log_temperature = nn.Parameter(torch.tensor([math.log(temperature)]))

    @property
    def temperature(self) -> float | Tensor:
        """A number, or the () tensor exp(log_temperature) where it is learnable.

        Where ``fully_shard`` has cut the parameter, every rank of its mesh must ask.
        """
        learned: Any = self.log_temperature
        if learned is None:
            return self._temperature
        whole: Tensor = learned.full_tensor() if hasattr(learned, "full_tensor") else learned
        return whole.exp()[0]

    def forward(
        self, outputs: Any, labels: Tensor, num_items_in_batch: float | Tensor | None = None
    ) -> Tensor:
        """The loss: (), or the shape of ``labels`` with ``reduction="none"``.

        outputs: logits (..., V), or a model's output that has them; labels (...) integers.
        num_items_in_batch: what the sum is divided by instead of ``reduction``, if it is not 0;
        Trainer counts it over all batches of an optimizer step, and all ranks.

        Raises TypeError for outputs without logits and for labels that are no tensor, RuntimeError
        for a temperature that is sharded.
        """
        logits = logits_of(outputs)
        if logits is None:
            raise TypeError(f"outputs must be logits or have them, got {type(outputs).__name__}")
        if not isinstance(labels, Tensor):
            raise TypeError(UNLABELLED.format(type(labels).__name__))
        rows, targets = flat_rows(logits, labels, self.shifts(outputs), self.ignore_index)
        if torch.is_grad_enabled() and hasattr(self.log_temperature, "full_tensor"):
            raise RuntimeError(SHARDED)
        how: dict[str, Any] = {
            "temperature": self.temperature,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction if num_items_in_batch is None else "sum",
            "label_smoothing": self.label_smoothing,
            "softcap": self.softcap,
            "z_loss": self.z_loss,
            "vocab_size": self.vocab_size,
        }
        if self.training and torch.is_grad_enabled():
            loss, delta, entropies = counted_cross_entropy(
                rows, targets, bins=self.histogram.bins, **how
            )
            self._count(loss, delta, entropies)
        else:
            loss = cross_entropy(rows, targets, **how)
        if num_items_in_batch is not None:
            return loss / self._divisor(num_items_in_batch, targets, loss)
        return loss.reshape(labels.shape) if self.reduction == "none" else loss

    def _count(self, loss: Tensor, delta: Tensor, entropies: Tensor) -> None:
        backward = -1 if torch.compiler.is_compiling() else torch._C._current_graph_task_id()
        if backward == -1:
            self.histogram.add(delta, entropies)
            return
        # Inside a backward pass a forward is a checkpointed one's second. If the first was without
        # gradient (use_reentrant=True), this one's loss is sent a gradient; else it is thrown away.
        # The checkpoint's node remembers which pass, the first of those through it, has counted.
        node: Any = torch._C._current_autograd_node()
        again = node is not None and node.metadata.setdefault(_COUNTED, backward) != backward
        waiting = [(delta, entropies)]
        if loss.requires_grad and not again:
            loss.register_hook(  # type: ignore[no-untyped-call]
                lambda _: self.histogram.add(*waiting.pop()) if waiting else None
            )

    def _divisor(self, items: float | Tensor, targets: Tensor, loss: Tensor) -> float | Tensor:
        """``items``; where they are 0, what ``reduction`` would divide the sum by."""
        rows: int | Tensor = 1
        if self.reduction != "sum":
            rows = (targets.to(loss.device) != self.ignore_index).sum().clamp(min=1)
        if isinstance(items, Tensor):
            items = items.to(loss.device)
            return torch.where(items == 0, rows, items)
        return items or rows

    def shifts(self, outputs: Any) -> bool:
        """Whether labels are shifted for these outputs."""
        return "CausalLM" in type(outputs).__name__ if self.shift is None else self.shift

    def capped(self, logits: Tensor) -> Tensor:
        """The logits as the loss takes them before it divides by the temperature."""
        if self.softcap is None:
            return logits
        return self.softcap * torch.tanh(logits.float() / self.softcap)

    def get_extra_state(self) -> Tensor:
        """(3B + 3,) int64: the histogram's sums, then the entropies'."""
        state = self.histogram.state_dict()
        return torch.cat((state["sums"], state["entropies"]))

    def set_extra_state(self, state: Tensor) -> None:
        """Also of (3B + 1,), as it was before there were entropies."""
        end = len(state) - 2 if len(state) % 3 == 0 else len(state)
        saved = {"bins": (end - 1) // 3, "sums": state[:end]}
        if end < len(state):
            saved["entropies"] = state[end:]
        scale = self.histogram.state_dict()["scale"]
        self.histogram.load_state_dict({"scale": scale, **saved})

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any
    ) -> None:
        """Also where the temperature has no axis, as it had none before."""
        name = f"{prefix}log_temperature"
        if name in state_dict and state_dict[name].dim() == 0:
            state_dict[name] = state_dict[name].reshape(1)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def extra_repr(self) -> str:
        learned = self.log_temperature
        if learned is None:
            shown = f"{self._temperature:.4g} (fixed)"
        elif hasattr(learned, "full_tensor"):  # to read it would wait for other ranks
            shown = "sharded (learnable)"
        else:
            shown = f"{learned.exp().item():.4g} (learnable)"
        return f"temperature={shown}, bins={self.histogram.bins}"


def logits_of(outputs: Any) -> Tensor | None:
    """Logits themselves, or those a model's output holds; None if there are none."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping):
        return outputs.get("logits")
    return getattr(outputs, "logits", None)


def flat_rows(
    logits: Tensor, labels: Tensor, shift: bool = False, ignore_index: int = -100
) -> tuple[Tensor, Tensor]:
    """(N, V) and (N,) of logits (..., V) and labels (...).

    With ``shift`` each position takes the label of the next one, the last none. The labels
    move, so that the logits need no copy. Raises ValueError where the shapes do not fit.
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"labels must be {tuple(logits.shape[:-1])}, one a row of logits "
            f"{tuple(logits.shape)}, got {tuple(labels.shape)}"
        )
    if shift:
        labels = F.pad(labels, (0, 1), value=ignore_index)[..., 1:]
    return logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
