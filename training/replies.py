"""Conversations as token ids, and the loss on their replies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from calib.images import open_image
from training.packing import Branch, Packed


class Tokens:
    """The embedded model's chat template cut into the pieces that rows are packed from."""

    def __init__(self, processor: Any) -> None:
        self.encode = lambda text: processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        self.pad = processor.tokenizer.pad_token_id
        patches = (processor.image_processor.crop_size["height"] // processor.patch_size) ** 2
        self.image = processor.image_token * patches + "\n"

    def prefix(self, *, image: bool, description: str | None) -> list[int]:
        text = "<|im_start|>user\n" + (self.image if image else "")
        return self.encode(text + (f"{description}\n" if description else ""))

    def branch(self, question: str, reply: str) -> Branch:
        return Branch(
            self.encode(f"{question}<|im_end|>\n<|im_start|>assistant\n"),
            self.encode(f"{reply}<|im_end|>"),
        )


def reply_loss(model: Any, rows: Packed, pixels: Tensor | None) -> Tensor:
    """Mean over replies of the mean cross entropy of a reply's tokens; a 0-d tensor.

    Vocabulary logits are computed at reply positions only. ``pixels`` (images, 3, H, W) in the
    order of their rows, or None where no row holds an image.
    """
    hidden = model.model(
        input_ids=rows.input_ids,
        pixel_values=pixels,
        attention_mask=rows.attention_mask,
        position_ids=rows.position_ids,
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(hidden.flatten(0, 1)[rows.read])
    loss = F.cross_entropy(logits.float(), rows.target, reduction="none")
    return (loss * rows.weight).sum() / rows.weight.sum()


def pixels_of(processor: Any, paths: list[Any]) -> Tensor:
    """The pictures at ``paths`` as the model sees them: (n, 3, H, W) float32."""
    images = [open_image(path) for path in paths]
    return torch.as_tensor(processor.image_processor(images, return_tensors="pt")["pixel_values"])
