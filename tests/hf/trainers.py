"""Real Trainers on tiny random models: seconds, no network, no logger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

import calib

VOCABULARY = 40


def tiny_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=VOCABULARY,
            initializer_range=0.5,  # confidences over many bins
        )
    )


def rows(count: int, seed: int = 0, length: int = 7) -> list[dict[str, Any]]:
    """Token rows with labels; the first two positions and some others are not to be learnt."""
    drawn = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        ids = torch.randint(3, VOCABULARY, (length,), generator=drawn)
        ids[1::2] = ids[0::2][: len(ids[1::2])]  # something to learn
        labels = ids.clone()
        labels[: int(torch.randint(1, 4, (), generator=drawn))] = -100
        found.append({"input_ids": ids, "labels": labels})
    return found


class WithLoss(nn.Module):
    """A model that holds its loss, as a learnable temperature under DDP needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = tiny_llama()
        self.criterion = calib.CalibratedCrossEntropy(temperature=1.5, learnable=True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.criterion(self.model(ids), ids)


class Logger(TrainerCallback):
    """Stands for TensorBoard and the like: what reaches ``on_log``."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
        self.seen.append({**logs, "step": state.global_step})

    def under(self, name: str) -> list[tuple[int, float]]:
        return [(entry["step"], entry[name]) for entry in self.seen if name in entry]


def make_trainer(folder: Path, model: Any = None, **changed: Any) -> Trainer:
    """``changed``: arguments of Trainer where ``known``, else of TrainingArguments."""
    known = ("train_dataset", "eval_dataset", "callbacks", "compute_loss_func", "compute_metrics")
    given = {name: changed.pop(name) for name in known if name in changed}
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 2,
        "max_steps": 4,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 3,
        **changed,
    }
    given = {"train_dataset": rows(16), "eval_dataset": rows(5, seed=1), **given}
    return Trainer(model or tiny_llama(), TrainingArguments(**settings), **given)
