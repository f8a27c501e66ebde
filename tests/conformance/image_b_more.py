"""Further families, and those that calib refuses at load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import SQUARE, TEXT, VISION, chat, ids, save, tokens


def fast_vlm(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>")
    size = {"height": 128, "width": 128}
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 128}, crop_size=size)
    config = hf.FastVlmConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": "fastvit_mci3",
            "do_pooling": True,
            "global_pool": "avg",
            "hidden_size": 64,
            "model_args": {
                "inference_mode": True,
                "layers": [1, 1, 1, 1, 1],
                "embed_dims": [8, 16, 32, 32, 32],
            },
        },
        text_config={**TEXT, "model_type": "qwen2"},
        image_seq_length=4,
        **ids(tokenizer, image_token_index="<image>"),
    )
    processor = hf.LlavaProcessor(
        images,
        tokenizer,
        patch_size=64,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.FastVlmForConditionalGeneration, config, processor)


def blip(folder: Path) -> None:
    tokenizer = tokens(None)
    config = hf.BlipConfig(
        vision_config={**VISION, "projection_dim": 16},
        text_config={
            "vocab_size": TEXT["vocab_size"],
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "projection_dim": 16,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
            "sep_token_id": 2,
        },
        projection_dim=16,
        image_text_hidden_size=16,
    )
    save(
        folder,
        hf.BlipForConditionalGeneration,
        config,
        hf.BlipProcessor(hf.BlipImageProcessorPil(size=SQUARE), tokenizer),
    )


def florence2(folder: Path) -> None:
    """An encoder-decoder."""
    tokenizer = tokens(None, image_token="<image>")
    images = hf.CLIPImageProcessorPil(size=SQUARE, crop_size=SQUARE)
    images.image_seq_length = 65
    text: dict[str, Any] = {
        "model_type": "bart",
        "vocab_size": TEXT["vocab_size"],
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }
    config = hf.Florence2Config(
        vision_config={
            "depths": [1],
            "patch_size": [7],
            "patch_stride": [4],
            "patch_padding": [3],
            "patch_prenorm": [False],
            "embed_dim": [32],
            "num_heads": [2],
            "num_groups": [2],
            "window_size": 4,
            "projection_dim": 32,
            "drop_path_rate": 0.0,
        },
        text_config=text,
        **ids(tokenizer, image_token_id="<image>"),
    )
    save(
        folder,
        hf.Florence2ForConditionalGeneration,
        config,
        hf.Florence2Processor(images, tokenizer),
    )


MORE = (
    Family("fast_vlm", True, fast_vlm, ("torchvision", "timm")),
    Family("blip", True, blip),
)
ENCODER_DECODERS = (Family("florence2", True, florence2),)
