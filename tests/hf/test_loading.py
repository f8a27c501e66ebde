"""With which speaker a folder is loaded; what is refused, and in which words."""

from __future__ import annotations

import logging
import os
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

from calib.hf.loading import held_log
from calib.hf.model import load_model
from calib.records import Item
from tests.hf.conftest import VOCABULARY, make_tokenizer
from tests.hf.folders import broken, edit, refusal, with_code

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


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
        # In the words of whichever transformers is installed.
        ("no object", r"its config: .*(model_type|list indices)"),
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
