"""Step 1: the vision tower learns colour and shape on its own, with two linear heads.

The heads are thrown away; what stays is a tower whose patches tell both. Shifts and mirror images
multiply 4,000 pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionModel

from calib.tasks.builtin.easy_vqa import COLOURS, SHAPES
from training.progress import Schedule

SHIFT = 6  # pixels of 48


def train_tower(
    tower: CLIPVisionModel, pixels: Tensor, colour: Tensor, shape: Tensor, *, steps: int, batch: int
) -> dict[str, float]:
    """Train ``tower`` in place on pixels (n, 3, 48, 48); colour, shape (n,) int64, -1 if unknown.

    Returns the last loss and the training accuracies of the last hundred steps.
    """
    head = nn.Linear(tower.config.hidden_size, len(COLOURS) + len(SHAPES))
    parameters = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
    schedule = Schedule("tower", optimizer, steps, warmup=100)
    tower.train()
    for _ in schedule:
        rows = torch.randint(len(pixels), (batch,))
        logits = head(tower(moved(pixels[rows])).last_hidden_state[:, 1:].mean(1))
        of_colour, of_shape = logits.split([len(COLOURS), len(SHAPES)], dim=1)
        loss = F.cross_entropy(of_colour, colour[rows], ignore_index=-1)
        # Shape is the harder of the two.
        loss = loss + 2 * F.cross_entropy(of_shape, shape[rows], ignore_index=-1)
        schedule.step(loss, parameters)
    tower.eval()
    return {"loss": schedule.recent_loss}


def moved(pixels: Tensor) -> Tensor:
    """Each image shifted by up to SHIFT pixels and mirrored half of the time.

    Backgrounds are uniform, so repeating the border is what a shifted camera would see.
    """
    count, _, height, width = pixels.shape
    padded = F.pad(pixels, [SHIFT] * 4, mode="replicate")
    offsets = torch.randint(0, 2 * SHIFT + 1, (count, 2)).tolist()
    shifted = torch.stack(
        [
            image[:, y : y + height, x : x + width]
            for image, (y, x) in zip(padded, offsets, strict=True)
        ]
    )
    mirrored = torch.rand(count) < 0.5
    return torch.where(mirrored[:, None, None, None], shifted.flip(3), shifted)
