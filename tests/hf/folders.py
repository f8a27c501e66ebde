"""Model folders that are damaged or hold code, and what is said of one that is refused."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from calib.hf.model import load_model
from calib.records import CalibError, InputError


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
