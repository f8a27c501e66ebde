"""LoRA adapters: by their own folder or by ``peft=``, right as peft computes them, or refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from calib.hf.model import Model, load_model
from calib.records import CalibError, InputError, Item

pytest.importorskip("peft")

pytestmark = [
    pytest.mark.usefixtures("one_thread", "offline"),
    # peft reads an attribute that transformers has renamed.
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*meta device.*"),
]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory,
    llama: Any,
    llava: Any,
    tokenizer: Any,
    processor: Any,
) -> Path:
    """Two models, and an adapter of each that moves its scores far."""
    from peft import LoraConfig, get_peft_model

    root = tmp_path_factory.mktemp("models")
    for name, model, speaker in (("llama", llama, tokenizer), ("llava", llava, processor)):
        model.save_pretrained(root / name)
        speaker.save_pretrained(root / name)
        torch.manual_seed(5)
        config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
            adapted = get_peft_model(type(model).from_pretrained(root / name), config)
        adapted.save_pretrained(root / f"{name}-lora")
    return root


def adapter(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def copied(folders: Path, name: str, target: Path) -> Path:
    shutil.copytree(folders / name, target)
    return target


def questions(name: str) -> list[Item]:
    picture = Image.new("RGB", (20, 20), (9, 99, 199))
    return [
        Item(
            f"q{k}",
            "Which? " * (1 + 3 * k),
            images=(picture,) if name == "llava" and k else (),
            options=("red", "no") if k < 2 else ("green", "no"),
            answer=0,
        )
        for k in range(4)
    ]


def logprobs(model: Model, name: str) -> list[list[float]]:
    return [row["logprob"] for row in model.option_scores(questions(name))]


def by_peft(folders: Path, name: str) -> list[list[float]]:
    """Scores of the adapter that peft itself has put on the model."""
    from peft import PeftModel

    plain = load_model(folders / name, device="cpu")
    hf = PeftModel.from_pretrained(plain.hf, folders / f"{name}-lora").get_base_model().eval()
    return logprobs(Model(name, hf, plain.tokenizer, plain.processor), name)


def close(rows: list[list[float]], expected: list[list[float]]) -> bool:
    # The same operations, on weights that lie elsewhere in memory: 2e-6 was seen.
    return all(
        row == pytest.approx(other, abs=1e-5) for row, other in zip(rows, expected, strict=True)
    )


@pytest.mark.parametrize("name", ["llama", "llava"])
@pytest.mark.parametrize("how", ["folder", "peft"])
def test_an_adapter_is_what_peft_makes_of_it(folders: Path, name: str, how: str):
    lora = folders / f"{name}-lora"
    if how == "folder":
        model = load_model(lora, device="cpu")
    else:
        model = load_model(folders / name, device="cpu", peft=lora)
    assert not model.hf.training
    assert (model.facts["adapter"], model.facts["base"]) == (str(lora), str(folders / name))
    assert model.facts["class"] == load_model(folders / name, device="cpu").facts["class"]
    rows = logprobs(model, name)
    assert close(rows, by_peft(folders, name))
    assert not close(rows, logprobs(load_model(folders / name, device="cpu"), name))


def test_an_adapter_samples_as_its_merged_weights(folders: Path):
    from peft.tuners.tuners_utils import BaseTunerLayer

    model, merged = (load_model(folders / "llama-lora", device="cpu") for _ in range(2))
    for module in merged.hf.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()  # type: ignore[no-untyped-call]
    texts = [
        [[answer.text for answer in row] for row in each.sample(questions("llama")[:2], n=4)]
        for each in (model, merged)
    ]
    assert texts[0] == texts[1]


def test_a_model_without_an_adapter_names_none(folders: Path):
    assert "adapter" not in load_model(folders / "llama", device="cpu").facts


@pytest.mark.parametrize("base", ["../llama", "llama"])
def test_a_relative_base_is_looked_for_here_and_beside_the_adapter(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
):
    copied(folders, "llama", tmp_path / "work" / "llama")
    lora = copied(folders, "llama-lora", tmp_path / "work" / "lora")
    adapter(lora, base_model_name_or_path=base)
    monkeypatch.chdir(tmp_path / "work" if base == "llama" else tmp_path)
    model = load_model(lora, device="cpu")
    assert Path(model.facts["base"]).resolve() == tmp_path / "work" / "llama"


@pytest.mark.parametrize("base", ["/no/such/base", "owner/no-such-base", "../gone"])
def test_a_base_that_is_not_there_is_named_with_its_adapter(
    folders: Path, tmp_path: Path, base: str
):
    lora = copied(folders, "llama-lora", tmp_path / "lora")
    adapter(lora, base_model_name_or_path=base)
    with pytest.raises(CalibError) as caught:
        load_model(lora, device="cpu")
    assert repr(str(lora)) in str(caught.value)
    assert repr(base) in str(caught.value)
    assert f"pass peft={lora}" in str(caught.value)
    # As it says: the adapter on a base that is there.
    assert load_model(folders / "llama", device="cpu", peft=lora).facts["adapter"] == str(lora)


def without_tensors(lora: Path) -> None:
    weights = load_file(lora / "adapter_model.safetensors")
    weights.pop(next(iter(weights)))
    save_file(weights, lora / "adapter_model.safetensors", metadata={"format": "pt"})


def damaged(lora: Path, folders: Path, how: str) -> None:
    if how == "no base named":
        adapter(lora, base_model_name_or_path=None)
    elif how == "torn":
        (lora / "adapter_config.json").write_text("{")
    elif how == "no adapter's":
        (lora / "adapter_config.json").write_text("[]")
    elif how == "deep":
        (lora / "adapter_config.json").write_text("[" * 100_000)
    elif how == "no weights":
        (lora / "adapter_model.safetensors").unlink()
    elif how == "torn weights":
        path = lora / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-500])
    elif how == "a tensor less":
        without_tensors(lora)
    elif how == "another rank":
        adapter(lora, r=2)
    elif how == "other layers":
        adapter(lora, target_modules=["no_such_layer"])
    elif how == "a kind that peft does not know":
        adapter(lora, peft_type="NO_SUCH_KIND")
    elif how == "of an adapter":
        adapter(lora, base_model_name_or_path=str(folders / "llama-lora"))
    elif how == "beside a whole model":
        shutil.copy(folders / "llama" / "model.safetensors", lora)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("no base named", "names no base model"),
        ("torn", "adapter_config.json cannot be read"),
        ("no adapter's", "names no peft_type"),
        ("deep", "adapter_config.json cannot be read"),
        ("no weights", "adapter_model"),
        ("torn weights", "cannot be loaded"),
        ("a tensor less", "does not fit LlamaForCausalLM: missing keys"),
        ("another rank", "cannot be loaded"),
        ("other layers", "no_such_layer"),
        ("a kind that peft does not know", "cannot be loaded"),
        ("of an adapter", "is an adapter itself"),
        ("beside a whole model", "holds both a model"),
    ],
)
def test_a_damaged_adapter_is_one_sentence(folders: Path, tmp_path: Path, how: str, reason: str):
    lora = copied(folders, "llama-lora", tmp_path / "lora")
    damaged(lora, folders, how)
    with pytest.raises(CalibError, match=reason) as caught:
        load_model(lora, device="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert str(lora) in str(caught.value)


def test_an_adapter_of_another_model_is_refused(folders: Path, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(CalibError, match="does not fit LlavaForConditionalGeneration: missing"):
        load_model(folders / "llava", device="cpu", peft=folders / "llama-lora")
    assert "MISSING" not in capfd.readouterr().err  # transformers' table of tensors


def test_an_adapter_that_adds_tokens_to_the_prompt_is_refused(folders: Path, tmp_path: Path):
    from peft import PromptTuningConfig, get_peft_model

    base = load_model(folders / "llama", device="cpu").hf
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(base, config).save_pretrained(tmp_path / "soft")
    with pytest.raises(CalibError, match="of the kind PROMPT_TUNING, which adds tokens"):
        load_model(tmp_path / "soft", device="cpu")


def test_an_adapter_on_offloaded_weights_is_refused(folders: Path, tmp_path: Path):
    with pytest.raises(CalibError, match=r"offloaded to the CPU or to disk; merge it"):
        load_model(
            folders / "llama-lora",
            device_map={"model": "disk", "lm_head": "cpu"},
            offload_folder=tmp_path / "offload",
        )


def test_the_tokenizer_saved_with_an_adapter_is_taken(folders: Path, tmp_path: Path):
    lora = copied(folders, "llama-lora", tmp_path / "lora")
    assert "<new>" not in (load_model(lora, device="cpu").tokenizer.chat_template or "")
    speaker = load_model(folders / "llama", device="cpu").tokenizer
    speaker.chat_template += "<new>"
    speaker.save_pretrained(lora)
    assert load_model(lora, device="cpu").tokenizer.chat_template.endswith("<new>")


def test_two_adapters_are_refused(folders: Path):
    lora = folders / "llama-lora"
    with pytest.raises(InputError, match="is an adapter: expected a model beside peft="):
        load_model(lora, device="cpu", peft=lora)


@pytest.mark.parametrize(
    ("peft", "reason"),
    [("./gone", "peft './gone': there is no such folder"), ("llama", "holds no adapter_config")],
)
def test_what_is_no_adapter_is_refused(
    folders: Path, monkeypatch: pytest.MonkeyPatch, peft: str, reason: str
):
    monkeypatch.chdir(folders)
    with pytest.raises(InputError, match=reason):
        load_model("llama", device="cpu", peft=peft)


def test_the_embedded_model_takes_none(folders: Path):
    with pytest.raises(InputError, match="the embedded model takes no peft"):
        load_model("embedded:base", device="cpu", peft=folders / "llama-lora")


def test_without_peft_it_is_asked_for(folders: Path, monkeypatch: pytest.MonkeyPatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "peft" else found(name, *rest),
    )
    with pytest.raises(InputError, match="needs the package peft: pip install peft"):
        load_model(folders / "llama-lora", device="cpu")
