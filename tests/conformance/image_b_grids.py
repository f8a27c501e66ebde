"""Families whose processor counts a picture's patches in rows and columns."""

from __future__ import annotations

from pathlib import Path

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import (
    PIXELS,
    TEXT,
    TOWER,
    VISION,
    byte_level,
    chat,
    ids,
    save,
    tokens,
)

PADS = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]


def ernie4_5_vl_moe(folder: Path) -> None:
    image, start, end = "<|IMAGE_PLACEHOLDER|>", "<|IMAGE_START|>", "<|IMAGE_END|>"
    tokenizer = tokens(
        chat(f"Picture:{start}{image}{end}"),
        image_token=image,
        image_start_token=start,
        image_end_token=end,
        video_token="<|VIDEO_PLACEHOLDER|>",
        video_start_token="<|VIDEO_START|>",
        video_end_token="<|VIDEO_END|>",
    )
    images = hf.Ernie4_5_VLMoeImageProcessorPil(
        patch_size=8, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
    )
    videos = hf.Ernie4_5_VLMoeVideoProcessor(patch_size=8, draw_on_frames=False)
    config = hf.Ernie4_5_VLMoeConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "intermediate_size": 64,
        },
        text_config={
            **TEXT,
            "moe_intermediate_size": [32, 16],
            "moe_k": 2,
            "moe_num_experts": 4,
            "moe_num_shared_experts": 1,
            "mlp_layer_types": ["dense", "sparse"],
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [1, 1, 2],
            },
        },
        **ids(
            tokenizer,
            image_token_id=image,
            image_start_token_id=start,
            image_end_token_id=end,
            video_token_id="<|VIDEO_PLACEHOLDER|>",
            video_start_token_id="<|VIDEO_START|>",
            video_end_token_id="<|VIDEO_END|>",
        ),
    )
    processor = hf.Ernie4_5_VLMoeProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.Ernie4_5_VLMoeForConditionalGeneration, config, processor)


def cosmos3_edge(folder: Path) -> None:
    image, video, start, end = PADS
    tokenizer = tokens(chat(f"{start}{image}{end}"), *PADS)
    images = hf.Cosmos3EdgeImageProcessorPil(
        patch_size=8, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
    )
    videos = hf.Cosmos3EdgeVideoProcessor(patch_size=8)
    config = hf.Cosmos3EdgeConfig(
        vision_config={**TOWER, "num_patches": 16},
        text_config={
            **TEXT,
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
            },
        },
        projector_hidden_size=64,
        **ids(
            tokenizer,
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        ),
    )
    processor = hf.Cosmos3EdgeProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.Cosmos3EdgeForConditionalGeneration, config, processor)


def cohere_compass(folder: Path) -> None:
    image, video, start, end = (
        "<|IMAGE_PAD|>",
        "<|VIDEO_PAD|>",
        "<|VISION_START|>",
        "<|VISION_END|>",
    )
    tokenizer = tokens(chat(f"{start}{image}{end}"), image, video, start, end)
    images = hf.CohereCompassImageProcessorPil(**PIXELS)
    videos = hf.CohereCompassVideoProcessor(patch_size=8)
    config = hf.CohereCompassConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        text_config={
            **TEXT,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {
                kind: {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
                for kind in ("sliding_attention", "full_attention")
            },
        },
        **ids(
            tokenizer,
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        ),
    )
    processor = hf.CohereCompassProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.CohereCompassForConditionalGeneration, config, processor)


def hyperclovax_vision_v2(folder: Path) -> None:
    image, video, start, end = PADS
    tokenizer = byte_level(hf.GPT2Tokenizer, tokens(chat(f"{start}{image}{end}"), *PADS))
    images = hf.Qwen2VLImageProcessorPil(**PIXELS)
    videos = hf.Qwen2VLVideoProcessor(patch_size=8)
    config = hf.HyperCLOVAXVisionV2Config(
        vision_config={
            "model_type": "qwen2_5_vl_vision",
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "intermediate_size": 48,
            "fullatt_block_indexes": [1],
            "window_size": 32,
        },
        text_config={**TEXT, "model_type": "hyperclovax", "head_dim": 8},
        **ids(tokenizer, image_token_id=image, video_token_id=video),
    )
    processor = hf.HyperCLOVAXVisionV2Processor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.HyperCLOVAXVisionV2ForConditionalGeneration, config, processor)


def qwen4_exp(folder: Path) -> None:
    image, video, start, end = PADS
    tokenizer = byte_level(hf.Qwen3_5Tokenizer, tokens(chat(f"{start}{image}{end}"), *PADS))
    images = hf.Qwen2VLImageProcessorPil(**PIXELS)
    videos = hf.Qwen3VLVideoProcessor(patch_size=8)
    config = hf.Qwen4ExpConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
        },
        text_config={
            **TEXT,
            "head_dim": 16,
            "layer_types": ["linear_attention", "indexed_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "moe_intermediate_size": 32,
            "shared_expert_intermediate_size": 32,
            "num_experts_per_tok": 2,
            "num_experts": 4,
            "hc_count": 2,
            "hc_lowrank": 8,
            "indexer_n_heads": 2,
            "indexer_kv_heads": 1,
            "indexer_head_dim": 16,
            "indexer_budget": 1024,
            "indexer_compress_ratio": 4,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
                "partial_rotary_factor": 0.5,
            },
        },
        **ids(
            tokenizer,
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        ),
    )
    processor = hf.Qwen3VLProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.Qwen4ExpForConditionalGeneration, config, processor, gain=2.0)


def minimax_m3_vl(folder: Path) -> None:
    image, video = hf.MiniMaxM3VLProcessor.IMAGE_TOKEN, hf.MiniMaxM3VLProcessor.VIDEO_TOKEN
    start, end = (
        hf.MiniMaxM3VLProcessor.VISION_START_TOKEN,
        hf.MiniMaxM3VLProcessor.VISION_END_TOKEN,
    )
    tokenizer = tokens(chat(image), image, video, start, end)
    images = hf.MiniMaxM3VLImageProcessor(patch_size=8, min_pixels=16 * 16, max_pixels=64 * 64)
    videos = hf.MiniMaxM3VLVideoProcessor(patch_size=8)
    config = hf.MiniMaxM3VLConfig(
        vision_config={**VISION, "num_attention_heads": 1},
        text_config={
            **TEXT,
            "head_dim": 16,
            "rotary_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "dense_intermediate_size": 64,
            "shared_intermediate_size": 32,
            "intermediate_size": 32,
            "mlp_layer_types": ["dense", "sparse"],
            "layer_types": ["full_attention", "minimax_m3_sparse"],
            "index_n_heads": 2,
            "index_head_dim": 16,
            "index_block_size": 8,
            "index_topk_blocks": 64,
            "index_local_blocks": 1,
        },
        projector_hidden_size=64,
        **ids(tokenizer, image_token_index=image, video_token_index=video),
    )
    processor = hf.MiniMaxM3VLProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.MiniMaxM3SparseForConditionalGeneration, config, processor)


GRIDS = (
    Family("ernie4_5_vl_moe", True, ernie4_5_vl_moe, ("torchvision",)),
    Family("cosmos3_edge", True, cosmos3_edge, ("torchvision",)),
    Family("cohere_compass", True, cohere_compass, ("torchvision",)),
    Family("hyperclovax_vision_v2", True, hyperclovax_vision_v2, ("torchvision",)),
    Family("qwen4_exp", True, qwen4_exp, ("torchvision",)),
    Family("minimax_m3_vl", True, minimax_m3_vl, ("torchvision",)),
)
