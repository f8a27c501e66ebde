"""What the builders of ``image_b`` share: sizes, weights, tokens, templates and the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from tests.conformance.tokens import text, tokenizer

TEXT = text()
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
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


def tokens(template: str, *special: str, **named: str) -> PreTrainedTokenizerFast:
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
        model_specific_special_tokens=named,
    )
    again.chat_template = template
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
    embeddings and other tables are drawn with a deviation of 0.3. What has one dimension (norms,
    biases, decay rates) stays as the family initialises it.
    """
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)
    }
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            continue
        table = id(weight) in tables or not name.endswith("weight")
        inputs = 10 if table else weight[0].numel() if weight.ndim != 3 else weight.shape[-1]
        torch.nn.init.normal_(weight, std=gain / inputs**0.5)
