"""What is refused of a model before its weights are read; nothing that would load is."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel
from transformers.models.auto.auto_factory import _BaseAutoModelClass

from calib.hf.foreseen import NAMES, refuse_slips
from calib.hf.sources import Source
from calib.models.load import foresee, load_model
from calib.records import CalibError

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


@pytest.mark.parametrize(
    ("arguments", "argument", "why"),
    [
        ({"dtype": "float33"}, "dtype", "dtype 'float33': expected one of auto, float32"),
        ({"dytpe": "float32"}, "dytpe", "it takes no argument 'dytpe'; is dtype meant?"),
        ({"device": "cdua"}, "device", "device 'cdua' cannot be used"),
        ({"engine": "hg"}, "engine", "engine: expected one of hf, got 'hg'"),
        ({"peft": "./gone"}, "peft", "peft './gone': there is no such folder"),
        ({"pictures": True}, "model", "it reads text only, and questions with pictures"),
    ],
)
def test_faults_of_arguments(folder: Path, arguments: dict[str, Any], argument: str, why: str):
    found = foresee(folder, **arguments)
    assert found is not None and found[0] == argument and why in found[1]


@pytest.mark.parametrize(
    ("name", "arguments", "argument", "why"),
    [
        ("m/lava", {}, "model", "the hub's cache, all that may be read, does not hold it"),
        ("./gone", {}, "model", "there is no such folder"),
        ("embedded:stage9", {}, "model", "the embedded model is one of"),
        ("embedded:stage2", {"revision": "x"}, "revision", "takes no revision"),
        ("embedded:stage2", {"peft": "x"}, "peft", "takes no peft"),
        ("embedded:base", {"pictures": True}, "model", "it reads text only"),
    ],
)
def test_faults_of_names(name: str, arguments: dict[str, Any], argument: str, why: str):
    found = foresee(name, **arguments)
    assert found is not None and found[0] == argument and why in found[1]


def test_what_a_folder_lacks_is_refused_as_loading_refuses_it(tmp_path: Path):
    for content in (None, "{", json.dumps({"model_type": "t5"}), json.dumps({"model_type": "x"})):
        if content is not None:
            (tmp_path / "config.json").write_text(content)
        with pytest.raises(CalibError) as caught:
            load_model(tmp_path, device="cpu")
        assert foresee(tmp_path) == ("model", str(caught.value))


def test_what_would_load_is_not_refused(folder: Path, pictured: Path, monkeypatch: Any):
    assert foresee(folder, device="cpu", dtype="bfloat16", peft=None) is None
    # Arguments that change the config.
    assert foresee(folder, rope_theta=1e4, attention_dropout=0.1) is None
    assert foresee(pictured, pictures=True) is None
    for state in ("stage1", "stage2", "admits"):
        assert foresee(f"embedded:{state}", pictures=True, attn_implementation="eager") is None
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (folder / "model.safetensors").unlink()
    assert foresee(folder, pictures=True) is None  # its base may see them
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", None)
    assert foresee("owner/name", pictures=True) is None  # the hub may know it, and is not asked


def test_no_argument_of_transformers_is_taken_for_a_slip():
    source = "".join(
        inspect.getsource(each)
        for each in (PreTrainedModel.from_pretrained, _BaseAutoModelClass.from_pretrained)
    )
    names = set(re.findall(r"""kwargs\.(?:pop|get)\(\s*"(\w+)\"""", source))
    names |= set(inspect.signature(PreTrainedModel.from_pretrained).parameters)
    assert {"max_memory", "torch_dtype", "cache_dir"} <= names and "dtype" in NAMES
    refuse_slips(Source("m", {}), sorted(names), object())
