"""What the tiny image-text models of `image_a` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from tests.conformance.tokens import SPREAD, redraw, save

SIDE = 16  # pixels: one tile, or one picture of a tower that takes a single size
SQUARE = {"height": SIDE, "width": SIDE}
NORMAL = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}

# One token for 16 x 16 pixels; pictures of 1 to 24 tokens.
PATCHES: dict[str, Any] = {
    "patch_size": 8,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "size": {"shortest_edge": 16 * 16, "longest_edge": 24 * 16 * 16},
    **NORMAL,
}
GRID_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 32,
    "out_hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "patch_size": 8,
}
WINDOWS = {"window_size": 32, "fullatt_block_indexes": [1]}
THREE_PARTS = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}


def chat(turn: str, image: str, end: str, answer: str, begin: str = "") -> str:
    """A chat template: each turn's head, its parts in their order, its end.

    ``turn`` may name ``message['role']``; ``image`` stands for a picture; ``answer`` opens the
    reply.
    """
    parts = (
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        f"{image}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}{{% endfor %}}"
    )
    content = (
        "{% if message['content'] is string %}{{ message['content'] }}"
        f"{{% else %}}{parts}{{% endif %}}"
    )
    turns = f"{{% for message in messages %}}{turn}{content}{end}{{% endfor %}}"
    return f"{begin}{turns}{{% if add_generation_prompt %}}{answer}{{% endif %}}"


def named(plain: Any, names: Mapping[str, str]) -> Any:
    """The tokenizer ``plain`` with special tokens as its attributes (`image_token`).

    Those that it does not know are added behind its last entry, in their order.
    """
    speaker = PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        **plain.special_tokens_map,
        extra_special_tokens=dict(names),
        model_input_names=plain.model_input_names,
    )
    speaker.chat_template = plain.chat_template
    return speaker


def ids(speaker: Any, **tokens: str) -> dict[str, Any]:
    """The id of each token, under the name that a configuration has for it."""
    return {name: speaker.convert_tokens_to_ids(token) for name, token in tokens.items()}


def build(folder: Path, kind: Any, config: Any, processor: Any) -> None:
    """Save a ``kind`` of random weights, and its processor.

    Every matrix is drawn, whatever the deviation of its part of the configuration. Vectors that
    begin at zero are drawn too: biases, and the gates that would shut a picture out.
    """
    torch.manual_seed(0)
    model = redraw(kind(config))
    with torch.no_grad():
        for vector in model.parameters():
            if vector.dim() < 2 and not vector.any():
                vector.normal_(std=SPREAD)
    save(folder, model, processor)
