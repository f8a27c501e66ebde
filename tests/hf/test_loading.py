"""Which class a folder is loaded as, with which speaker; what is refused, and in which words."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
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
from calib.hf.loading import held_log
from calib.hf.model import load_model
from calib.records import CalibError, InputError, Item
from tests.hf.conftest import VOCABULARY, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


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


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refusal(folder: Path | str, **model_args: Any) -> str:
    """What ``load_model`` says, in one paragraph, of a folder that is there."""
    with pytest.raises(CalibError) as caught:
        load_model(folder, device="cpu", **model_args)
    assert not isinstance(caught.value, InputError)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 900
    return message


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


def without_processor(folder: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink(missing_ok=True)


def test_an_image_model_is_never_loaded_as_text_only(pictured: Path):
    without_processor(pictured)
    assert "its processor: " in refusal(pictured)


def test_a_processor_that_transformers_does_not_know_is_refused(pictured: Path):
    edit(pictured / "processor_config.json", processor_class="NoSuchProcessor")
    assert "holds no image processor, only a" in refusal(pictured)


def test_what_a_processor_lacks_is_told_in_its_whole_sentence(
    pictured: Path, monkeypatch: pytest.MonkeyPatch
):
    def lacking(*_: Any, **__: Any) -> None:
        raise ImportError(
            "\nThis processor needs the Torchvision library.\nInstall it so:\n\nnow\n"
        )

    monkeypatch.setattr(transformers.LlavaProcessor, "from_pretrained", lacking)
    message = refusal(pictured)
    assert message.endswith(
        "its processor: This processor needs the Torchvision library. Install it so: now"
    )


def template_moved_to_the_tokenizer(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    edit(folder / "tokenizer_config.json", chat_template=template)


def test_the_template_of_the_tokenizer_serves_the_processor(pictured: Path):
    expected = load_model(pictured, device="cpu")
    template_moved_to_the_tokenizer(pictured)
    model = load_model(pictured, device="cpu")
    picture = Image.new("RGB", (20, 20), (9, 99, 199))
    items = [Item("q", "Is it?", images=(picture,), options=("yes", "no"))]
    assert model.option_scores(items) == expected.option_scores(items)


def pickled(folder: Path, code: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(code)


class Opens:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


def broken(folder: Path, how: str) -> None:
    config, tokenizer = folder / "config.json", folder / "tokenizer.json"
    if how == "another shape":
        edit(config, intermediate_size=48)
    elif how == "too few tensors":
        edit(config, num_hidden_layers=3)
    elif how == "heads":
        edit(config, num_attention_heads=3)
    elif how == "a wrong type":
        edit(config, hidden_size="big")
    elif how == "an unknown type":
        edit(config, model_type="no-such-type")
    elif how == "an unknown activation":
        edit(config, hidden_act="no-such-function")
    elif how == "torn":
        config.write_text("{")
    elif how == "deep":
        config.write_text("[" * 100_000 + "]" * 100_000)
    elif how == "binary":
        config.write_bytes(b"\xff\xfe\x00")
    elif how == "no object":
        config.write_text("[]")
    elif how == "an empty tokenizer":
        tokenizer.write_text("{}")
    elif how == "a torn tokenizer":
        tokenizer.write_text('{"model":')
    elif how == "no end":
        path = folder / "tokenizer_config.json"
        values = json.loads(path.read_text())
        for name in ("pad_token", "eos_token"):
            values.pop(name)
        path.write_text(json.dumps(values))
    elif how == "a torn generation config":
        (folder / "generation_config.json").write_text("{")
    elif how == "a pickle":
        stream = io.BytesIO()
        torch.save({"w": Opens(folder / "ran")}, stream)
        pickled(folder, stream.getvalue())
    elif how == "an old pickle":
        pickled(folder, pickle.dumps({"w": Opens(folder / "ran")}, protocol=2))
    elif how == "no weights but text":
        (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    elif how == "a quantiser that is not installed":
        edit(config, quantization_config={"quant_method": "gptq", "bits": 4})


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("another shape", r"down_proj.weight is \(32, 64\) and \(32, 48\) is expected"),
        ("too few tensors", r"its weights lack model.layers.2"),
        ("heads", r"not a multiple of the number of attention heads \(3\)"),
        ("a wrong type", r"'hidden_size' expected int, got str"),
        ("an unknown type", r"model type `no-such-type`"),
        ("an unknown activation", r"KeyError: 'no-such-function'"),
        ("torn", r"its config: .*not a valid JSON"),
        ("deep", r"its config: it is nested too deeply"),
        ("binary", r"its config: .*not a valid JSON"),
        ("no object", r"its config: .*model_type"),
        ("an empty tokenizer", r"its tokenizer: "),
        ("a torn tokenizer", r"its tokenizer: "),
        ("no end", r"neither a padding token nor an end token"),
        ("a torn generation config", r"its generation_config.json: "),
        ("a pickle", r"a pickle that holds more than tensors, which is not run"),
        ("an old pickle", r"a pickle that holds more than tensors, which is not run"),
        ("no weights but text", r"SafetensorError"),
        ("a quantiser that is not installed", r"GPTQ"),
    ],
)
def test_a_damaged_folder_is_one_sentence(folder: Path, how: str, reason: str):
    broken(folder, how)
    message = refusal(folder)
    assert re.search(reason, message), message
    assert str(folder) in message
    assert not (folder / "ran").exists()


def test_a_padding_token_past_the_vocabulary_is_not_used(folder: Path):
    expected = load_model(folder, device="cpu")
    speaker = make_tokenizer()
    speaker.add_special_tokens({"pad_token": "[PAD]"})
    speaker.add_tokens([f"<{n}>" for n in range(VOCABULARY)])
    speaker.add_special_tokens({"pad_token": "[LAST]"})
    assert speaker.pad_token_id >= VOCABULARY
    speaker.save_pretrained(folder)
    model = load_model(folder, device="cpu")
    assert model.tokenizer.pad_token == "<eos>"
    items = [Item(f"q{n}", "Is it? " * (1 + n), options=("yes", "no")) for n in range(3)]
    assert model.option_scores(items) == expected.option_scores(items)


def test_weights_in_a_pickle_of_tensors_are_read(folder: Path, llama: Any):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    model = load_model(folder, device="cpu")
    assert torch.equal(model.hf.lm_head.weight, llama.lm_head.weight)


def with_code(folder: Path) -> Path:
    """A folder whose model type its own code defines; running it leaves a file."""
    edit(
        folder / "config.json",
        model_type="of-its-own",
        auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    )
    (folder / "own.py").write_text(
        "from pathlib import Path\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        f"Path({str(folder / 'ran')!r}).write_text('run')\n"
        "class Config(LlamaConfig):\n    model_type = 'of-its-own'\n"
        "class Model(LlamaForCausalLM):\n    config_class = Config\n"
    )
    return folder


def test_a_folders_own_code_is_not_run_and_nobody_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    message = refusal(with_code(folder))
    assert "only where trust_remote_code=True is passed" in message
    assert not (folder / "ran").exists()


def test_a_folders_own_code_is_run_where_it_is_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "mod"))
    monkeypatch.setattr("sys.path", [*sys.path])
    expected = load_model(folder, device="cpu")
    model = load_model(with_code(folder), device="cpu", trust_remote_code=True)
    assert (folder / "ran").exists()
    assert model.facts["class"] == "Model"
    items = [Item("q", "Is it?", options=("yes", "no"))]
    assert model.option_scores(items) == expected.option_scores(items)


def test_a_tokenizers_own_code_is_not_run(folder: Path):
    edit(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["own.Own", None]},
        tokenizer_class="Own",
    )
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    assert "trust_remote_code=True" in refusal(folder)
    assert not (folder / "ran").exists()


def test_a_refusal_stands_alone(folder: Path, capfd: pytest.CaptureFixture[str]):
    broken(folder, "another shape")
    refusal(folder)
    assert "MISMATCH" not in capfd.readouterr().err


def test_what_transformers_logs_of_a_model_that_is_loaded_is_told():
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        with held_log():
            logger.warning("one")
            assert heard == []
        assert heard == ["one"]
        with pytest.raises(ValueError, match="no"), held_log():
            logger.warning("two")
            raise ValueError("no")
        assert heard == ["one"]
    finally:
        logger.removeHandler(handler)


def score(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "calib.cli", "score", "--tasks", "easy-vqa", *arguments]
    return subprocess.run(command, text=True, capture_output=True, env=environment, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [("another shape", 1), ("a pickle", 1), ("no end", 1), ("code", 1)]
)
def test_the_command_ends_with_one_paragraph(folder: Path, how: str, code: int):
    if how == "code":
        with_code(folder)
    else:
        broken(folder, how)
    done = score("--model", str(folder), "--device", "cpu", "--output_path", str(folder / "run"))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert str(folder) in done.stderr.replace("\n", "")
