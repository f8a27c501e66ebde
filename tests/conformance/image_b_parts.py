"""What the builders of ``image_b`` share: sizes, weights, tokens, templates and the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from tests.conformance.tokens import MERGES, text, tokenizer

TEXT = text()
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}

SQUARE = {"height": 32, "width": 32}
PIXELS: dict[str, Any] = {"patch_size": 8, "min_pixels": 16 * 16, "max_pixels": 64 * 64}
TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 8,
}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 12,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_group": 1,
    "topk_group": 1,
}


def chat(
    image: str, *, begin: str = "<bos>", user: str = "U: ", end: str = "\n", answer: str = "A:"
) -> str:
    """A chat template that writes ``image`` where a message has a picture."""
    turn = {"user": user, "image": image, "end": end, "begin": begin, "answer": answer}
    quoted = {name: "'" + text.replace("\n", "\\n") + "'" for name, text in turn.items()}
    return (
        f"{{{{ {quoted['begin']} }}}}{{% for message in messages %}}{{{{ {quoted['user']} }}}}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        f"{{{{ {quoted['image']} }}}}"
        "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
        f"{{{{ {quoted['end']} }}}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {quoted['answer']} }}}}{{% endif %}}"
    )


def tokens(template: str | None, *special: str, **named: str) -> PreTrainedTokenizerFast:
    """A tokenizer with the special tokens; ``named`` ones are its attributes, as `image_token`."""
    made = tokenizer([*special, *named.values()], template)
    if not named:
        return made
    again = PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer,
        pad_token=made.pad_token,
        bos_token=made.bos_token,
        eos_token=made.eos_token,
        unk_token=made.unk_token,
        model_input_names=made.model_input_names,
        model_specific_special_tokens=named,
    )
    again.chat_template = template
    return again


def byte_level(kind: Any, made: PreTrainedTokenizerFast) -> Any:
    """The same tokens in a class that spells spaces and line ends as bytes do."""
    spelling = str.maketrans({" ": "Ġ", "\n": "Ċ"})
    special = set(made.all_special_tokens)
    entries = {
        entry if entry in special else entry.translate(spelling): number
        for entry, number in made.get_vocab().items()
    }
    again = kind(
        vocab=entries,
        merges=[(a.translate(spelling), b.translate(spelling)) for a, b in MERGES],
        pad_token=made.pad_token,
        bos_token=made.bos_token,
        eos_token=made.eos_token,
        unk_token=made.unk_token,
        additional_special_tokens=made.extra_special_tokens,
    )
    again.chat_template = made.chat_template
    return again


def ids(made: PreTrainedTokenizerFast, **names: str) -> dict[str, int]:
    """Token ids under the names that a configuration gives them."""
    return {name: made.convert_tokens_to_ids(token) for name, token in names.items()}


def save(folder: Path, kind: Any, config: Any, processor: Any, gain: float = 1.0) -> None:
    """A model of random weights and its processor, in ``folder``."""
    torch.manual_seed(0)
    model = kind(config).eval()
    spread(model, gain)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def spread(model: Any, gain: float) -> None:
    """Weights drawn wide, so that a wrong position, mask or picture moves the logits far.

    A weight keeps the size of what it multiplies (standard deviation ``gain / sqrt(inputs)``);
    embeddings and tables of positions have a deviation of 0.3. What has one dimension (norms,
    biases, rates of decay) stays as the family initialises it.
    """
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)
    }
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            continue
        if id(weight) in tables or (weight.ndim == 2 and not name.endswith("weight")):
            deviation = 0.3
        else:
            # Of three dimensions are the experts' matrices, one of two dimensions each.
            inputs = weight.shape[-1] if weight.ndim == 3 else weight[0].numel()
            deviation = gain / inputs**0.5
        torch.nn.init.normal_(weight, std=deviation)
