"""Tiny models of GLM-V and EXAONE 4.5, whose pictures are grids of patches of any shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_a_parts import (
    GRID_TOWER,
    PATCHES,
    THREE_PARTS,
    WINDOWS,
    build,
    chat,
    ids,
)
from tests.conformance.tokens import text, tokenizer

GLM = chat(
    "<|{{ message['role'] }}|>\n",
    "<|begin_of_image|><|image|><|end_of_image|>",
    "",
    "<|assistant|>\n",
    begin="[gMASK]<sop>",
)
GLM_TOKENS = [
    "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|end_of_image|>",
    "<|begin_of_video|>", "<|end_of_video|>", "<|image|>", "<|video|>",
]  # fmt: skip
# Its sizes count the pixels of two frames, of which a picture is one.
GLM_PATCHES = {**PATCHES, "size": {"shortest_edge": 2 * 16 * 16, "longest_edge": 2 * 24 * 16 * 16}}
GLM_TOWER = {**GRID_TOWER, "image_size": 64}
HALF = {**THREE_PARTS, "partial_rotary_factor": 0.5}


def glm_ids(speaker: Any) -> dict[str, Any]:
    return ids(
        speaker,
        image_token_id="<|image|>",
        video_token_id="<|video|>",
        image_start_token_id="<|begin_of_image|>",
        image_end_token_id="<|end_of_image|>",
        video_start_token_id="<|begin_of_video|>",
        video_end_token_id="<|end_of_video|>",
    )


def glm_processor(version: str) -> Any:
    """The processor of GLM-4.1V (``Glm4v``) or GLM-4.6V (``Glm46V``)."""
    speaker = tokenizer(GLM_TOKENS, GLM)
    images = getattr(hf, f"{version}ImageProcessorPil")(**GLM_PATCHES)
    videos = getattr(hf, f"{version}VideoProcessor")(**GLM_PATCHES)
    return getattr(hf, f"{version}Processor")(images, speaker, videos, chat_template=GLM)


def glm4v(folder: Path) -> None:
    processor = glm_processor("Glm4v")
    speaker = processor.tokenizer
    config = hf.Glm4vConfig(
        text_config=text(num_attention_heads=2, rope_parameters=HALF),
        vision_config=GLM_TOWER,
        **glm_ids(speaker),
    )
    build(folder, hf.Glm4vForConditionalGeneration, config, processor)


def glm4v_moe(folder: Path) -> None:
    """A dense layer, then one of experts."""
    processor = glm_processor("Glm4v")
    speaker = processor.tokenizer
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    config = hf.Glm4vMoeConfig(
        text_config=text(num_attention_heads=2, rope_parameters=HALF, **experts),
        vision_config=GLM_TOWER,
        **glm_ids(speaker),
    )
    build(folder, hf.Glm4vMoeForConditionalGeneration, config, processor)


def glm46v(folder: Path) -> None:
    processor = glm_processor("Glm46V")
    speaker = processor.tokenizer
    config = hf.Glm46VConfig(
        text_config=text(model_type="glm4v_text", num_attention_heads=2, rope_parameters=HALF),
        vision_config={**GLM_TOWER, "model_type": "glm4v_vision"},
        **glm_ids(speaker),
    )
    build(folder, hf.Glm46VForConditionalGeneration, config, processor)


def glm_ocr(folder: Path) -> None:
    processor = glm_processor("Glm46V")
    speaker = processor.tokenizer
    config = hf.GlmOcrConfig(
        text_config=text(num_attention_heads=2, rope_parameters=HALF),
        vision_config=GLM_TOWER,
        **glm_ids(speaker),
    )
    build(folder, hf.GlmOcrForConditionalGeneration, config, processor)


def exaone4_5(folder: Path) -> None:
    """Plain positions behind Qwen2.5-VL's tower; a sliding window under half of the layers."""
    template = chat(
        "<|{{ message['role'] }}|>\n",
        "<vision><|image_pad|></vision>\n",
        "<eos>\n",
        "<|assistant|>\n",
    )
    tokens = [
        "<|user|>",
        "<|assistant|>",
        "<vision>",
        "</vision>",
        "<|image_pad|>",
        "<|video_pad|>",
    ]
    speaker = tokenizer(tokens, template)
    processor = hf.Exaone4_5_Processor(
        hf.Qwen2VLImageProcessorPil(**PATCHES),
        speaker,
        hf.Qwen2VLVideoProcessor(**PATCHES),
        chat_template=template,
    )
    config = hf.Exaone4_5_Config(
        text_config=hf.Exaone4Config(
            **text(),
            sliding_window=24,
            layer_types=["sliding_attention", "full_attention"],
        ),
        vision_config={**GRID_TOWER, **WINDOWS, "num_key_value_heads": 1},
        **ids(speaker, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>"),
    )
    build(folder, hf.Exaone4_5_ForConditionalGeneration, config, processor)


BUILDERS: tuple[Any, ...] = (glm4v, glm4v_moe, glm46v, glm_ocr, exaone4_5)
GLM_FAMILIES = tuple(Family(build.__name__, True, build, ("torchvision",)) for build in BUILDERS)
