"""Families whose picture becomes the same number of tokens, whatever its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_b_parts import SQUARE, TEXT, VISION, chat, ids, save, tokens

OPT: dict[str, Any] = {**TEXT, "model_type": "opt", "ffn_dim": 64, "word_embed_proj_dim": 32}
QFORMER: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def kosmos_2(folder: Path) -> None:
    # Its processor puts the picture's 64 tokens in front: ids that begin after the unknown token.
    tokenizer = tokens(None)
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    processor = hf.Kosmos2Processor(images, tokenizer, num_patch_index_tokens=4)
    config = hf.Kosmos2Config(
        vision_config=VISION,
        text_config={
            "vocab_size": len(tokenizer),
            "embed_dim": 32,
            "layers": 2,
            "ffn_dim": 64,
            "attention_heads": 4,
            "max_position_embeddings": 1024,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "dropout": 0.0,
            "attention_dropout": 0.0,
        },
        latent_query_num=64,
    )
    save(folder, hf.Kosmos2ForConditionalGeneration, config, processor)


def git(folder: Path) -> None:
    # No placeholder: the model itself puts the picture in front of the text.
    tokenizer = tokens(None)
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    text = {name: value for name, value in TEXT.items() if name != "num_key_value_heads"}
    config = hf.GitConfig(
        vision_config=VISION, **text, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    save(folder, hf.GitForCausalLM, config, hf.GitProcessor(images, tokenizer))


def blip_2(folder: Path) -> None:
    # Its processor puts the picture's tokens in front of the text.
    tokenizer = tokens(None, "<image>")
    images = hf.BlipImageProcessorPil(size=SQUARE)
    processor = hf.Blip2Processor(images, tokenizer, num_query_tokens=4)
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config=QFORMER,
        text_config=OPT,
        num_query_tokens=4,
        **ids(tokenizer, image_token_index="<image>"),
    )
    save(folder, hf.Blip2ForConditionalGeneration, config, processor)


def instructblip(folder: Path) -> None:
    # As BLIP-2; the question is read a second time, by the tokenizer of the query transformer.
    tokenizer = tokens(None, "<image>")
    images = hf.BlipImageProcessorPil(size=SQUARE)
    reader = tokens(None, "<image>")
    processor = hf.InstructBlipProcessor(images, tokenizer, reader, num_query_tokens=4)
    config = hf.InstructBlipConfig(
        vision_config=VISION,
        qformer_config=QFORMER,
        text_config=OPT,
        num_query_tokens=4,
        **ids(tokenizer, image_token_index="<image>"),
    )
    save(folder, hf.InstructBlipForConditionalGeneration, config, processor)


def ovis2(folder: Path) -> None:
    names = ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"]
    tokenizer = tokens(chat("<image>\n"), "<image>", "<IMG_ATOM>", *names)
    images = hf.Ovis2ImageProcessorPil(size=SQUARE, crop_to_patches=True, max_patches=4)
    config = hf.Ovis2Config(
        vision_config={
            **VISION,
            "vocab_size": 64,
            "hidden_stride": 2,
            "num_visual_indicator_tokens": 5,
        },
        text_config={**TEXT, "model_type": "qwen2"},
        vocab_size=TEXT["vocab_size"],
        hidden_size=TEXT["hidden_size"],
        visual_indicator_token_ids=[tokenizer.convert_tokens_to_ids(name) for name in names],
        **ids(tokenizer, image_token_id="<IMG_ATOM>"),
    )
    processor = hf.Ovis2Processor(
        images, tokenizer, chat_template=tokenizer.chat_template, image_seq_length=4
    )
    save(folder, hf.Ovis2ForConditionalGeneration, config, processor)


def deepseek_vl(folder: Path) -> None:
    tokenizer = tokens(chat("<image_placeholder>"), image_token="<image_placeholder>")
    config = hf.DeepseekVLConfig(
        vision_config={**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**TEXT, "model_type": "llama"},
        **ids(tokenizer, image_token_id="<image_placeholder>"),
    )
    processor = hf.DeepseekVLProcessor(
        hf.DeepseekVLImageProcessorPil(size=SQUARE),
        tokenizer,
        chat_template=tokenizer.chat_template,
        num_image_tokens=16,
    )
    save(folder, hf.DeepseekVLForConditionalGeneration, config, processor)


def deepseek_vl_hybrid(folder: Path) -> None:
    tokenizer = tokens(chat("<image_placeholder>"), image_token="<image_placeholder>")
    config = hf.DeepseekVLHybridConfig(
        vision_config={**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        high_res_vision_config={
            "model_type": "sam_vision_model",
            "hidden_size": 32,
            "output_channels": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "window_size": 4,
            "global_attn_indexes": [1],
            "mlp_dim": 64,
        },
        text_config={**TEXT, "model_type": "llama"},
        **ids(tokenizer, image_token_id="<image_placeholder>"),
    )
    images = hf.DeepseekVLHybridImageProcessorPil(
        size=SQUARE, high_res_size={"height": 64, "width": 64}
    )
    processor = hf.DeepseekVLHybridProcessor(
        images, tokenizer, chat_template=tokenizer.chat_template, num_image_tokens=16
    )
    save(folder, hf.DeepseekVLHybridForConditionalGeneration, config, processor)


def janus(folder: Path) -> None:
    tokenizer = tokens(
        chat("<image_placeholder>\n"),
        image_token="<image_placeholder>",
        boi_token="<begin_of_image>",
        eoi_token="<end_of_image>",
    )
    vision = {name: value for name, value in VISION.items() if name != "intermediate_size"}
    config = hf.JanusConfig(
        vision_config={**vision, "mlp_ratio": 2.0, "projection_dim": 32, "num_image_tokens": 16},
        vq_config={
            "num_embeddings": 16,
            "latent_channels": 8,
            "base_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "projection_dim": 32,
            "image_token_embed_dim": 32,
        },
        text_config={**TEXT, "model_type": "llama"},
        **ids(tokenizer, image_token_id="<image_placeholder>"),
    )
    processor = hf.JanusProcessor(
        hf.JanusImageProcessorPil(size=SQUARE),
        tokenizer,
        chat_template=tokenizer.chat_template,
        num_image_tokens=16,
    )
    save(folder, hf.JanusForConditionalGeneration, config, processor)


def aria(folder: Path) -> None:
    # Its processor always asks for 980 pixels: 7 x 7 patches of 140.
    tokenizer = tokens(
        chat("<fim_prefix><|img|><fim_suffix>"),
        "<fim_prefix>",
        "<fim_suffix>",
        image_token="<|img|>",
    )
    config = hf.AriaConfig(
        vision_config={
            **VISION,
            "model_type": "idefics3_vision",
            "image_size": 980,
            "patch_size": 140,
        },
        text_config={**TEXT, "moe_num_experts": 4, "moe_topk": 2, "moe_num_shared_experts": 1},
        projector_patch_to_query_dict={49: 8},
        **ids(tokenizer, image_token_index="<|img|>"),
    )
    images = hf.AriaImageProcessorPil()
    processor = hf.AriaProcessor(
        images, tokenizer, chat_template=tokenizer.chat_template, size_conversion={980: 8}
    )
    save(folder, hf.AriaForConditionalGeneration, config, processor)


def perception_lm(folder: Path) -> None:
    tokenizer = tokens(chat("<|image|>"), image_token="<|image|>", video_token="<|video|>")
    config = hf.PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "model_args": {
                "embed_dim": 32,
                "depth": 2,
                "num_heads": 2,
                "img_size": [32, 32],
                "patch_size": 8,
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
                "ref_feat_shape": [4, 4],
            },
        },
        text_config={**TEXT, "model_type": "llama"},
        projector_pooling_ratio=2,
        **ids(tokenizer, image_token_id="<|image|>", video_token_id="<|video|>"),
    )
    images = hf.PerceptionLMImageProcessor(tile_size=32, max_num_tiles=4, size=SQUARE)
    videos = hf.PerceptionLMVideoProcessor(size=SQUARE)
    processor = hf.PerceptionLMProcessor(
        videos,
        images,
        tokenizer,
        patch_size=8,
        pooling_ratio=2,
        chat_template=tokenizer.chat_template,
    )
    save(folder, hf.PerceptionLMForConditionalGeneration, config, processor)


QUERIES = (
    Family("kosmos-2", True, kosmos_2),
    Family("git", True, git),
    Family("blip-2", True, blip_2),
    Family("instructblip", True, instructblip),
    Family("ovis2", True, ovis2),
    Family("deepseek_vl", True, deepseek_vl),
    Family("deepseek_vl_hybrid", True, deepseek_vl_hybrid),
    Family("janus", True, janus),
    Family("aria", True, aria),
    Family("perception_lm", True, perception_lm, ("torchvision", "timm")),
)
