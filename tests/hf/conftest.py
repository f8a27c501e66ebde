"""Tiny random models, and a tokenizer whose few merges reach across the end of a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<image>"]
CHARACTERS = ["\n", *map(chr, range(32, 127))]
MERGES = [
    ("r", "e"),
    ("re", "d"),
    (" ", "red"),
    ("y", "e"),
    ("ye", "s"),
    (" ", "yes"),
    ("n", "o"),
    (" ", "no"),
    ("(", "A"),
]
TEMPLATE = (
    "<bos>{% for message in messages %}{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<eos>{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
)
VOCABULARY = 200
IMAGE = SPECIAL.index("<image>")


def make_tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    """Single characters, and MERGES; nothing is split before they are applied."""
    entries = [*SPECIAL, *CHARACTERS, *(a + b for a, b in MERGES)]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    bpe = models.BPE(vocab=vocabulary, merges=MERGES, unk_token="<unk>")
    backend = Tokenizer(bpe)
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
    tokenizer.chat_template = template
    return tokenizer


def text_config() -> LlamaConfig:
    return LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        # A wide spread of logits, so that a wrong position or mask moves a score far.
        initializer_range=0.3,
    )


def make_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(text_config()).eval()


def make_llava() -> LlavaForConditionalGeneration:
    torch.manual_seed(1)
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text_config(),
        image_token_index=IMAGE,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=4,
    )
    return LlavaForConditionalGeneration(config).eval()


def make_processor(template: str | None = TEMPLATE) -> LlavaProcessor:
    size = {"height": 16, "width": 16}
    images = CLIPImageProcessorPil(
        size=size, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        images,
        make_tokenizer(template),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=template,
    )


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def processor() -> Any:
    return make_processor()


@pytest.fixture(scope="session")
def llama() -> Any:
    return make_llama()


@pytest.fixture(scope="session")
def llava() -> Any:
    return make_llava()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path: Path, llama: Any) -> Path:
    llama.save_pretrained(tmp_path / "llama")
    make_tokenizer().save_pretrained(tmp_path / "llama")  # one that has padded keeps its padding
    return tmp_path / "llama"


@pytest.fixture
def pictured(tmp_path: Path, llava: Any, processor: Any) -> Path:
    llava.save_pretrained(tmp_path / "llava")
    processor.save_pretrained(tmp_path / "llava")
    return tmp_path / "llava"
