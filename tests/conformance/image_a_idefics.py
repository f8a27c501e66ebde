"""Tiny models of the Idefics line, SmolVLM and Llama 3.2 Vision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_a_parts import (
    NORMAL,
    SIDE,
    SQUARE,
    TOWER,
    build,
    chat,
    ids,
)
from tests.conformance.tokens import text, tokenizer

IDEFICS = chat(
    "{{ message['role'] | capitalize }}:",
    "<image>",
    "<end_of_utterance>\n",
    "Assistant:",
    begin="{{ bos_token }}",
)
IDEFICS_TOKENS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
TILES = [
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)),
]


def idefics2(folder: Path) -> None:
    """Pictures of any shape, padded beside each other and resampled to a fixed number of tokens."""
    speaker = tokenizer(IDEFICS_TOKENS, IDEFICS)
    images = hf.Idefics2ImageProcessorPil(
        size={"shortest_edge": 16, "longest_edge": 32},
        do_image_splitting=False,
        **NORMAL,
    )
    processor = hf.Idefics2Processor(images, speaker, image_seq_len=4, chat_template=IDEFICS)
    config = hf.Idefics2Config(
        vision_config={**TOWER, "image_size": 32},
        text_config=hf.MistralConfig(**text(), sliding_window=None),
        perceiver_config={
            "hidden_size": 32, "resampler_n_latents": 4, "resampler_depth": 1,
            "resampler_n_heads": 2, "resampler_head_dim": 16, "num_key_value_heads": 1,
        },
        **ids(speaker, image_token_id="<image>"),
    )  # fmt: skip
    build(folder, hf.Idefics2ForConditionalGeneration, config, processor)


def tiled_config(kind: Any, speaker: Any) -> Any:
    return kind(
        vision_config={**TOWER, "patch_size": 4},
        text_config=hf.LlamaConfig(**text()),
        scale_factor=2,
        pad_token_id=speaker.pad_token_id,
        **ids(speaker, image_token_id="<image>"),
    )


SPLIT: dict[str, Any] = {
    "size": {"longest_edge": 2 * SIDE},
    "max_image_size": {"longest_edge": SIDE},
    "do_image_splitting": True,
    **NORMAL,
}


def idefics3(folder: Path) -> None:
    """Tiles by rows and columns, then the whole picture."""
    speaker = tokenizer([*IDEFICS_TOKENS, *TILES], IDEFICS)
    images = hf.Idefics3ImageProcessorPil(**SPLIT)
    processor = hf.Idefics3Processor(images, speaker, image_seq_len=4, chat_template=IDEFICS)
    config = tiled_config(hf.Idefics3Config, speaker)
    build(folder, hf.Idefics3ForConditionalGeneration, config, processor)


def smolvlm(folder: Path) -> None:
    """As Idefics 3, with videos."""
    template = chat(
        "{{ message['role'] | capitalize }}:",
        "<image>",
        "<end_of_utterance>\n",
        "Assistant:",
        begin="<|im_start|>",
    )
    speaker = tokenizer([*IDEFICS_TOKENS, *TILES, "<|im_start|>", "<video>"], template)
    sizes = {key: SPLIT[key] for key in ("size", "max_image_size")}
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessorPil(**SPLIT),
        speaker,
        hf.SmolVLMVideoProcessor(**sizes, **NORMAL),
        image_seq_len=4,
        chat_template=template,
    )
    config = tiled_config(hf.SmolVLMConfig, speaker)
    build(folder, hf.SmolVLMForConditionalGeneration, config, processor)


def idefics(folder: Path) -> None:
    """Cross-attention to resampled pictures, which the processor places; no chat template."""
    speaker = tokenizer(IDEFICS_TOKENS[:2], None)
    images = hf.IdeficsImageProcessorPil(image_size=SIDE, **NORMAL)
    processor = hf.IdeficsProcessor(images, speaker, image_size=SIDE)
    tower = {name: size for name, size in TOWER.items() if name != "hidden_size"}
    language = text()
    del language["num_key_value_heads"]
    config = hf.IdeficsConfig(
        **language,
        cross_layer_interval=1,
        alpha_type="vector",
        alpha_initializer="normal",
        alphas_initializer_range=0.5,
        use_resampler=True,
        vision_config={**tower, "embed_dim": 32},
        perceiver_config={
            "use_resampler": True, "resampler_n_latents": 4, "resampler_depth": 1,
            "resampler_n_heads": 2, "resampler_head_dim": 16,
        },
    )  # fmt: skip
    build(folder, hf.IdeficsForVisionText2Text, config, processor)


def mllama(folder: Path) -> None:
    """Cross-attention to tiles; the image token lies beyond the last logit."""
    template = chat(
        "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n",
        "<|image|>",
        "<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        begin="{{ bos_token }}",
    )
    headers = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>"]
    speaker = tokenizer(headers, template)
    words = len(speaker)
    speaker.add_special_tokens({"additional_special_tokens": [*headers, "<|image|>"]})
    images = hf.MllamaImageProcessorPil(size=SQUARE, max_image_tiles=2, **NORMAL)
    processor = hf.MllamaProcessor(images, speaker, chat_template=template)
    tower = {name: size for name, size in TOWER.items() if name != "num_attention_heads"}
    config = hf.MllamaConfig(
        text_config=text(
            vocab_size=words, num_hidden_layers=3, cross_attention_layers=[1]
        ),
        vision_config={
            **tower, "attention_heads": 2, "num_global_layers": 1, "vision_output_dim": 96,
            "intermediate_layers_indices": [0, 1], "max_num_tiles": 2,
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
        },
        **ids(speaker, image_token_index="<|image|>"),
    )  # fmt: skip
    build(folder, hf.MllamaForConditionalGeneration, config, processor)


IDEFICS_FAMILIES = (
    Family("smolvlm", True, smolvlm, ("torchvision", "num2words")),
    Family("idefics3", True, idefics3),
    Family("idefics2", True, idefics2),
    Family("idefics", True, idefics),
    Family("mllama", True, mllama),
)
