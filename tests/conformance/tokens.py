"""What the families' builders share: a tokenizer of characters, sizes, weights, saving.

The tokenizer knows single characters and a few merges, so that an option has one token or several
and two options may begin with the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

BASIC = ("<pad>", "<bos>", "<eos>", "<unk>")  # ids 0 to 3
CHARACTERS = ["\n", *map(chr, range(32, 127))]
MERGES = [
    ("r", "e"),
    ("re", "d"),
    (" ", "red"),
    ("y", "e"),
    ("ye", "s"),
    (" ", "yes"),
    ("n", "o"),
    (" ", "no"),
    ("(", "A"),
    ("b", "l"),
    ("u", "e"),
    (" ", "bl"),
    ("g", "r"),
    (" ", "gr"),
    ("e", "n"),
    ("a", "y"),
]
VOCABULARY = 200  # of every text tower: more than the tokenizer's entries, as models have
SPREAD = 0.25  # `initializer_range`: a wrong position, mask or picture moves the logits far

TEXT_TEMPLATE = (
    "<bos>{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}<eos>"
    "{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
)


def tokenizer(special: Sequence[str], template: str | None) -> PreTrainedTokenizerFast:
    """A tokenizer with BASIC, then ``special``, then characters; ids in that order."""
    entries = [*BASIC, *special, *CHARACTERS, *(a + b for a, b in MERGES)]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES, unk_token="<unk>"))
    backend.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=list(special),
        # As the tokenizers of text models have it: no types of tokens.
        model_input_names=["input_ids", "attention_mask"],
    )
    made.chat_template = template
    return made


def text(**sizes: Any) -> dict[str, Any]:
    """The usual arguments of a text tower's configuration, ``sizes`` beside or instead of them."""
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 1024,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "initializer_range": SPREAD,
        **sizes,
    }


def redraw(model: Any, spread: float = SPREAD, seed: int = 0) -> Any:
    """Draw every matrix again, for models that do not heed ``initializer_range``."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 1 and value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator) * spread)
    return model


def save(folder: Path, model: Any, speaker: Any) -> None:
    """Save a model and its tokenizer or processor into ``folder``."""
    model.eval().save_pretrained(folder)
    speaker.save_pretrained(folder)
