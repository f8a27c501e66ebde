"""Gemma 4, and its kin of diffusion, which calib refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import TEXT, TOWER, chat, ids, save, tokens

GEMMA_NAMES = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}


def gemma4_text(**other: Any) -> dict[str, Any]:
    return {
        **TEXT,
        "head_dim": 8,
        "global_head_dim": 16,
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        **other,
    }


def gemma4_ids(tokenizer: Any) -> dict[str, int]:
    return ids(
        tokenizer,
        image_token_id="<|image|>",
        boi_token_id="<|image>",
        eoi_token_id="<image|>",
        audio_token_id="<|audio|>",
        boa_token_id="<|audio>",
        eoa_token_index="<audio|>",
        video_token_id="<|video|>",
    )


def gemma4(folder: Path) -> None:
    # The fewest tokens that its processor makes of a picture are 70, or a few less.
    tokenizer = tokens(chat("<|image|>"), "<|video|>", **GEMMA_NAMES)
    images = hf.Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70)
    videos = hf.Gemma4VideoProcessor(patch_size=4)
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(),
        images,
        tokenizer,
        videos,
        chat_template=tokenizer.chat_template,
        image_seq_length=70,
    )
    config = hf.Gemma4Config(
        vision_config={
            **TOWER,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "position_embedding_size": 256,
        },
        text_config=gemma4_text(
            vocab_size_per_layer_input=TEXT["vocab_size"],
            hidden_size_per_layer_input=8,
            use_bidirectional_attention="vision",
        ),
        audio_config=None,
        **gemma4_ids(tokenizer),
    )
    save(folder, hf.Gemma4ForConditionalGeneration, config, processor)


def gemma4_unified(folder: Path) -> None:
    tokenizer = tokens(chat("<|image|>"), "<|video|>", **GEMMA_NAMES)
    images = hf.Gemma4UnifiedImageProcessor(patch_size=4, max_soft_tokens=70)
    videos = hf.Gemma4UnifiedVideoProcessor(patch_size=4)
    processor = hf.Gemma4UnifiedProcessor(
        hf.Gemma4UnifiedAudioFeatureExtractor(),
        images,
        tokenizer,
        videos,
        chat_template=tokenizer.chat_template,
        image_seq_length=70,
    )
    config = hf.Gemma4UnifiedConfig(
        vision_config={
            "patch_size": 4,
            "mm_embed_dim": 32,
            "mm_posemb_size": 128,
            "output_proj_dims": 32,
        },
        text_config=gemma4_text(),
        audio_config=None,
        **gemma4_ids(tokenizer),
    )
    save(folder, hf.Gemma4UnifiedForConditionalGeneration, config, processor)


def diffusion_gemma(folder: Path) -> None:
    """It writes a whole block at once, and refines it."""
    tokenizer = tokens(chat("<|image|>"), "<|video|>", **GEMMA_NAMES)
    config = hf.DiffusionGemmaConfig(
        vision_config={
            **TOWER,
            "model_type": "gemma4_vision",
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "position_embedding_size": 256,
        },
        text_config=gemma4_text(num_experts=4, top_k_experts=2, moe_intermediate_size=32),
        canvas_length=16,
        **ids(
            tokenizer, image_token_id="<|image|>", boi_token_id="<|image>", eoi_token_id="<image|>"
        ),
    )
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(),
        hf.Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70),
        tokenizer,
        hf.Gemma4VideoProcessor(patch_size=4),
        chat_template=tokenizer.chat_template,
        image_seq_length=70,
    )
    save(folder, hf.DiffusionGemmaForBlockDiffusion, config, processor)


GEMMA = (
    Family("gemma4", True, gemma4, ("torchvision",)),
    Family("gemma4_unified", True, gemma4_unified, ("torchvision",)),
)
DIFFUSION = (Family("diffusion_gemma", True, diffusion_gemma, ("torchvision",)),)
