"""Tiny random models of many families, each with the inputs of two prompts of unequal length.

``FAMILIES[name]()`` gives (model, inputs): float32, a wide spread of logits, prompts padded on the
left, several images where the family takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

VOCABULARY = 160
IMAGE, VIDEO, START, END = 150, 151, 152, 153
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    # A wide spread of logits, so that a wrong position or mask moves them far.
    "initializer_range": 0.2,
}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}


def prompts(images: list[int], each: int, *, wrap: bool = False) -> dict[str, Tensor]:
    """One prompt per number of images, ``each`` placeholder tokens an image, left-padded."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for row, count in enumerate(images):
        image = [START, *[IMAGE] * each, END] if wrap else [IMAGE] * each
        text = torch.randint(10, 140, (4 + 3 * row,), generator=generator).tolist()
        rows.append([1, *image * count, *text])
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def pixels(count: int, size: int = 16) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def built(kind: Any, config: Any) -> Any:
    torch.manual_seed(0)
    return kind(config).eval()


def llama() -> tuple[Any, dict[str, Tensor]]:
    from transformers import LlamaConfig, LlamaForCausalLM

    return built(LlamaForCausalLM, LlamaConfig(**TEXT)), prompts([0, 0], 0)


def qwen3() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return built(Qwen3ForCausalLM, Qwen3Config(**TEXT, head_dim=16)), prompts([0, 0], 0)


def llava() -> tuple[Any, dict[str, Tensor]]:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=LlamaConfig(**TEXT),
        image_token_index=IMAGE,
        vision_feature_layer=-1,
    )
    inputs = prompts([1, 2], 4)
    return built(LlavaForConditionalGeneration, config), {**inputs, "pixel_values": pixels(3)}


def llava_next() -> tuple[Any, dict[str, Tensor]]:
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
    )

    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=LlamaConfig(**TEXT),
        image_token_index=IMAGE,
        vision_feature_layer=-1,
        image_grid_pinpoints=[[16, 32], [32, 16]],
    )
    # Two patches beside the whole: 4 tokens of the base, 4 x 2 and a newline at each of 2 rows.
    tiles = torch.stack([pixels(3), pixels(3) + 0.1, pixels(3) - 0.2])
    sizes = torch.tensor([[16, 32]] * 3)
    inputs = prompts([1, 2], 4 + 2 * 5)
    return built(LlavaNextForConditionalGeneration, config), {
        **inputs,
        "pixel_values": tiles,
        "image_sizes": sizes,
    }


def llava_onevision() -> tuple[Any, dict[str, Tensor]]:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        Qwen2Config,
        SiglipVisionConfig,
    )

    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**VISION, vision_use_head=False),
        text_config=Qwen2Config(**TEXT),
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        vision_feature_layer=-1,
        image_grid_pinpoints=[[16, 16], [16, 32], [32, 16]],
    )
    tiles = torch.stack([pixels(3), pixels(3) + 0.1])
    sizes = torch.tensor([[16, 32]] * 2)
    inputs = prompts([1, 1], 4 + 2 * 5)
    return built(LlavaOnevisionForConditionalGeneration, config), {
        **inputs,
        "pixel_values": tiles,
        "image_sizes": sizes,
    }


def qwen_images(inputs: dict[str, Tensor], count: int, width: int) -> dict[str, Tensor]:
    grid = torch.tensor([[1, 4, 4]] * count)
    values = torch.randn(16 * count, width, generator=torch.Generator().manual_seed(1))
    kinds = (inputs["input_ids"] == IMAGE).long()
    return {**inputs, "pixel_values": values, "image_grid_thw": grid, "mm_token_type_ids": kinds}


THREE_PARTS = {"rope_type": "default", "mrope_section": [1, 1, 2]}
QWEN_TOKENS = {
    "image_token_id": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": START,
    "vision_end_token_id": END,
}


def qwen2_vl() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    config = Qwen2VLConfig(
        text_config={**TEXT, "rope_parameters": THREE_PARTS},
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 4,
        },
        **QWEN_TOKENS,
    )  # fmt: skip
    inputs = qwen_images(prompts([1, 2], 4, wrap=True), 3, 3 * 2 * 16)
    return built(Qwen2VLForConditionalGeneration, config), inputs


def qwen2_5_vl() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": THREE_PARTS},
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "patch_size": 4,
            "intermediate_size": 48, "fullatt_block_indexes": [1], "window_size": 16,
        },
        **QWEN_TOKENS,
    )  # fmt: skip
    inputs = qwen_images(prompts([1, 2], 4, wrap=True), 3, 3 * 2 * 16)
    return built(Qwen2_5_VLForConditionalGeneration, config), inputs


def qwen3_vl() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    config = Qwen3VLConfig(
        text_config={
            **TEXT,
            "head_dim": 8,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "patch_size": 4,
            "intermediate_size": 48, "deepstack_visual_indexes": [0],
            "num_position_embeddings": 64,
        },
        **QWEN_TOKENS,
    )  # fmt: skip
    inputs = qwen_images(prompts([1, 2], 4, wrap=True), 3, 3 * 2 * 16)
    return built(Qwen3VLForConditionalGeneration, config), inputs


def idefics3() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, LlamaConfig

    config = Idefics3Config(
        vision_config=VISION,
        text_config=LlamaConfig(**TEXT),
        image_token_id=IMAGE,
        scale_factor=1,
        pad_token_id=0,
    )
    inputs = prompts([2, 2], 4)
    values = pixels(4).view(2, 2, 3, 16, 16)
    return built(Idefics3ForConditionalGeneration, config), {**inputs, "pixel_values": values}


def smolvlm() -> tuple[Any, dict[str, Tensor]]:
    from transformers import LlamaConfig, SmolVLMConfig, SmolVLMForConditionalGeneration

    config = SmolVLMConfig(
        vision_config=VISION,
        text_config=LlamaConfig(**TEXT),
        image_token_id=IMAGE,
        scale_factor=1,
        pad_token_id=0,
    )
    inputs = prompts([2, 2], 4)
    values = pixels(4).view(2, 2, 3, 16, 16)
    return built(SmolVLMForConditionalGeneration, config), {**inputs, "pixel_values": values}


def gemma3() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    config = Gemma3Config(
        text_config={
            **TEXT,
            "head_dim": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 6,
        },
        vision_config=VISION,
        image_token_index=IMAGE,
        boi_token_index=START,
        eoi_token_index=END,
        mm_tokens_per_image=4,
    )
    inputs = prompts([1, 2], 4, wrap=True)
    kinds = (inputs["input_ids"] == IMAGE).long()
    return built(Gemma3ForConditionalGeneration, config), {
        **inputs,
        "token_type_ids": kinds,
        "pixel_values": pixels(3),
    }


def internvl() -> tuple[Any, dict[str, Tensor]]:
    from transformers import InternVLConfig, InternVLForConditionalGeneration, Qwen2Config

    config = InternVLConfig(
        vision_config={**VISION, "image_size": [16, 16], "patch_size": [4, 4]},
        text_config=Qwen2Config(**TEXT),
        image_token_id=IMAGE,
        downsample_ratio=0.5,
    )
    inputs = prompts([1, 2], 4, wrap=True)
    return built(InternVLForConditionalGeneration, config), {**inputs, "pixel_values": pixels(3)}


FAMILIES: dict[str, Callable[[], tuple[Any, dict[str, Tensor]]]] = {
    make.__name__: make
    for make in (
        llama, qwen3, llava, llava_next, llava_onevision, qwen2_vl, qwen2_5_vl, qwen3_vl, idefics3,
        smolvlm, gemma3, internvl,
    )
}  # fmt: skip


def lfm2() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Lfm2Config, Lfm2ForCausalLM

    kinds = ["conv", "full_attention"]
    return built(Lfm2ForCausalLM, Lfm2Config(**TEXT, layer_types=kinds)), prompts([0, 0], 0)


def mamba() -> tuple[Any, dict[str, Tensor]]:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        hidden_size=32, num_hidden_layers=2, vocab_size=VOCABULARY, state_size=4,
        initializer_range=0.2,
    )  # fmt: skip
    return built(MambaForCausalLM, config), prompts([0, 0], 0)


def qwen3_next() -> tuple[Any, dict[str, Tensor]]:
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    config = Qwen3NextConfig(
        **TEXT, head_dim=16, layer_types=["linear_attention", "full_attention"],
        linear_num_value_heads=2, linear_num_key_heads=2, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    )  # fmt: skip
    return built(Qwen3NextForCausalLM, config), prompts([0, 0], 0)


def gemma2() -> tuple[Any, dict[str, Tensor]]:
    """Scores through tanh."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        **TEXT, head_dim=8, layer_types=["full_attention"] * 2, attn_implementation="eager"
    )
    return built(Gemma2ForCausalLM, config), prompts([0, 0], 0)


def gpt_oss() -> tuple[Any, dict[str, Tensor]]:
    """Attention with a sink."""
    from transformers import GptOssConfig, GptOssForCausalLM

    config = GptOssConfig(
        **TEXT, head_dim=8, layer_types=["full_attention"] * 2, num_local_experts=2,
        num_experts_per_tok=1, attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
    )  # fmt: skip
    return built(GptOssForCausalLM, config), prompts([0, 0], 0)


# What the shared way must not be taken for.
OTHERS = {make.__name__: make for make in (lfm2, mamba, qwen3_next, gemma2, gpt_oss)}
