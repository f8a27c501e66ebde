"""Tiny models of Gemma's line, with a fixed number of tokens a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_a_parts import NORMAL, SQUARE, TOWER, build, chat, ids, named
from tests.conformance.tokens import text, tokenizer

TURNS = ["<start_of_turn>", "<end_of_turn>"]


def turns(image: str) -> str:
    return chat(
        "<start_of_turn>{{ message['role'] }}\n",
        image,
        "<end_of_turn>\n",
        "<start_of_turn>model\n",
        begin="{{ bos_token }}",
    )


def gemma3(folder: Path) -> None:
    """Tokens of one picture see each other; a sliding window under half of the layers."""
    names = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    template = turns("<start_of_image>")
    speaker = named(tokenizer([*names.values(), *TURNS], template), names)
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


# MobileNet V5 with narrow blocks; the width of its output, 2,048, is timm's.
CONVOLUTIONS = {
    "channel_multiplier": 0.02,
    "msfa_output_resolution": 2,
    "layer_scale_init_value": 1.0,
}


def gemma3n(folder: Path) -> None:
    """Embeddings for each layer, and for the tokens of pictures and sounds; shared keys."""
    names = {
        "boi_token": "<start_of_image>",
        "boa_token": "<start_of_audio>",
        # Behind the text's entries: those of the picture tower, then of the audio encoder.
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
        "eoa_token": "<end_of_audio>",
        "audio_token": "<audio_soft_token>",
    }
    template = turns("<image_soft_token>")
    speaker = named(tokenizer([*TURNS, "<start_of_image>", "<start_of_audio>"], template), names)
    processor = hf.Gemma3nProcessor(
        hf.Gemma3nAudioFeatureExtractor(feature_size=16),
        hf.SiglipImageProcessorPil(size=SQUARE, **NORMAL),
        speaker,
        chat_template=template,
        audio_seq_length=4,
        image_seq_length=4,
    )
    first, last = ids(speaker, picture="<end_of_image>", sound="<end_of_audio>").values()
    config = hf.Gemma3nConfig(
        text_config=text(
            vocab_size=len(speaker),
            vocab_size_per_layer_input=first,
            hidden_size_per_layer_input=8,
            laurel_rank=8,
            head_dim=8,
            num_hidden_layers=4,
            num_kv_shared_layers=2,
            sliding_window=24,
            layer_types=["sliding_attention", "full_attention"] * 2,
        ),
        vision_config={
            "model_args": CONVOLUTIONS, "hidden_size": 2048, "vocab_size": 2,
            "vocab_offset": first,
        },
        audio_config={
            "vocab_size": 2, "vocab_offset": last, "input_feat_size": 16, "hidden_size": 32,
            "conf_num_attention_heads": 2, "conf_num_hidden_layers": 1,
            "sscp_conv_channel_size": [8, 8],
        },
        audio_soft_tokens_per_image=4,
        vision_soft_tokens_per_image=4,
        **ids(
            speaker,
            boi_token_id="<start_of_image>",
            eoi_token_id="<end_of_image>",
            image_token_id="<image_soft_token>",
            boa_token_id="<start_of_audio>",
            eoa_token_id="<end_of_audio>",
            audio_token_id="<audio_soft_token>",
        ),
    )  # fmt: skip
    build(folder, hf.Gemma3nForConditionalGeneration, config, processor)


GEMMA_FAMILIES = (
    Family("gemma3", True, gemma3),
    Family("gemma3n", True, gemma3n, ("torchvision", "timm")),
    Family("paligemma", True, paligemma),
    Family("paligemma2", True, paligemma2),
)
