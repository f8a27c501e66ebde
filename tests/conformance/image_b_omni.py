"""Families that may also hear: here they read pictures and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import TEXT, TOWER, chat, ids, save, tokens

MUSE = [
    "<|patch|>",
    "<|image_start|>",
    "<|image_end|>",
    "<|video|>",
    "<|vid_frame_separator|>",
    "<|vid_start|>",
    "<|vid_end|>",
]


def muse(kind: str, tokenizer: Any, text: dict[str, Any], **other: Any) -> tuple[Any, Any, Any]:
    images = hf.MuseGlimmerImageProcessor(patch_size=8, max_image_tokens=16)
    videos = hf.MuseGlimmerVideoProcessor(patch_size=8)
    config = getattr(hf, f"{kind}Config")(
        vision_config={
            **TOWER,
            "pos_emb_height": 8,
            "pos_emb_width": 8,
            "max_position_embeddings": 64,
            "layer_types": ["window_attention", "full_attention"],
        },
        text_config={
            **TEXT,
            "head_dim": 8,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "layer_rope_theta": [10000.0, 0],
            "output_multiplier": 1.0,
            **text,
        },
        out_hidden_size=128,
        projector_hidden_size=64,
        **ids(tokenizer, image_token_id="<|patch|>", video_token_id="<|video|>"),
        **other,
    )
    return images, videos, config


def inkling2(folder: Path) -> None:
    tokenizer = tokens(chat("<|unused_200054|>"), "<|unused_200054|>")
    images = hf.Inkling2ImageProcessor(size={"height": 16, "width": 16})
    config = hf.Inkling2Config(
        vision_config={
            **TOWER,
            "spatial_merge_size": 2,
            "posemb_grid_size": 8,
            "projection_hidden_dim": 64,
            "text_hidden_size": 32,
        },
        text_config={
            **TEXT,
            "unpadded_vocab_size": TEXT["vocab_size"],
            "head_dim": 8,
            "swa_num_attention_heads": 4,
            "swa_num_key_value_heads": 2,
            "swa_head_dim": 8,
            "sliding_window_size": 16,
            "d_rel": 4,
            "rel_extent": 64,
            "layer_types": ["hybrid_sliding", "hybrid"],
            "moe_intermediate_size": 32,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "route_scale": 1.0,
            "n_layers_per_attn_res_block": 1,
        },
        **ids(tokenizer, image_token_id="<|unused_200054|>"),
    )
    processor = hf.Inkling2Processor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Inkling2ForConditionalGeneration, config, processor)


def inkling_mm_model(folder: Path) -> None:
    names = [
        "<|unused_200054|>",
        "<|unused_200053|>",
        "<|content_image|>",
        "<|content_audio_input|>",
    ]
    tokenizer = tokens(chat("<|content_image|><|unused_200054|>"), *names)
    images = hf.InklingImageProcessor(size={"height": 16, "width": 16})
    config = hf.InklingConfig(
        vision_config={
            "patch_size": 16,
            "hidden_size": 32,
            "n_layers": 2,
            "num_attention_heads": 2,
        },
        audio_config={"n_mel_bins": 8, "mel_vocab_size": 16},
        text_config={
            **TEXT,
            "unpadded_vocab_size": TEXT["vocab_size"],
            "head_dim": 8,
            "swa_num_attention_heads": 4,
            "swa_num_key_value_heads": 2,
            "swa_head_dim": 8,
            "sliding_window_size": 16,
            "d_rel": 4,
            "rel_extent": 64,
            "layer_types": ["hybrid_sliding", "hybrid"],
            "mlp_layer_types": ["dense", "sparse"],
            "moe_intermediate_size": 32,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_shared_experts": 1,
            "route_scale": 1.0,
            "logits_mup_width_multiplier": 1.0,
        },
        **ids(
            tokenizer,
            image_token_id=names[0],
            audio_token_id=names[1],
            image_bos_token_id=names[2],
            audio_bos_token_id=names[3],
        ),
    )
    processor = hf.InklingProcessor(
        hf.InklingFeatureExtractor(), images, tokenizer, chat_template=tokenizer.chat_template
    )
    save(folder, hf.InklingForConditionalGeneration, config, processor)


def muse_glimmer(folder: Path) -> None:
    tokenizer = tokens(chat("<|patch|>"), *MUSE)
    images, videos, config = muse("MuseGlimmer", tokenizer, {})
    processor = hf.MuseGlimmerProcessor(
        images, videos, tokenizer, chat_template=tokenizer.chat_template
    )
    save(folder, hf.MuseGlimmerForConditionalGeneration, config, processor)


def muse_spark(folder: Path) -> None:
    tokenizer = tokens(
        chat("<|patch|>"), *MUSE, "<|audio|>", "<|soft_audio_start|>", "<|soft_audio_end|>"
    )
    experts = {
        "moe_intermediate_size": 32,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "moe_hidden_size": 32,
        "mlp_layer_types": ["dense", "sparse"],
    }
    sound = {
        "patch_sizes": [4, 2],
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "num_hidden_layers": 2,
        "out_hidden_size": 32,
    }
    images, videos, config = muse(
        "MuseSpark",
        tokenizer,
        experts,
        audio_config=sound,
        **ids(tokenizer, audio_token_id="<|audio|>"),
    )
    processor = hf.MuseSparkProcessor(
        images,
        videos,
        tokenizer,
        hf.MuseSparkFeatureExtractor(),
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.MuseSparkForConditionalGeneration, config, processor)


def nemotron_h_omni(folder: Path) -> None:
    tokenizer = tokens(
        chat("<image>\n"),
        "<so_start>",
        "<so_end>",
        image_token="<image>",
        video_token="<video>",
        audio_token="<so_embedding>",
        image_start_token="<img>",
        image_end_token="</img>",
    )
    images = hf.NemotronH_Omni_Reasoning_V3ImageProcessor(
        patch_size=8, min_num_patches=4, max_num_patches=64
    )
    videos = hf.NemotronH_Omni_Reasoning_V3VideoProcessor(patch_size=8)
    text = {name: value for name, value in TEXT.items() if name != "num_hidden_layers"}
    config = hf.NemotronH_Omni_Reasoning_V3_Config(
        vision_config={
            "model_type": "radio",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "mlp_ratio": 2.0,
            "patch_size": 8,
            "image_size": 32,
            "max_img_size": 64,
            "num_cls_tokens": 1,
            "num_registers": 1,
            "video_temporal_patch_size": 2,
        },
        text_config={
            **text,
            "model_type": "nemotron_h",
            "layers_block_type": ["linear_attention", "moe", "full_attention", "mlp"],
            "head_dim": 8,
            "ssm_state_size": 8,
            "mamba_num_heads": 4,
            "mamba_head_dim": 16,
            "n_groups": 2,
            "chunk_size": 8,
            # A full forward raises time steps to this; a step on the cache does not.
            "time_step_min": 1e-6,
            "n_routed_experts": 4,
            "moe_intermediate_size": 32,
            "moe_shared_expert_intermediate_size": 32,
            "num_experts_per_tok": 2,
        },
        projector_hidden_size=64,
        vision_hidden_size=32,
        **ids(
            tokenizer,
            image_token_id="<image>",
            video_token_id="<video>",
            audio_token_id="<so_embedding>",
        ),
    )
    processor = hf.NemotronH_Omni_Reasoning_V3Processor(
        images,
        videos,
        tokenizer,
        hf.ParakeetFeatureExtractor(),
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.NemotronH_Omni_Reasoning_V3, config, processor)


OMNI = (
    Family("inkling2", True, inkling2, ("torchvision",)),
    Family("inkling_mm_model", True, inkling_mm_model, ("torchvision",)),
    Family("muse_glimmer", True, muse_glimmer, ("torchvision",)),
    Family("muse_spark", True, muse_spark, ("torchvision",)),
    Family("nemotron_h_omni", True, nemotron_h_omni, ("torchvision",)),
)
