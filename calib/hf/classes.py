"""Which class a configuration asks for, by transformers' own mappings, and what is not driven."""

from __future__ import annotations

import inspect
from typing import Any

import transformers
from transformers import GenerationMixin, PreTrainedConfig

# The first that maps a configuration is taken: several text models are also mapped as image models.
IMAGES, TEXT, OTHERS = (
    "AutoModelForImageTextToText",
    "AutoModelForCausalLM",
    "AutoModelForMultimodalLM",
)


def auto_class(config: Any, *, trusted: bool) -> tuple[Any, Any]:
    """(auto class, configuration that it loads), of a trusted folder for the folder's own code.

    The configuration is ``config``, or the part of it that reads and writes text where the whole
    also speaks (Qwen-Omni's thinker). Raises ValueError for a configuration that no auto class of a
    language model maps, and for classes that do not answer by continuing their prompt.
    """
    refuse_encoder_decoder(config)
    own = getattr(config, "auto_map", None) or {}
    autos = [auto for name in (IMAGES, TEXT, OTHERS) if (auto := getattr(transformers, name, None))]
    theirs = [auto for auto in autos if auto.__name__ in own]
    if theirs and trusted:
        return theirs[0], config
    mapped = [auto for auto in autos if type(config) in auto._model_mapping]
    if not mapped and not theirs:
        raise ValueError(
            f"transformers maps {type(config).__name__} to no image-text-to-text model, causal "
            "language model or multimodal language model"
        )
    if not mapped:
        return theirs[0], config  # which transformers refuses, as it is not trusted
    kind = mapped[0]._model_mapping[type(config)]
    if issubclass(kind, GenerationMixin) and not takes_ids(kind):
        for part in parts_of(config).values():
            if type(part) in autos[0]._model_mapping:
                return autos[0], part
    refuse_class(kind)
    return mapped[0], config


def refuse_encoder_decoder(config: Any) -> None:
    try:
        parts = [config, config.get_text_config(decoder=True)]
    except ValueError:  # several text models
        parts = [config]
    for part in parts:
        if getattr(part, "is_encoder_decoder", False):
            raise ValueError(
                f"{type(part).__name__} is that of an encoder-decoder, and calib drives models "
                "that continue their prompt"
            )


def refuse_class(kind: Any) -> None:
    """ValueError unless this class reads token ids and answers one token after the other."""
    if not issubclass(kind, GenerationMixin):
        raise ValueError(
            f"{kind.__name__} does not answer token by token (it has no generation of "
            "transformers'), and calib drives models that do"
        )
    if not takes_ids(kind):
        raise ValueError(f"the forward pass of {kind.__name__} takes no input_ids")


def takes_ids(kind: Any) -> bool:
    return "input_ids" in inspect.signature(kind.forward).parameters


def refuse_encoder(hf: Any) -> None:
    """ValueError where a text model's tokens see those after them, as in masked language models."""
    config = hf.config
    decoder = getattr(config, "is_decoder", None)
    if decoder is True:
        return
    masked = type(config) in transformers.AutoModelForMaskedLM._model_mapping
    causal = {module.is_causal for module in hf.modules() if hasattr(module, "is_causal")}
    if (
        causal == {False}
        or (decoder is False and masked)
        or getattr(config, "causal", None) is False  # XLM's name for it
    ):
        raise ValueError(
            f"{type(hf).__name__} reads its text in both directions by its configuration, as "
            "encoders and masked language models do, and calib drives models that continue it"
        )


def parts_of(config: Any) -> dict[str, Any]:
    """Every configuration inside this one by its name: text, vision, thinker.audio, ..."""
    parts: dict[str, Any] = {}
    for key, value in vars(config).items():
        if isinstance(value, PreTrainedConfig):
            name = key.removesuffix("_config")
            parts[name] = value
            parts |= {f"{name}.{inner}": part for inner, part in parts_of(value).items()}
    return parts
