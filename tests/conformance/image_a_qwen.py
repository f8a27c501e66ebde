"""Tiny models whose pictures are grids of patches of any shape: Qwen-VL."""

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
    named,
)
from tests.conformance.tokens import BASIC, CHARACTERS, MERGES, text, tokenizer

INTERLEAVED = {**THREE_PARTS, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
QWEN = chat(
    "<|im_start|>{{ message['role'] }}\n",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<eos>\n",
    "<|im_start|>assistant\n",
)
QWEN_TOKENS = [
    "<|im_start|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
LEARNT = {**GRID_TOWER, "num_position_embeddings": 64}
DEEPSTACK = {**LEARNT, "deepstack_visual_indexes": [0]}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}


def qwen_ids(speaker: Any) -> dict[str, Any]:
    return ids(
        speaker,
        image_token_id="<|image_pad|>",
        video_token_id="<|video_pad|>",
        vision_start_token_id="<|vision_start|>",
        vision_end_token_id="<|vision_end|>",
    )


def qwen_processor(kind: Any, video: Any, speaker: Any = None) -> Any:
    speaker = speaker or tokenizer(QWEN_TOKENS, QWEN)
    images = hf.Qwen2VLImageProcessorPil(**PATCHES)
    return kind(images, speaker, video(**PATCHES), chat_template=QWEN)


def qwen2_vl(folder: Path) -> None:
    processor = qwen_processor(hf.Qwen2VLProcessor, hf.Qwen2VLVideoProcessor)
    speaker = processor.tokenizer
    config = hf.Qwen2VLConfig(
        text_config=text(rope_parameters=THREE_PARTS),
        vision_config={
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 8,
        },
        **qwen_ids(speaker),
    )  # fmt: skip
    build(folder, hf.Qwen2VLForConditionalGeneration, config, processor)


def qwen2_5_vl(folder: Path) -> None:
    processor = qwen_processor(hf.Qwen2_5_VLProcessor, hf.Qwen2VLVideoProcessor)
    speaker = processor.tokenizer
    config = hf.Qwen2_5_VLConfig(
        text_config=text(rope_parameters=THREE_PARTS),
        vision_config={**GRID_TOWER, **WINDOWS},
        **qwen_ids(speaker),
    )
    build(folder, hf.Qwen2_5_VLForConditionalGeneration, config, processor)


def qwen3_vl(folder: Path) -> None:
    processor = qwen_processor(hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor)
    speaker = processor.tokenizer
    config = hf.Qwen3VLConfig(
        text_config=text(head_dim=8, rope_parameters=INTERLEAVED),
        vision_config=DEEPSTACK,
        **qwen_ids(speaker),
    )
    build(folder, hf.Qwen3VLForConditionalGeneration, config, processor)


def qwen3_vl_moe(folder: Path) -> None:
    processor = qwen_processor(hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor)
    speaker = processor.tokenizer
    config = hf.Qwen3VLMoeConfig(
        text_config=text(head_dim=8, rope_parameters=INTERLEAVED, **EXPERTS),
        vision_config=DEEPSTACK,
        **qwen_ids(speaker),
    )
    build(folder, hf.Qwen3VLMoeForConditionalGeneration, config, processor)


# Linear attention, then full attention with a rotated quarter of each head.
HYBRID: dict[str, Any] = {
    "head_dim": 32,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "rope_parameters": {**INTERLEAVED, "partial_rotary_factor": 0.25},
}


def byte_level_tokenizer() -> Any:
    """The usual one in Qwen 3.5's class, which rewrites spaces when it is loaded."""
    spelling = str.maketrans({" ": "Ġ", "\n": "Ċ"})
    merges = [(a.translate(spelling), b.translate(spelling)) for a, b in MERGES]
    characters = [character.translate(spelling) for character in CHARACTERS]
    entries = [*BASIC, *QWEN_TOKENS, *characters, *(a + b for a, b in merges)]
    speaker = hf.Qwen3_5Tokenizer(
        vocab={entry: number for number, entry in enumerate(entries)},
        merges=merges,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        extra_special_tokens=QWEN_TOKENS,
    )
    speaker.chat_template = QWEN
    return speaker


def qwen3_5(folder: Path) -> None:
    processor = qwen_processor(
        hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, byte_level_tokenizer()
    )
    speaker = processor.tokenizer
    config = hf.Qwen3_5Config(
        text_config=text(**HYBRID),
        vision_config=LEARNT,
        **qwen_ids(speaker),
    )
    build(folder, hf.Qwen3_5ForConditionalGeneration, config, processor)


def qwen3_5_moe(folder: Path) -> None:
    processor = qwen_processor(
        hf.Qwen3VLProcessor, hf.Qwen3VLVideoProcessor, byte_level_tokenizer()
    )
    speaker = processor.tokenizer
    experts = {**EXPERTS, "shared_expert_intermediate_size": 24}
    config = hf.Qwen3_5MoeConfig(
        text_config=text(**HYBRID, **experts),
        vision_config=LEARNT,
        **qwen_ids(speaker),
    )
    build(folder, hf.Qwen3_5MoeForConditionalGeneration, config, processor)


def qwen2_5_omni_thinker(folder: Path) -> None:
    """The part that reads pictures, sound and text; its forward takes no `logits_to_keep`."""
    names = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    template = chat(
        "<|im_start|>{{ message['role'] }}\n",
        "<|vision_bos|><|IMAGE|><|vision_eos|>",
        "<eos>\n",
        "<|im_start|>assistant\n",
    )
    speaker = named(tokenizer([*names.values(), "<|im_start|>"], template), names)
    processor = hf.Qwen2_5OmniProcessor(
        hf.Qwen2VLImageProcessorPil(**PATCHES),
        hf.Qwen2VLVideoProcessor(**PATCHES),
        hf.WhisperFeatureExtractor(feature_size=16),
        speaker,
        chat_template=template,
    )
    config = hf.Qwen2_5OmniThinkerConfig(
        text_config=text(rope_parameters=THREE_PARTS),
        vision_config={**GRID_TOWER, **WINDOWS},
        audio_config={
            "num_mel_bins": 16, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32, "n_window": 4, "output_dim": 32, "max_source_positions": 32,
        },
        **ids(
            speaker,
            image_token_index="<|IMAGE|>",
            video_token_index="<|VIDEO|>",
            audio_token_index="<|AUDIO|>",
            vision_start_token_id="<|vision_bos|>",
            vision_end_token_id="<|vision_eos|>",
            audio_start_token_id="<|audio_bos|>",
            audio_end_token_id="<|audio_eos|>",
        ),
    )  # fmt: skip
    build(folder, hf.Qwen2_5OmniThinkerForConditionalGeneration, config, processor)


BUILDERS: tuple[Any, ...] = (
    qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_vl_moe, qwen3_5, qwen3_5_moe, qwen2_5_omni_thinker,
)  # fmt: skip
QWEN_FAMILIES = tuple(Family(build.__name__, True, build, ("torchvision",)) for build in BUILDERS)
