"""Step 2, stage 1: tower and projector learn to make the frozen language model describe pictures.

The reply is one of a few plain descriptions; only tower and projector receive gradients, so the
language model stays the base model's, bit for bit.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from calib.tasks.builtin.easy_vqa import Picture
from training.packing import Branch, pack
from training.progress import Schedule
from training.questions import describe
from training.replies import Tokens, reply_loss


def train_stage1(
    model: Any, tokens: Tokens, pictures: list[Picture], pixels: Tensor, *, steps: int, batch: int
) -> dict[str, float]:
    """Train tower and projector of ``model`` in place. pixels (n, 3, 48, 48), row i of pictures."""
    model.requires_grad_(False)
    core = model.model
    core.vision_tower.requires_grad_(True)
    core.multi_modal_projector.requires_grad_(True)
    tower, projector = (
        list(core.vision_tower.parameters()),
        list(core.multi_modal_projector.parameters()),
    )
    optimizer = torch.optim.AdamW(
        [{"params": tower, "lr": 1e-4}, {"params": projector, "lr": 1e-3}], weight_decay=0.01
    )
    schedule = Schedule("stage 1", optimizer, steps, warmup=30)
    rng = random.Random(1)
    model.train()
    for _ in schedule:
        chosen = rng.sample(range(len(pictures)), batch)
        rows = pack([captioned(tokens, pictures[i], rng) for i in chosen], tokens.pad)
        schedule.step(reply_loss(model, rows, pixels[chosen]), tower + projector)
    model.eval()
    return {"loss": schedule.recent_loss}


def captioned(
    tokens: Tokens, picture: Picture, rng: random.Random
) -> tuple[list[int], list[Branch]]:
    prefix = tokens.prefix(image=True, description=None)
    return prefix, [tokens.branch("Describe the image.", describe(picture, rng))]
