"""Which class a folder is loaded as; what is not driven is refused by its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import (
    AutoConfig,
    BertConfig,
    BertLMHeadModel,
    FuyuConfig,
    FuyuForCausalLM,
    FuyuProcessor,
)
from transformers.models.fuyu.image_processing_pil_fuyu import FuyuImageProcessorPil

from calib.hf.classes import auto_class, parts_of
from calib.hf.model import load_model
from tests.hf.conftest import VOCABULARY, make_tokenizer
from tests.hf.folders import refusal

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


def class_of(model_type: str) -> str:
    return str(auto_class(AutoConfig.for_model(model_type), trusted=False)[0].__name__)


@pytest.mark.parametrize(
    ("model_type", "auto"),
    [
        ("llama", "AutoModelForCausalLM"),
        ("mamba", "AutoModelForCausalLM"),
        ("llava", "AutoModelForImageTextToText"),
        ("chameleon", "AutoModelForImageTextToText"),  # vq_config, no vision_config
        ("emu3", "AutoModelForImageTextToText"),
        ("fuyu", "AutoModelForImageTextToText"),  # text_config alone
        ("gemma3", "AutoModelForImageTextToText"),  # mapped as a text model too
        ("blip-2", "AutoModelForImageTextToText"),
        ("qwen2_audio", "AutoModelForMultimodalLM"),
    ],
)
def test_the_class_is_that_of_transformers_mappings(model_type: str, auto: str):
    assert class_of(model_type) == auto


def test_an_older_transformers_has_no_multimodal_class(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("calib.hf.classes.OTHERS", "AutoModelForWhatItLacks")
    assert class_of("llava") == "AutoModelForImageTextToText"
    with pytest.raises(ValueError, match="Qwen2AudioConfig"):
        class_of("qwen2_audio")


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("t5", "T5Config is that of an encoder-decoder"),
        ("bart", "encoder-decoder"),  # mapped as a causal model, its decoder alone
        ("whisper", "encoder-decoder"),
        ("florence2", "encoder-decoder"),
        ("t5gemma2", "encoder-decoder"),
        ("udop", "encoder-decoder"),
        ("pix2struct", "encoder-decoder"),
        ("vision-encoder-decoder", "encoder-decoder"),
        ("diffusion_gemma", "does not answer token by token"),
        ("pi0", "does not answer token by token"),
        ("clip", "transformers maps CLIPConfig to no"),
    ],
)
def test_what_is_not_driven_is_refused_by_its_configuration(model_type: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        class_of(model_type)


def test_an_encoder_decoder_inside_an_image_model_is_refused():
    config = transformers.Blip2Config(text_config=transformers.T5Config())
    with pytest.raises(ValueError, match="Config is that of an encoder-decoder"):
        auto_class(config, trusted=False)


def test_the_part_that_reads_and_writes_text_is_loaded_of_a_model_that_speaks():
    auto, config = auto_class(AutoConfig.for_model("qwen2_5_omni"), trusted=False)
    assert auto.__name__ == "AutoModelForImageTextToText"
    assert type(config).__name__ == "Qwen2_5OmniThinkerConfig"


def test_every_tower_is_named():
    names = set(parts_of(AutoConfig.for_model("qwen2_5_omni")))
    assert {"thinker", "thinker.audio", "thinker.vision", "thinker.text", "talker"} <= names
    assert set(parts_of(AutoConfig.for_model("blip-2"))) == {"vision", "qformer", "text"}


def bert(folder: Path, *, decoder: bool) -> Path:
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        is_decoder=decoder,
    )
    BertLMHeadModel(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def test_a_masked_language_model_is_refused(tmp_path: Path):
    message = refusal(bert(tmp_path / "bert", decoder=False))
    assert "BertLMHeadModel reads its text in both directions" in message


def test_a_decoder_of_the_same_class_is_driven(tmp_path: Path):
    model = load_model(bert(tmp_path / "bert", decoder=True), device="cpu")
    assert model.facts["class"] == "BertLMHeadModel"


def test_a_text_model_whose_attention_looks_ahead_is_refused(tmp_path: Path, tokenizer: Any):
    config = transformers.Gemma3TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        use_bidirectional_attention=True,  # what an embedding model of that family says
    )
    transformers.Gemma3ForCausalLM(config).save_pretrained(tmp_path / "embedding")
    tokenizer.save_pretrained(tmp_path / "embedding")
    assert "in both directions" in refusal(tmp_path / "embedding")


def test_an_image_model_with_a_text_configuration_alone_reads_images(tmp_path: Path):
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
    }
    config = FuyuConfig(**text, text_config={"model_type": "persimmon", **text}, image_size=30)
    FuyuForCausalLM(config).save_pretrained(tmp_path / "fuyu")
    speaker = make_tokenizer()
    speaker.add_tokens(["|SPEAKER|", "|NEWLINE|", "<0x04>"])
    FuyuProcessor(FuyuImageProcessorPil(), speaker).save_pretrained(tmp_path / "fuyu")
    model = load_model(tmp_path / "fuyu", device="cpu")
    assert type(model.processor).__name__ == "FuyuProcessor"
    assert set(model.facts["attention"]) == {"model", "text"}
