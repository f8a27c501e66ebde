"""Families whose pictures become tiles: resized, cut to squares, each square encoded alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import SQUARE, TEXT, VISION, chat, ids, save, tokens

HALF = [0.5, 0.5, 0.5]
COHERE: dict[str, Any] = {
    **TEXT,
    "sliding_window": 16,
    "layer_types": ["sliding_attention", "full_attention"],
}


def aya_vision(folder: Path) -> None:
    names = ["<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>"]
    tokenizer = tokens(
        chat("<image>"),
        "<image>",
        *names,
        "TILE_GLOBAL",
        *(f"TILE_{i}" for i in range(1, 5)),
        "TILE",
    )
    images = hf.GotOcr2ImageProcessorPil(
        size=SQUARE, max_patches=4, min_patches=1, crop_to_patches=True
    )
    config = hf.AyaVisionConfig(
        vision_config={**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**COHERE, "model_type": "cohere2"},
        downsample_factor=2,
        **ids(tokenizer, image_token_index="<|IMG_PATCH|>"),
    )
    processor = hf.AyaVisionProcessor(
        images,
        tokenizer,
        patch_size=8,
        img_size=32,
        downsample_factor=2,
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.AyaVisionForConditionalGeneration, config, processor)


def cohere2_vision(folder: Path) -> None:
    tokenizer = tokens(
        chat("<|IMG_PATCH|>"),
        boi_token="<|START_OF_IMG|>",
        eoi_token="<|END_OF_IMG|>",
        image_token="<|IMG_PATCH|>",
        img_line_break_token="<|IMG_LINE_BREAK|>",
    )
    # A tile has patch_size x patch_size tokens, which is what the model makes of 4 x 4 patches.
    images = hf.Cohere2VisionImageProcessor(size=SQUARE, max_patches=4, patch_size=2)
    config = hf.Cohere2VisionConfig(
        vision_config={**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**COHERE, "model_type": "cohere2"},
        downsample_factor=2,
        alignment_intermediate_size=64,
        **ids(tokenizer, image_token_id="<|IMG_PATCH|>"),
    )
    processor = hf.Cohere2VisionProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Cohere2VisionForConditionalGeneration, config, processor)


def llama4(folder: Path) -> None:
    tokenizer = tokens(
        chat("<|image|>"),
        "<|image_start|>",
        "<|image_end|>",
        "<|image|>",
        "<|patch|>",
        "<|tile_x_separator|>",
        "<|tile_y_separator|>",
    )
    images = hf.Llama4ImageProcessor(size=SQUARE, max_patches=4)
    config = hf.Llama4Config(
        vision_config={
            **VISION,
            "intermediate_size": 128,
            "vision_output_dim": 64,
            "projector_input_dim": 64,
            "projector_output_dim": 64,
        },
        text_config={
            **TEXT,
            "intermediate_size_mlp": 64,
            "head_dim": 8,
            "num_local_experts": 4,
            "attention_chunk_size": 64,
            "no_rope_layers": [1, 0],
        },
        **ids(
            tokenizer,
            image_token_index="<|patch|>",
            boi_token_index="<|image_start|>",
            eoi_token_index="<|image_end|>",
        ),
    )
    processor = hf.Llama4Processor(
        images,
        tokenizer,
        patch_size=8,
        pixel_shuffle_ratio=0.5,
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.Llama4ForConditionalGeneration, config, processor)


def lfm2_vl(folder: Path) -> None:
    cells = [f"<|img_row_{row}_col_{col}|>" for row in range(1, 5) for col in range(1, 5)]
    tokenizer = tokens(
        chat("<image>"),
        *cells,
        image_token="<image>",
        image_start_token="<|image_start|>",
        image_end_token="<|image_end|>",
        image_thumbnail_token="<|img_thumbnail|>",
    )
    images = hf.Lfm2VlImageProcessor(
        encoder_patch_size=8,
        tile_size=32,
        min_image_tokens=4,
        max_image_tokens=8,
        min_tiles=2,
        max_tiles=4,
    )
    config = hf.Lfm2VlConfig(
        vision_config={
            **VISION,
            "model_type": "siglip2_vision_model",
            "vision_use_head": False,
            "num_patches": 16,
        },
        text_config={
            **TEXT,
            "model_type": "lfm2",
            "layer_types": ["conv", "full_attention"],
            "block_multiple_of": 16,
        },
        projector_hidden_size=64,
        downsample_factor=2,
        **ids(tokenizer, image_token_id="<image>"),
    )
    processor = hf.Lfm2VlProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Lfm2VlForConditionalGeneration, config, processor)


def got_ocr2(folder: Path) -> None:
    tokenizer = tokens(
        chat("<img><imgpad></img>\n"),
        "<|im_start|>",
        "<|im_end|>",
        "<img>",
        "</img>",
        "<imgpad>",
    )
    images = hf.GotOcr2ImageProcessorPil(size={"height": 128, "width": 128})
    # Its processor writes 256 tokens for a picture, whatever it was made with: 64 x 64 patches.
    config = hf.GotOcr2Config(
        vision_config={
            "hidden_size": 16,
            "output_channels": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 128,
            "patch_size": 2,
            "mlp_dim": 32,
            "window_size": 8,
            "global_attn_indexes": [],
        },
        text_config={**TEXT, "model_type": "qwen2"},
        **ids(tokenizer, image_token_index="<imgpad>"),
    )
    processor = hf.GotOcr2Processor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.GotOcr2ForConditionalGeneration, config, processor)


def video_llava(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>", video_token="<video>")
    size = {"shortest_edge": 32}
    images = hf.VideoLlavaImageProcessor(size=size, crop_size=SQUARE)
    videos = hf.VideoLlavaVideoProcessor(size=size, crop_size=SQUARE)
    config = hf.VideoLlavaConfig(
        vision_config={**VISION, "model_type": "clip_vision_model", "projection_dim": 16},
        text_config={**TEXT, "model_type": "llama"},
        image_seq_length=16,
        **ids(tokenizer, image_token_index="<image>", video_token_index="<video>"),
    )
    processor = hf.VideoLlavaProcessor(
        images, videos, tokenizer, patch_size=8, chat_template=tokenizer.chat_template
    )
    save(folder, hf.VideoLlavaForConditionalGeneration, config, processor)


def llava_next_video(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>", video_token="<video>")
    size = {"shortest_edge": 32}
    grid = [[32, 64], [64, 32], [64, 64]]
    images = hf.LlavaNextImageProcessorPil(size=size, crop_size=SQUARE, image_grid_pinpoints=grid)
    videos = hf.LlavaNextVideoVideoProcessor(size=size, crop_size=SQUARE)
    config = hf.LlavaNextVideoConfig(
        vision_config={
            **VISION,
            "model_type": "clip_vision_model",
            "projection_dim": 16,
            "patch_size": 16,
        },
        text_config={**TEXT, "model_type": "llama"},
        image_grid_pinpoints=grid,
        image_seq_length=4,
        **ids(tokenizer, image_token_index="<image>", video_token_index="<video>"),
    )
    processor = hf.LlavaNextVideoProcessor(
        videos,
        images,
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.LlavaNextVideoForConditionalGeneration, config, processor)


TILES = (
    Family("aya_vision", True, aya_vision),
    Family("cohere2_vision", True, cohere2_vision, ("torchvision",)),
    Family("llama4", True, llama4, ("torchvision",)),
    Family("lfm2_vl", True, lfm2_vl, ("torchvision",)),
    Family("got_ocr2", True, got_ocr2),
    Family("video_llava", True, video_llava, ("torchvision",)),
    Family("llava_next_video", True, llava_next_video, ("torchvision",)),
)
