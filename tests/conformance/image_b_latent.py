"""Families whose attention keeps latents, or chooses what it attends to."""

from __future__ import annotations

from pathlib import Path

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import (
    LATENT,
    PIXELS,
    TEXT,
    TOWER,
    VISION,
    chat,
    ids,
    save,
    tokens,
)


def kimi_k25(folder: Path) -> None:
    image, video, start, end = (
        "<|media_pad|>",
        "<|kimi_k25_video_placeholder|>",
        "<|media_begin|>",
        "<|media_end|>",
    )
    tokenizer = tokens(
        chat(f"{start}image<|media_content|>{image}{end}\n"),
        image,
        video,
        start,
        end,
        "<|media_content|>",
    )
    images = hf.Kimi_K25ImageProcessor(
        patch_size=8, size={"max_height": 64, "max_width": 64}, max_patches=64
    )
    videos = hf.Kimi_K25VideoProcessor(patch_size=8, size={"max_height": 64, "max_width": 64})
    config = hf.Kimi_K25Config(
        vision_config={**TOWER, "pos_emb_height": 8, "pos_emb_width": 8},
        text_config={
            **TEXT,
            **LATENT,
            "model_type": "deepseek_v3",
            "first_k_dense_replace": 1,
            "num_mtp_layers": 0,
        },
        projection_hidden_size=32,
        tie_word_embeddings=False,
        **ids(
            tokenizer,
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        ),
    )
    processor = hf.Kimi_K25Processor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.Kimi_K25ForConditionalGeneration, config, processor)


def mistral_large4(folder: Path) -> None:
    names = ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]
    tokenizer = tokens(chat("[IMG]"), *names)
    images = hf.PixtralImageProcessorPil(
        patch_size={"height": 16, "width": 16}, size={"longest_edge": 64}
    )
    latent = {name: value for name, value in LATENT.items() if name != "q_lora_rank"}
    config = hf.MistralLarge4Config(
        vision_config={**VISION, "model_type": "pixtral", "image_size": 64, "head_dim": 16},
        text_config={
            **TEXT,
            **latent,
            "model_type": "mistral_large4_text",
            "head_dim": 8,
            "index_topk": 2048,
            "index_head_dim": 16,
            "index_n_heads": 2,
        },
        spatial_merge_size=2,
        **ids(tokenizer, image_token_index="[IMG]"),
    )
    processor = hf.PixtralProcessor(
        images, tokenizer, patch_size=8, spatial_merge_size=2, chat_template=tokenizer.chat_template
    )
    save(folder, hf.MistralLarge4ForConditionalGeneration, config, processor)


def glm5_next(folder: Path) -> None:
    names = {
        "image_start_token_id": "<|begin_of_image|>",
        "image_end_token_id": "<|end_of_image|>",
        "video_start_token_id": "<|begin_of_video|>",
        "video_end_token_id": "<|end_of_video|>",
        "image_token_id": "<|image|>",
        "video_token_id": "<|video|>",
    }
    tokenizer = tokens(chat("<|begin_of_image|><|image|><|end_of_image|>"), *names.values())
    images = hf.Glm5NextImageProcessorPil(patch_size=8, min_image_tokens=1, max_image_tokens=16)
    videos = hf.Glm5NextVideoProcessor(patch_size=8)
    latent = {**LATENT, "qk_rope_head_dim": 0, "qk_nope_head_dim": 16}
    config = hf.Glm5NextConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "out_hidden_size": 32,
            "intermediate_size": 64,
            "projection_intermediate_size": 64,
        },
        text_config={
            **TEXT,
            **latent,
            "layer_types": ["linear_attention", "indexed_attention"],
            "mlp_layer_types": ["dense", "sparse"],
            "index_head_dim": 16,
            "index_n_heads": 2,
            "linear_head_dim": 16,
            "linear_num_heads": 2,
            "hc_mult": 2,
        },
        **ids(tokenizer, **names),
    )
    processor = hf.Glm5NextProcessor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.Glm5NextForConditionalGeneration, config, processor)


def dots3_note(folder: Path) -> None:
    tokenizer = tokens(
        chat("<|img|><|imgpad|><|endofimg|>"),
        "<|img|>",
        "<|endofimg|>",
        "<|imgpad|>",
        "<|video_pad|>",
        "<|audio_comp_pad|>",
    )
    images = hf.Qwen2VLImageProcessorPil(**PIXELS, temporal_patch_size=1)
    videos = hf.Qwen3VLVideoProcessor(patch_size=8)
    latent = {**LATENT, "head_dim": 16}
    sliding = {
        name: value
        for name, value in latent.items()
        if name
        in (
            "num_key_value_heads",
            "q_lora_rank",
            "kv_lora_rank",
            "v_head_dim",
            "qk_nope_head_dim",
            "head_dim",
        )
    }
    config = hf.Dots3NoteConfig(
        vision_config={
            **TOWER,
            "moe_intermediate_size": 32,
            "mlp_layer_types": ["dense", "dense"],
            "adapter_in_dim": 32,
            "adapter_out_dim": 32,
        },
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "downsample_hidden_size": 8,
            "adapter_input_size": 32,
            "adapter_out_dim": 32,
        },
        text_config={
            **TEXT,
            **latent,
            "layer_types": ["sliding_attention", "full_attention"],
            "mlp_layer_types": ["dense", "sparse"],
            "sliding_window": 16,
            "shared_experts_intermediate_size": 32,
            "index_head_dim": 16,
            "index_n_heads": 2,
            "swa_num_attention_heads": 4,
            **{f"swa_{name}": value for name, value in sliding.items()},
        },
        **ids(
            tokenizer,
            image_token_id="<|imgpad|>",
            video_token_id="<|video_pad|>",
            audio_token_id="<|audio_comp_pad|>",
        ),
    )
    processor = hf.Dots3NoteProcessor(
        images,
        tokenizer,
        videos,
        hf.Dots3NoteFeatureExtractor(),
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.Dots3NoteForConditionalGeneration, config, processor)


LATENTS = (
    Family("kimi_k25", True, kimi_k25, ("torchvision",)),
    Family("mistral_large4", True, mistral_large4, ("torchvision",)),
    Family("glm5_next", True, glm5_next, ("torchvision",)),
    Family("dots3_note", True, dots3_note, ("torchvision",)),
)
