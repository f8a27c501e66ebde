"""Families of mixtures of experts and of other new text towers under a reader of patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import TEXT, VISION, chat, ids, save, tokens

SQUARE = {"height": 32, "width": 32}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4, "q_lora_rank": 16, "kv_lora_rank": 12, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "n_group": 1, "topk_group": 1,
}
TOWER: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}


def kimi_k25(folder: Path) -> None:
    image, video, start, end = "<|media_pad|>", "<|kimi_k25_video_placeholder|>", "<|media_begin|>", "<|media_end|>"
    made = tokens(chat(f"{start}image<|media_content|>{image}{end}\n"), image, video, start, end, "<|media_content|>")
    images = hf.Kimi_K25ImageProcessor(patch_size=8, size={"max_height": 64, "max_width": 64}, max_patches=64)
    videos = hf.Kimi_K25VideoProcessor(patch_size=8, size={"max_height": 64, "max_width": 64})
    config = hf.Kimi_K25Config(
        vision_config={**TOWER, "pos_emb_height": 8, "pos_emb_width": 8},
        text_config={**TEXT, **LATENT, "model_type": "deepseek_v3", "first_k_dense_replace": 1, "num_mtp_layers": 0},
        projection_hidden_size=32,
        tie_word_embeddings=False,
        **ids(made, image_token_id=image, video_token_id=video, vision_start_token_id=start, vision_end_token_id=end),
    )
    processor = hf.Kimi_K25Processor(images, made, videos, chat_template=made.chat_template)
    save(folder, hf.Kimi_K25ForConditionalGeneration, config, processor)


def step3p7(folder: Path) -> None:
    names = ["<im_patch>", "<im_start>", "<im_end>", "<patch_start>", "<patch_end>", "<patch_newline>"]
    made = tokens(chat("<im_patch>"), *names)
    images = hf.Step3p7ImageProcessor(size={"height": 64, "width": 64}, patch_size=32, max_image_size=128, vision_patch_size=8, downsampler_stride=4)
    config = hf.Step3p7Config(
        vision_config={**TOWER, "image_size": 64, "mlp_ratio": 2.0, "max_position_embeddings": 64},
        text_config={
            **TEXT, "head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
            "share_expert_dim": 32, "sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"],
            "mlp_layer_types": ["dense", "sparse"],
        },
        **ids(made, image_token_id="<im_patch>"),
    )
    processor = hf.Step3p7Processor(images, made, chat_template=made.chat_template)
    save(folder, hf.Step3p7ForConditionalGeneration, config, processor)


def inkling2(folder: Path) -> None:
    made = tokens(chat("<|unused_200054|>"), "<|unused_200054|>")
    images = hf.Inkling2ImageProcessor(size={"height": 16, "width": 16})
    config = hf.Inkling2Config(
        vision_config={
            **TOWER, "spatial_merge_size": 2, "posemb_grid_size": 8, "projection_hidden_dim": 64, "text_hidden_size": 32,
        },
        text_config={
            **TEXT, "unpadded_vocab_size": TEXT["vocab_size"], "head_dim": 8, "swa_num_attention_heads": 4,
            "swa_num_key_value_heads": 2, "swa_head_dim": 8, "sliding_window_size": 16, "d_rel": 4, "rel_extent": 64,
            "layer_types": ["hybrid_sliding", "hybrid"], "moe_intermediate_size": 32, "n_routed_experts": 4,
            "num_experts_per_tok": 2, "route_scale": 1.0, "n_layers_per_attn_res_block": 1,
        },
        **ids(made, image_token_id="<|unused_200054|>"),
    )
    processor = hf.Inkling2Processor(images, made, chat_template=made.chat_template)
    save(folder, hf.Inkling2ForConditionalGeneration, config, processor)


MUSE = ["<|patch|>", "<|image_start|>", "<|image_end|>", "<|video|>", "<|vid_frame_separator|>", "<|vid_start|>", "<|vid_end|>"]


def muse(kind: str, made: Any, text: dict[str, Any], **other: Any) -> tuple[Any, Any, Any]:
    images = hf.MuseGlimmerImageProcessor(patch_size=8, max_image_tokens=16)
    videos = hf.MuseGlimmerVideoProcessor(patch_size=8)
    config = getattr(hf, f"{kind}Config")(
        vision_config={
            **TOWER, "pos_emb_height": 8, "pos_emb_width": 8, "max_position_embeddings": 64,
            "layer_types": ["window_attention", "full_attention"],
        },
        text_config={
            **TEXT, "head_dim": 8, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"],
            "layer_rope_theta": [10000.0, 0], "output_multiplier": 1.0, **text,
        },
        out_hidden_size=128,
        projector_hidden_size=64,
        **ids(made, image_token_id="<|patch|>", video_token_id="<|video|>"),
        **other,
    )
    return images, videos, config


def muse_glimmer(folder: Path) -> None:
    made = tokens(chat("<|patch|>"), *MUSE)
    images, videos, config = muse("MuseGlimmer", made, {})
    processor = hf.MuseGlimmerProcessor(images, videos, made, chat_template=made.chat_template)
    save(folder, hf.MuseGlimmerForConditionalGeneration, config, processor)


def muse_spark(folder: Path) -> None:
    made = tokens(chat("<|patch|>"), *MUSE, "<|audio|>", "<|soft_audio_start|>", "<|soft_audio_end|>")
    experts = {
        "moe_intermediate_size": 32, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_hidden_size": 32,
        "mlp_layer_types": ["dense", "sparse"],
    }
    sound = {"patch_sizes": [4, 2], "hidden_sizes": [8, 16], "depths": [1, 1], "num_hidden_layers": 2, "out_hidden_size": 32}
    images, videos, config = muse("MuseSpark", made, experts, audio_config=sound, **ids(made, audio_token_id="<|audio|>"))
    processor = hf.MuseSparkProcessor(
        images, videos, made, hf.MuseSparkFeatureExtractor(), chat_template=made.chat_template
    )
    save(folder, hf.MuseSparkForConditionalGeneration, config, processor)


def minimax_m3_vl(folder: Path) -> None:
    image, video = hf.MiniMaxM3VLProcessor.IMAGE_TOKEN, hf.MiniMaxM3VLProcessor.VIDEO_TOKEN
    start, end = hf.MiniMaxM3VLProcessor.VISION_START_TOKEN, hf.MiniMaxM3VLProcessor.VISION_END_TOKEN
    made = tokens(chat(image), image, video, start, end)
    images = hf.MiniMaxM3VLImageProcessor(patch_size=8, min_pixels=16 * 16, max_pixels=64 * 64)
    videos = hf.MiniMaxM3VLVideoProcessor(patch_size=8)
    config = hf.MiniMaxM3VLConfig(
        vision_config={**VISION, "num_attention_heads": 1},
        text_config={
            **TEXT, "head_dim": 16, "rotary_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "dense_intermediate_size": 64,
            "shared_intermediate_size": 32, "intermediate_size": 32, "mlp_layer_types": ["dense", "sparse"],
            "layer_types": ["full_attention", "minimax_m3_sparse"], "index_n_heads": 2, "index_head_dim": 16,
            "index_block_size": 8, "index_topk_blocks": 64, "index_local_blocks": 1,
        },
        projector_hidden_size=64,
        **ids(made, image_token_index=image, video_token_index=video),
    )
    processor = hf.MiniMaxM3VLProcessor(images, made, videos, chat_template=made.chat_template)
    save(folder, hf.MiniMaxM3SparseForConditionalGeneration, config, processor)


def molmo2(folder: Path) -> None:
    names = [
        "<im_start>", "<im_end>", "<im_patch>", "<im_col>", "<low_res_im_start>", "<frame_start>", "<frame_end>", "<im_low>",
    ]
    made = tokens(chat("<|image|>"), *names, image_token="<|image|>", video_token="<|video|>")
    images = hf.Molmo2ImageProcessor(size=SQUARE, max_crops=4, overlap_margins=[1, 1], patch_size=8)
    videos = hf.Molmo2VideoProcessor(size=SQUARE, patch_size=8)
    config = hf.Molmo2Config(
        vision_config={**TOWER, "num_key_value_heads": 2, "head_dim": 16, "image_size": [32, 32], "num_position_embeddings": 16},
        adapter_config={
            "vision_feature_layer": [0, 1], "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
            "intermediate_size": 64, "text_hidden_size": 32,
        },
        text_config={**TEXT, "head_dim": 8, "additional_vocab_size": 16},
        **ids(
            made, image_start_token_id="<im_start>", low_res_image_start_token_id="<low_res_im_start>", image_end_token_id="<im_end>",
            image_patch_id="<im_patch>", frame_start_token_id="<frame_start>", frame_end_token_id="<frame_end>",
        ),
    )
    processor = hf.Molmo2Processor(images, videos, made, chat_template=made.chat_template)
    save(folder, hf.Molmo2ForConditionalGeneration, config, processor)


def mistral_large4(folder: Path) -> None:
    names = ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]
    made = tokens(chat("[IMG]"), *names)
    images = hf.PixtralImageProcessorPil(patch_size={"height": 16, "width": 16}, size={"longest_edge": 64})
    latent = {name: value for name, value in LATENT.items() if name != "q_lora_rank"}
    config = hf.MistralLarge4Config(
        vision_config={**VISION, "model_type": "pixtral", "image_size": 64, "head_dim": 16},
        text_config={
            **TEXT, **latent, "model_type": "mistral_large4_text", "head_dim": 8, "index_topk": 2048, "index_head_dim": 16,
            "index_n_heads": 2,
        },
        spatial_merge_size=2,
        **ids(made, image_token_index="[IMG]"),
    )
    processor = hf.PixtralProcessor(images, made, patch_size=8, spatial_merge_size=2, chat_template=made.chat_template)
    save(folder, hf.MistralLarge4ForConditionalGeneration, config, processor)


EXPERTS = (
    Family("kimi_k25", True, kimi_k25, ("torchvision",)),
    Family("step3p7", True, step3p7, ("torchvision",)),
    Family("inkling2", True, inkling2, ("torchvision",)),
    Family("muse_glimmer", True, muse_glimmer, ("torchvision",)),
    Family("muse_spark", True, muse_spark, ("torchvision",)),
    Family("minimax_m3_vl", True, minimax_m3_vl, ("torchvision",)),
    Family("molmo2", True, molmo2, ("torchvision",)),
    Family("mistral_large4", True, mistral_large4),
)
