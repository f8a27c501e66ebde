"""MiniCPM and the families that cut a picture into slices of its own shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import SQUARE, TEXT, TOWER, VISION, chat, ids, save, tokens

HYBRID: dict[str, Any] = {
    **TEXT,
    "model_type": "qwen3_5_text",
    "head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}


def minicpm(folder: Path, kind: str, images: Any, videos: Any, **names: str) -> None:
    tokenizer = tokens(
        chat("<|image_pad|>\n"),
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        image_start_token="<image>",
        image_end_token="</image>",
        slice_start_token="<slice>",
        slice_end_token="</slice>",
        image_id_start_token="<image_id>",
        image_id_end_token="</image_id>",
    )
    sizes: dict[str, Any] = {
        "patch_size": 8,
        "scale_resolution": 32,
        "max_slice_nums": 4,
        "downsample_mode": "4x",
    }
    config = getattr(hf, f"{kind}Config")(
        vision_config=VISION,
        text_config=HYBRID,
        insert_layer_id=0,
        downsample_mode="4x",
        **ids(tokenizer, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>", **names),
    )
    processor = getattr(hf, f"{kind}Processor")(
        images(**sizes), videos(**sizes), tokenizer, chat_template=tokenizer.chat_template
    )
    save(folder, getattr(hf, f"{kind}ForConditionalGeneration"), config, processor)


def minicpmv4_6(folder: Path) -> None:
    images, videos = hf.MiniCPMV4_6ImageProcessorPil, hf.MiniCPMV4_6VideoProcessor
    minicpm(folder, "MiniCPMV4_6", images, videos)


def minicpmv4_7(folder: Path) -> None:
    minicpm(
        folder,
        "MiniCPMV4_7",
        hf.MiniCPMV4_6ImageProcessorPil,
        hf.MiniCPMV4_6VideoProcessor,
        image_start_id="<image>",
        image_end_id="</image>",
        slice_start_id="<slice>",
        slice_end_id="</slice>",
        newline_id="\n",
    )


def minicpm_ocr(folder: Path) -> None:
    images, videos = hf.MiniCPMOcrImageProcessor, hf.MiniCPMOcrVideoProcessor
    minicpm(folder, "MiniCPMOcr", images, videos)


def molmo2(folder: Path) -> None:
    names = [
        "<im_start>",
        "<im_end>",
        "<im_patch>",
        "<im_col>",
        "<low_res_im_start>",
        "<frame_start>",
        "<frame_end>",
        "<im_low>",
    ]
    tokenizer = tokens(chat("<|image|>"), *names, image_token="<|image|>", video_token="<|video|>")
    images = hf.Molmo2ImageProcessor(size=SQUARE, max_crops=4, overlap_margins=[1, 1], patch_size=8)
    videos = hf.Molmo2VideoProcessor(size=SQUARE, patch_size=8)
    config = hf.Molmo2Config(
        vision_config={
            **TOWER,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "image_size": [32, 32],
            "num_position_embeddings": 16,
        },
        adapter_config={
            "vision_feature_layer": [0, 1],
            "hidden_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 64,
            "text_hidden_size": 32,
        },
        text_config={**TEXT, "head_dim": 8, "additional_vocab_size": 16},
        **ids(
            tokenizer,
            image_start_token_id="<im_start>",
            low_res_image_start_token_id="<low_res_im_start>",
            image_end_token_id="<im_end>",
            image_patch_id="<im_patch>",
            frame_start_token_id="<frame_start>",
            frame_end_token_id="<frame_end>",
        ),
    )
    processor = hf.Molmo2Processor(images, videos, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Molmo2ForConditionalGeneration, config, processor)


def step3p7(folder: Path) -> None:
    names = [
        "<im_patch>",
        "<im_start>",
        "<im_end>",
        "<patch_start>",
        "<patch_end>",
        "<patch_newline>",
    ]
    tokenizer = tokens(chat("<im_patch>"), *names)
    images = hf.Step3p7ImageProcessor(
        size={"height": 64, "width": 64},
        patch_size=32,
        max_image_size=128,
        vision_patch_size=8,
        downsampler_stride=4,
    )
    config = hf.Step3p7Config(
        vision_config={**TOWER, "image_size": 64, "mlp_ratio": 2.0, "max_position_embeddings": 64},
        text_config={
            **TEXT,
            "head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "share_expert_dim": 32,
            "sliding_window": 16,
            "layer_types": ["full_attention", "sliding_attention"],
            "mlp_layer_types": ["dense", "sparse"],
        },
        **ids(tokenizer, image_token_id="<im_patch>"),
    )
    processor = hf.Step3p7Processor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Step3p7ForConditionalGeneration, config, processor)


def granite4_vision(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>")
    grid = [[32, 64], [64, 32], [64, 64]]
    images = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_size=SQUARE, image_grid_pinpoints=grid
    )
    config = hf.Granite4VisionConfig(
        vision_config={
            **VISION,
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            "hidden_size": 64,
        },
        qformer_config={
            "model_type": "blip_2_qformer",
            "num_hidden_layers": 1,
            "intermediate_size": 64,
            "cross_attention_frequency": 1,
            "vocab_size": 8,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        text_config={**TEXT, "attention_multiplier": 0.35},
        image_grid_pinpoints=grid,
        image_seq_length=4,
        downsample_rate="1/2",
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        deepstack_layer_map=[[0, 0]],
        spatial_vision_layer=-1,
        spatial_target_layers=[1],
        **ids(tokenizer, image_token_index="<image>"),
    )
    processor = hf.Granite4VisionProcessor(
        images,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="full",
        downsample_rate="1/2",
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.Granite4VisionForConditionalGeneration, config, processor)


SLICES = (
    Family("granite4_vision", True, granite4_vision),
    Family("minicpmv4_6", True, minicpmv4_6, ("torchvision",)),
    Family("minicpmv4_7", True, minicpmv4_7, ("torchvision",)),
    Family("minicpm_ocr", True, minicpm_ocr, ("torchvision",)),
    Family("molmo2", True, molmo2, ("torchvision",)),
    Family("step3p7", True, step3p7, ("torchvision",)),
)
