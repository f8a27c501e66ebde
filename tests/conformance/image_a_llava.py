"""Tiny models whose pictures are tokens of one tower: LLaVA, its kin, Pixtral, InternVL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from tests.conformance.family import Family
from tests.conformance.image_a_parts import (
    NORMAL,
    SIDE,
    SQUARE,
    TOWER,
    build,
    chat,
    ids,
    named,
)
from tests.conformance.tokens import text, tokenizer

VICUNA = chat(
    "{{ message['role'] | upper }}: ", "<image>\n", " ", "ASSISTANT:", begin="{{ bos_token }}"
)
CHATML = chat(
    "<|im_start|>{{ message['role'] }}\n", "<image>\n", "<eos>\n", "<|im_start|>assistant\n"
)
MISTRAL = chat("[INST]", "[IMG]", "[/INST]", "", begin="{{ bos_token }}")
PINPOINTS = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
CLIP = {"size": SQUARE, "crop_size": SQUARE, **NORMAL}


def llava(folder: Path) -> None:
    speaker = tokenizer(["<image>"], VICUNA)
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessorPil(**CLIP),
        speaker,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA,
    )
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TOWER),
        text_config=hf.LlamaConfig(**text()),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=4,
        **ids(speaker, image_token_index="<image>"),
    )
    build(folder, hf.LlavaForConditionalGeneration, config, processor)


def vipllava(folder: Path) -> None:
    """Features of several layers of the tower, side by side."""
    template = chat("###{{ message['role'] }}: ", "<image>\n", "", "###Assistant:", "<bos>")
    speaker = tokenizer(["<image>"], template)
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessorPil(**CLIP),
        speaker,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    config = hf.VipLlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TOWER),
        text_config=hf.LlamaConfig(**text()),
        vision_feature_layer=[-1, -2],
        image_seq_length=4,
        **ids(speaker, image_token_index="<image>"),
    )
    build(folder, hf.VipLlavaForConditionalGeneration, config, processor)


def llava_next(folder: Path) -> None:
    """Tiles: as many tokens as a picture's shape asks for."""
    speaker = tokenizer(["<image>"], MISTRAL.replace("[IMG]", "<image>\n"))
    images = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE},
        crop_size=SQUARE,
        image_grid_pinpoints=PINPOINTS[1:],
        **NORMAL,
    )
    processor = hf.LlavaNextProcessor(
        images,
        speaker,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=speaker.chat_template,
    )
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**TOWER),
        text_config=hf.MistralConfig(**text(), sliding_window=None),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_grid_pinpoints=PINPOINTS[1:],
        **ids(speaker, image_token_index="<image>"),
    )
    build(folder, hf.LlavaNextForConditionalGeneration, config, processor)


def llava_onevision(folder: Path) -> None:
    """Tiles for the only picture of a prompt; each of several is one tile."""
    speaker = tokenizer(["<image>", "<video>", "<|im_start|>"], CHATML)
    sizes: dict[str, Any] = {"size": SQUARE, **NORMAL}
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessorPil(image_grid_pinpoints=PINPOINTS, **sizes),
        speaker,
        hf.LlavaOnevisionVideoProcessor(**sizes),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=CHATML,
    )
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**TOWER, vision_use_head=False),
        text_config=hf.Qwen2Config(**text()),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_grid_pinpoints=PINPOINTS,
        **ids(speaker, image_token_index="<image>", video_token_index="<video>"),
    )
    build(folder, hf.LlavaOnevisionForConditionalGeneration, config, processor)


PIXTRAL_TOWER = {**TOWER, "image_size": 96}


def pixtral_processor(merge: int) -> Any:
    """Pictures keep their shape: one token for `merge` x `merge` patches, one to end each row."""
    speaker = tokenizer(["[IMG]", "[IMG_BREAK]", "[IMG_END]", "[INST]", "[/INST]"], MISTRAL)
    images = hf.PixtralImageProcessorPil(
        size={"longest_edge": 96 if merge > 1 else 48}, patch_size=8, **NORMAL
    )
    return hf.PixtralProcessor(
        images, speaker, patch_size=8, spatial_merge_size=merge, chat_template=MISTRAL
    )


def llava_pixtral(folder: Path) -> None:
    """LLaVA with Pixtral's tower."""
    processor = pixtral_processor(merge=1)
    speaker = processor.tokenizer
    config = hf.LlavaConfig(
        vision_config=hf.PixtralVisionConfig(**PIXTRAL_TOWER),
        text_config=hf.MistralConfig(**text(), sliding_window=None),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=1,
        **ids(speaker, image_token_index="[IMG]"),
    )
    build(folder, hf.LlavaForConditionalGeneration, config, processor)


def mistral3(folder: Path) -> None:
    processor = pixtral_processor(merge=2)
    speaker = processor.tokenizer
    config = hf.Mistral3Config(
        vision_config=hf.PixtralVisionConfig(**PIXTRAL_TOWER),
        text_config=hf.MistralConfig(**text(), sliding_window=None),
        spatial_merge_size=2,
        tie_word_embeddings=False,
        **ids(speaker, image_token_index="[IMG]"),
    )
    build(folder, hf.Mistral3ForConditionalGeneration, config, processor)


def internvl(folder: Path) -> None:
    """Tiles and a thumbnail, in one row for all pictures of a batch."""
    names = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    template = CHATML.replace("<image>", "<IMG_CONTEXT>")
    speaker = named(tokenizer([*names.values(), "<|im_start|>"], template), names)
    sizes: dict[str, Any] = {"size": SQUARE, **NORMAL}
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessorPil(crop_to_patches=True, min_patches=1, max_patches=3, **sizes),
        speaker,
        hf.InternVLVideoProcessor(**sizes),
        image_seq_length=4,
        chat_template=template,
    )
    config = hf.InternVLConfig(
        vision_config={**TOWER, "image_size": [SIDE, SIDE], "patch_size": [4, 4]},
        text_config=hf.Qwen2Config(**text()),
        image_seq_length=4,
        downsample_ratio=0.5,
        **ids(speaker, image_token_id="<IMG_CONTEXT>"),
    )
    build(folder, hf.InternVLForConditionalGeneration, config, processor)


TORCHVISION = ("torchvision",)
LLAVA_FAMILIES = (
    Family("llava", True, llava),
    Family("llava_next", True, llava_next),
    Family("llava_onevision", True, llava_onevision, TORCHVISION),
    Family("vipllava", True, vipllava),
    Family("llava_pixtral", True, llava_pixtral, TORCHVISION),
    Family("mistral3", True, mistral3, TORCHVISION),
    Family("internvl", True, internvl, TORCHVISION),
)
