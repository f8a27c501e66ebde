"""Families that read a picture as patches of any number, or as codes of a codebook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import transformers as hf
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

from tests.conformance.family import Family
from tests.conformance.image_b_parts import TEXT, VISION, chat, ids, save, tokens


def video_llama_3(folder: Path) -> None:
    tokenizer = tokens(chat("<|image_pad|>\n"), "<|image_pad|>", "<|video_pad|>")
    sizes: dict[str, Any] = {
        "patch_size": 8,
        "merge_size": 2,
        "min_pixels": 16 * 16,
        "max_pixels": 64 * 64,
    }
    images = hf.VideoLlama3ImageProcessorPil(**sizes)
    videos = hf.VideoLlama3VideoProcessor(**sizes)
    config = hf.VideoLlama3Config(
        vision_config={**VISION, "model_type": "video_llama_3_vision"},
        text_config={**TEXT, "model_type": "qwen2"},
        **ids(tokenizer, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>"),
    )
    processor = hf.VideoLlama3Processor(
        images, tokenizer, videos, chat_template=tokenizer.chat_template
    )
    save(folder, hf.VideoLlama3ForConditionalGeneration, config, processor)


def lfm3_vl(folder: Path) -> None:
    names = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = tokens(chat("<|vision_start|><|image_pad|><|vision_end|>"), *names)
    sizes: dict[str, Any] = {"patch_size": 8, "min_pixels": 16 * 16, "max_pixels": 64 * 64}
    images = hf.Qwen2VLImageProcessorPil(**sizes)
    videos = hf.Qwen3VLVideoProcessor(patch_size=8)
    config = hf.Lfm3VlConfig(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "patch_size": 8,
            "layer_types": ["conv", "full_attention"],
        },
        text_config={
            **TEXT,
            "model_type": "lfm3",
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 16,
            "layer_types": ["conv", "sliding_attention", "full_attention"],
        },
        projector_hidden_size=64,
        **ids(
            tokenizer,
            image_token_id=names[0],
            video_token_id=names[1],
            vision_start_token_id=names[2],
            vision_end_token_id=names[3],
        ),
    )
    processor = hf.Lfm3VlProcessor(images, tokenizer, videos, chat_template=tokenizer.chat_template)
    save(folder, hf.Lfm3VlForConditionalGeneration, config, processor)


def chameleon(folder: Path) -> None:
    # It has no chat template; its processor ends every prompt with the separator.
    codes = [f"IMGIMG{letter}Z" for letter in "ABCDEFGHIJ"]
    tokenizer = tokens(None, "<image>", "<racm3:break>", "<eoss>", "<sep>", *codes)
    tokenizer.sep_token = "<sep>"
    images = hf.ChameleonImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    config = hf.ChameleonConfig(
        **TEXT,
        vq_config={
            "embed_dim": 8,
            "num_embeddings": len(codes),
            "latent_channels": 8,
            "resolution": 16,
            "base_channels": 32,
            "channel_multiplier": [1, 2],
            "num_res_blocks": 1,
        },
        vocabulary_map=ids(tokenizer, **{name: name for name in ["<image>", *codes]}),
    )
    # Half the side of 16 pixels: 64 codes.
    processor = hf.ChameleonProcessor(images, tokenizer, image_seq_length=64)
    save(folder, hf.ChameleonForConditionalGeneration, config, processor)


def emu3(folder: Path) -> None:
    codes = [f"<|visual token {number:06d}|>" for number in range(16)]
    tokenizer = tokens(
        chat("<image>", begin="", user="USER: ", end=" ", answer="ASSISTANT:"),
        "<|extra_200|>",
        *codes,
        image_token="<image>",
        boi_token="<|image start|>",
        eoi_token="<|image end|>",
        image_wrapper_token="<|image token|>",
        eof_token="<|extra_201|>",
    )
    images = hf.Emu3ImageProcessor(min_pixels=16 * 16, max_pixels=64 * 64)
    config = hf.Emu3Config(
        vq_config={
            "codebook_size": len(codes),
            "embed_dim": 4,
            "latent_channels": 4,
            "base_channels": 32,
            "channel_multiplier": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "attn_resolutions": [],
            "hidden_size": 32,
            "temporal_downsample_factor": 4,
        },
        text_config=TEXT,
        vocabulary_map=ids(
            tokenizer, **{name: name for name in ["<image>", "<|extra_200|>", *codes]}
        ),
    )
    processor = hf.Emu3Processor(images, tokenizer, chat_template=tokenizer.chat_template)
    save(folder, hf.Emu3ForConditionalGeneration, config, processor)


def fuyu(folder: Path) -> None:
    # No chat template either: its processor writes the placeholder before the text, and ends the
    # prompt with a token of its own.
    names = ["|SPEAKER|", "|NEWLINE|", "<s>", "<0x04>"]
    tokenizer = spaced(tokens(None, *names), names)
    images = hf.FuyuImageProcessorPil(
        size={"height": 64, "width": 64}, patch_size={"height": 16, "width": 16}
    )
    config = hf.FuyuConfig(
        text_config={**TEXT, "model_type": "persimmon"},
        patch_size=16,
        image_size=64,
        **ids(tokenizer, image_token_id=names[0]),
    )
    processor = hf.FuyuProcessor(images, tokenizer)
    save(folder, hf.FuyuForCausalLM, config, processor)


def spaced(tokenizer: hf.PreTrainedTokenizerFast, names: list[str]) -> hf.PreTrainedTokenizerFast:
    """As Fuyu's: every text begins with a space, and the names are words like any other."""
    inside = json.loads(tokenizer.backend_tokenizer.to_str())
    inside["added_tokens"] = [t for t in inside["added_tokens"] if t["content"] not in names]
    inside["model"]["ignore_merges"] = True
    backend = Tokenizer.from_str(json.dumps(inside))
    backend.normalizer = normalizers.Prepend(" ")
    pattern = Regex("|".join(re.escape(name) for name in names))
    backend.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )


CODES = (
    Family("video_llama_3", True, video_llama_3, ("torchvision",)),
    Family("lfm3_vl", True, lfm3_vl, ("torchvision",)),
    Family("chameleon", True, chameleon),
    Family("emu3", True, emu3),
    Family("fuyu", True, fuyu, ("torchvision",)),
)
