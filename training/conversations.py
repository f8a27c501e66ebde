"""Learn the replies of conversations, as ``calib idk build`` exports them, by LoRA.

A row is a user's turn with its pictures, and the reply to learn. The turn is written by the model's
own chat template, as calib asks it, and the reply ends with the tokenizer's end token.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn import functional as F

from calib.hf.encoding import common_prefix
from calib.hf.model import Model
from calib.images import open_image
from calib.records import Prompt
from training.progress import Schedule
from training.tune import resume, save

TARGETS = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"


@dataclass(frozen=True)
class Conversation:
    """One turn and its reply."""

    text: str
    images: tuple[Path, ...]
    reply: str


def read_rows(idk_set: Path) -> list[Conversation]:
    """All rows of ``sft`` in an IDK set, both parts, in the files' order."""
    rows: list[Conversation] = []
    for part in ("train", "test"):
        path = idk_set / "sft" / f"{part}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for row in map(json.loads, lines):
            turn, reply = (message["content"] for message in row["messages"])
            rows.append(Conversation(turn, tuple(idk_set / i for i in row["images"]), reply))
    return rows


def train(
    model: Model,
    rows: Sequence[Conversation],
    *,
    steps: int,
    batch: int,
    rank: int,
    learning_rate: float,
    checkpoint: Path,
    seed: int,
    pause_every: int = 20,
) -> tuple[Any, dict[str, float]]:
    """Return the peft model with a trained adapter on ``model.hf``, and its last loss.

    ``checkpoint`` is written every ``pause_every`` steps; where it exists training goes on from
    it, and ends with the weights of a training that was never stopped.
    """
    torch.manual_seed(seed)
    model.hf.requires_grad_(False)
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=TARGETS)
    with warnings.catch_warnings():
        # peft reads an attribute that transformers has renamed.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        tuned = get_peft_model(model.hf, lora)
    parameters = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    start, losses = resume(checkpoint, parameters, optimizer, {})
    schedule = Schedule(
        "admits",
        optimizer,
        steps,
        warmup=min(10, steps),
        start=start,
        pause_every=pause_every,
        on_pause=lambda done: save(checkpoint, done, parameters, optimizer, schedule.losses),
    )
    schedule.losses.extend(losses)
    tuned.train()
    for step in schedule:
        # Seeded by the step, so that a resumed run draws what an uninterrupted one would have.
        chosen = random.Random(f"{seed}, step {step}").sample(rows, min(batch, len(rows)))
        # Half the time of float32 on a CPU that multiplies bfloat16; adapter and loss stay float32.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = reply_loss(model, tuned, chosen)
        schedule.step(loss, parameters)
    tuned.eval()
    return tuned, {"loss": schedule.recent_loss}


def reply_loss(model: Model, tuned: Any, rows: Sequence[Conversation]) -> Tensor:
    """Mean over ``rows`` of the mean cross entropy of a reply's tokens; a 0-d tensor.

    Rows with pictures and rows without are read apart, as processors want them.
    """
    parts = [[row for row in rows if bool(row.images) == shown] for shown in (True, False)]
    losses = []
    for part in filter(None, parts):
        inputs, labels = encoded(model, part)
        logits = tuned(**inputs, logits_to_keep=labels.shape[1] + 1, use_cache=False).logits
        flat = logits[:, :-1].float().flatten(0, 1)
        each = F.cross_entropy(flat, labels.flatten(), reduction="none").view_as(labels)
        counted = labels != -100
        losses.append(((each * counted).sum(1) / counted.sum(1)).sum())
    return torch.stack(losses).sum() / len(rows)


def encoded(model: Model, rows: Sequence[Conversation]) -> tuple[Mapping[str, Any], Tensor]:
    """What the model takes for ``rows``, padded on the left, and labels (R, K).

    K is the longest reply's length; label k is the token at place k - K from the end, -100 before a
    reply's first.
    """
    speakers = model.speakers
    texts, lengths = [], []
    for row in rows:
        prompt = Prompt(row.text, row.images, ())
        asked, special = speakers.templated(prompt)
        told = asked + row.reply + speakers.tokenizer.eos_token
        ids = speakers.ids(told, special)
        texts.append(told)
        lengths.append(len(ids) - common_prefix(speakers.ids(asked, special), ids))
    pictures = [[open_image(image) for image in row.images] for row in rows]
    inputs = speakers.inputs(texts, pictures, special)
    labels = inputs["input_ids"][:, -max(lengths) :].clone()
    for label, length in zip(labels, lengths, strict=True):
        label[: len(label) - length] = -100
    return inputs, labels
