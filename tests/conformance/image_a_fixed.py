"""Tiny models with a fixed number of tokens a picture or a tile, or with cross-attention.

Gemma 3, PaliGemma, the Idefics line, SmolVLM, Llama 3.2 Vision.
"""

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
    named_tokenizer,
)
from tests.conformance.tokens import text, tokenizer


def gemma3(folder: Path) -> None:
    """Tokens of one picture see each other; a sliding window under half of the layers."""
    names = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    template = chat(
        "<start_of_turn>{{ message['role'] }}\n",
        "<start_of_image>",
        "<end_of_turn>\n",
        "<start_of_turn>model\n",
        begin="{{ bos_token }}",
    )
    speaker = named_tokenizer(names, template, ["<start_of_turn>", "<end_of_turn>"])
    images = hf.Gemma3ImageProcessorPil(size=SQUARE, **NORMAL)
    processor = hf.Gemma3Processor(images, speaker, chat_template=template, image_seq_length=4)
    config = hf.Gemma3Config(
        text_config=text(
            head_dim=8,
            sliding_window=24,
            layer_types=["sliding_attention", "full_attention"],
        ),
        vision_config=TOWER,
        mm_tokens_per_image=4,
        **ids(
            speaker,
            image_token_index="<image_soft_token>",
            boi_token_index="<start_of_image>",
            eoi_token_index="<end_of_image>",
        ),
    )
    build(folder, hf.Gemma3ForConditionalGeneration, config, processor)


def paligemma_processor() -> Any:
    """It has no chat template, and ends each prompt with a line break."""
    images = hf.SiglipImageProcessorPil(size=SQUARE, image_seq_length=4, **NORMAL)
    return hf.PaliGemmaProcessor(images, tokenizer(["<image>"], None))


def paligemma_of(folder: Path, **language: Any) -> None:
    processor = paligemma_processor()
    speaker = processor.tokenizer
    config = hf.PaliGemmaConfig(
        text_config=text(vocab_size=len(speaker), head_dim=8, **language),
        vision_config={**TOWER, "model_type": "siglip_vision_model", "vision_use_head": False},
        projection_dim=32,
        **ids(speaker, image_token_index="<image>"),
    )
    build(folder, hf.PaliGemmaForConditionalGeneration, config, processor)


def paligemma(folder: Path) -> None:
    paligemma_of(folder, model_type="gemma")


def paligemma2(folder: Path) -> None:
    """Over Gemma 2: capped scores and logits, a sliding window under half of the layers."""
    layers = ["sliding_attention", "full_attention"]
    paligemma_of(folder, model_type="gemma2", layer_types=layers, sliding_window=24)


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


FIXED = (
    Family("gemma3", True, gemma3),
    Family("paligemma", True, paligemma),
    Family("paligemma2", True, paligemma2),
    Family("smolvlm", True, smolvlm, ("torchvision", "num2words")),
    Family("idefics3", True, idefics3),
    Family("idefics2", True, idefics2),
    Family("idefics", True, idefics),
    Family("mllama", True, mllama),
)
