"""Families made for pages: readers of documents."""

from __future__ import annotations

from pathlib import Path

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import SQUARE, TEXT, VISION, chat, ids, save, tokens


def paddleocr_vl(folder: Path) -> None:
    start, end = "<|IMAGE_START|>", "<|IMAGE_END|>"
    tokenizer = tokens(
        chat(f"{start}<|IMAGE_PLACEHOLDER|>{end}"),
        start,
        end,
        "<|video_pad|>",
        image_token="<|IMAGE_PLACEHOLDER|>",
    )
    images = hf.PaddleOCRVLImageProcessorPil(patch_size=8, min_pixels=16 * 16, max_pixels=64 * 64)
    config = hf.PaddleOCRVLConfig(
        vision_config=VISION,
        text_config={
            **TEXT,
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
            },
        },
        **ids(
            tokenizer,
            image_token_id="<|IMAGE_PLACEHOLDER|>",
            video_token_id="<|video_pad|>",
            vision_start_token_id=start,
            vision_end_token_id=end,
        ),
    )
    processor = hf.PaddleOCRVLProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.PaddleOCRVLForConditionalGeneration, config, processor)


def lighton_ocr(folder: Path) -> None:
    tokenizer = tokens(
        chat("<|image_pad|>"),
        image_token="<|image_pad|>",
        image_break_token="<|vision_pad|>",
        image_end_token="<|vision_end|>",
    )
    images = hf.PixtralImageProcessorPil(
        patch_size={"height": 16, "width": 16}, size={"longest_edge": 64}
    )
    config = hf.LightOnOcrConfig(
        vision_config={**VISION, "model_type": "pixtral", "image_size": 64, "head_dim": 16},
        text_config={**TEXT, "model_type": "qwen3", "head_dim": 8},
        spatial_merge_size=2,
        **ids(tokenizer, image_token_id="<|image_pad|>"),
    )
    processor = hf.LightOnOcrProcessor(
        images, tokenizer, patch_size=8, spatial_merge_size=2, chat_template=tokenizer.chat_template
    )
    save(folder, hf.LightOnOcrForConditionalGeneration, config, processor)


def qianfan_ocr(folder: Path) -> None:
    tokenizer = tokens(
        chat("<image>\n"),
        "<image>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
    )
    images = hf.GotOcr2ImageProcessorPil(size=SQUARE, max_patches=4, crop_to_patches=True)
    config = hf.QianfanOCRConfig(
        vision_config={**VISION, "drop_path_rate": 0.0},
        text_config={**TEXT, "model_type": "qwen3", "head_dim": 8},
        image_seq_length=4,
        **ids(tokenizer, image_token_id="<IMG_CONTEXT>"),
    )
    processor = hf.QianfanOCRProcessor(
        images, tokenizer, image_seq_length=4, chat_template=tokenizer.chat_template
    )
    save(folder, hf.QianfanOCRForConditionalGeneration, config, processor)


def granite_docling(folder: Path) -> None:
    cells = [f"<row_{row}_col_{col}>" for row in range(1, 5) for col in range(1, 5)]
    tokenizer = tokens(
        chat("<image>"), "<fake_token_around_image>", "<global-img>", *cells, image_token="<image>"
    )
    images = hf.GraniteDoclingImageProcessorPil(size=SQUARE, max_patches=4)
    config = hf.GraniteDoclingConfig(
        vision_config={
            **VISION,
            "out_hidden_size": 32,
            "scale_factor": 2,
            "deepstack_visual_indexes": [0],
            "use_fine_route": False,
        },
        text_config={
            **TEXT,
            "attention_multiplier": 0.35,
            "embedding_multiplier": 1.0,
            "logits_scaling": 1.0,
            "residual_multiplier": 1.0,
        },
        pad_token_id=0,
        **ids(tokenizer, image_token_id="<image>"),
    )
    processor = hf.GraniteDoclingProcessor(
        images, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template
    )
    save(folder, hf.GraniteDoclingForConditionalGeneration, config, processor)


def deepseek_ocr2(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>")
    # The model asks 256 questions of a page and 144 of a tile, whatever its sizes.
    images = hf.DeepseekOcr2ImageProcessorPil(size={"height": 128, "width": 128}, tile_size=96)
    config = hf.DeepseekOcr2Config(
        vision_config={
            "sam_config": {
                "hidden_size": 16,
                "output_channels": 8,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": 128,
                "patch_size": 2,
                "window_size": 8,
                "global_attn_indexes": [],
                "mlp_dim": 32,
                "downsample_channels": [16, 32],
            },
            "encoder_config": {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "vocab_size": 8,
            },
        },
        text_config={
            **TEXT,
            "n_routed_experts": 4,
            "n_shared_experts": 1,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "mlp_layer_types": ["dense", "sparse"],
        },
        **ids(tokenizer, image_token_id="<image>"),
    )
    processor = hf.DeepseekOcr2Processor(
        images, tokenizer, chat_template=tokenizer.chat_template, patch_size=2, downsample_ratio=4
    )
    save(folder, hf.DeepseekOcr2ForConditionalGeneration, config, processor)


def unlimited_ocr(folder: Path) -> None:
    tokenizer = tokens(chat("<image>\n"), image_token="<image>")
    images = hf.UnlimitedOcrImageProcessor(
        size={"height": 64, "width": 64}, tile_size=32, max_patches=4
    )
    config = hf.UnlimitedOcrConfig(
        vision_config={
            "sam_config": {
                "hidden_size": 16,
                "output_channels": 8,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": 64,
                "patch_size": 4,
                "window_size": 4,
                "global_attn_indexes": [1],
                "mlp_dim": 32,
                "downsample_channels": [16, 32],
            },
            "encoder_config": {**VISION, "image_size": 64, "patch_size": 16},
        },
        text_config={
            **TEXT,
            "n_routed_experts": 4,
            "n_shared_experts": 1,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "mlp_layer_types": ["dense", "sparse"],
            "sliding_window": 8,
        },
        **ids(tokenizer, image_token_id="<image>"),
    )
    processor = hf.UnlimitedOcrProcessor(
        images, tokenizer, chat_template=tokenizer.chat_template, patch_size=4, downsample_ratio=4
    )
    save(folder, hf.UnlimitedOcrForConditionalGeneration, config, processor)


def hunyuan_vl(folder: Path) -> None:
    start, end = "<|im_start|>", "<|im_end|>"
    tokenizer = tokens(
        chat(f"{start}<|image|>{end}"),
        "<|im_newline|>",
        image_token="<|image|>",
        image_start_token=start,
        image_end_token=end,
    )
    images = hf.HunYuanVLImageProcessorPil(patch_size=8, min_pixels=16 * 16, max_pixels=64 * 64)
    config = hf.HunYuanVLConfig(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 8,
            "max_image_size": 64,
            "min_image_size": 16,
            "max_vit_seq_len": 256,
        },
        text_config={
            **TEXT,
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [1, 1, 1, 1],
            },
        },
        **ids(
            tokenizer,
            image_token_id="<|image|>",
            im_start_id=start,
            im_end_id=end,
            im_newline_id="<|im_newline|>",
        ),
    )
    processor = hf.HunYuanVLProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.HunYuanVLForConditionalGeneration, config, processor)


PAGES = (
    Family("paddleocr_vl", True, paddleocr_vl),
    Family("lighton_ocr", True, lighton_ocr),
    Family("qianfan_ocr", True, qianfan_ocr),
    Family("granite_docling", True, granite_docling),
    Family("deepseek_ocr2", True, deepseek_ocr2),
    Family("unlimited_ocr", True, unlimited_ocr, ("torchvision",)),
    Family("hunyuan_vl", True, hunyuan_vl),
)
