"""Models by path: what they say of themselves, rows in the items' order, refusals in one line."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from calib.hf.model import Model, load_model
from calib.hf.revision import digest_of, template_of
from calib.records import CalibError, InputError, Item

pytestmark = pytest.mark.usefixtures("one_thread", "offline")


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
    root = tmp_path_factory.mktemp("models")
    for name, model, speaker in (("llama", llama, tokenizer), ("llava", llava, processor)):
        model.save_pretrained(root / name)
        speaker.save_pretrained(root / name)
    return root


@pytest.fixture(scope="module")
def load(folders: Path) -> Callable[[str], Model]:
    loaded: dict[str, Model] = {}

    def by_name(name: str) -> Model:
        if name not in loaded:
            loaded[name] = load_model(folders / name, device="cpu")
        return loaded[name]

    return by_name


def picture(k: int) -> Image.Image:
    return Image.new("RGB", (20, 20), (40 * k, 255 - 40 * k, 0))


def questions(images: bool) -> list[Item]:
    """Of uneven length, options of one and of several tokens, some with an image."""
    options = [("red", "no"), ("green", "no", "yes"), ("yes", "no"), ("nor", "not")]
    return [
        Item(
            f"q{k}",
            "Which? " * (1 + 5 * k % 7),
            images=(picture(k % 6),) if images and k % 3 else (),
            options=options[k % 4],
            answer=None if k == 5 else k % 2,
        )
        for k in range(11)
    ]


def same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert value == pytest.approx(b[name], abs=1e-5, rel=1e-4), name


def test_a_text_model_by_path(load: Callable[[str], Model], folders: Path, llama: Any):
    model = load("llama")
    assert model.name == str(folders / "llama")
    assert model.processor is None
    assert not model.hf.training
    assert model.facts == {
        "model": str(folders / "llama"),
        "class": "LlamaForCausalLM",
        "parameters": sum(p.numel() for p in llama.parameters()),
        "dtype": "float32",
        "device": "cpu",
        "attention": {"model": "sdpa"},
        "revision": digest_of(folders / "llama"),
        "template": template_of(model.tokenizer),
    }
    for name, weight in llama.state_dict().items():
        assert torch.equal(model.hf.state_dict()[name], weight), name


def test_a_multimodal_model_by_path(load: Callable[[str], Model]):
    model = load("llava")
    assert model.facts["class"] == "LlavaForConditionalGeneration"
    assert model.facts["attention"] == {"model": "sdpa", "text": "sdpa", "vision": "sdpa"}
    assert model.processor.tokenizer is model.tokenizer


@pytest.mark.parametrize("name", ["llama", "llava"])
@pytest.mark.parametrize("size", [1, 4, "auto"])
def test_rows_come_in_the_items_order(load: Callable[[str], Model], name: str, size: int | str):
    model, items = load(name), questions(images=name == "llava")
    rows = model.option_scores(items, batch_size=size)
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        (alone,) = model.option_scores([item])
        same(row, alone)
        assert len(row["prob"]) == len(item.options)
        if item.answer is not None:
            assert row["correct"] == (row["prediction"] == item.answer)
    # Neighbours differ, so an order mixed up would have been seen.
    for one, other in pairwise(rows):
        assert abs(one["logprob"][0] - other["logprob"][0]) > 1e-3


def test_scores_are_those_of_the_text_itself(load: Callable[[str], Model]):
    model = load("llama")
    item = Item("q", "Is it?", options=("yes", "no"), answer=0)
    (row,) = model.option_scores([item], prompt="options")
    text = "<bos>Is it?\nAnswer with one word or a short phrase.<eos>A:"
    ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logp = model.hf(input_ids=ids).logits[0, -1].double().log_softmax(0)
    expected = [logp[model.tokenizer.convert_tokens_to_ids(o)].item() for o in ("yes", "no")]
    assert row["logprob"] == pytest.approx(expected, abs=1e-4)


def test_the_picture_is_seen(load: Callable[[str], Model]):
    model = load("llava")
    items = [Item(f"{k}", "?", images=(picture(k),), options=("yes", "no")) for k in (0, 5)]
    first, second = model.option_scores(items)
    assert abs(first["logprob"][0] - second["logprob"][0]) > 1e-3


def test_no_items_give_no_rows(load: Callable[[str], Model]):
    assert load("llama").option_scores([]) == []
    assert load("llama").generate([]) == []


def test_without_a_chat_template_the_prompt_is_a_completion(folders: Path, tmp_path: Path):
    shutil.copytree(folders / "llama", tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    model = load_model(tmp_path / "base", device="cpu")
    (encoded,) = model.encode(
        [Item("q", "Is it?", options=("yes", "no"))], "options", variants=False
    )
    assert encoded.text.endswith("\nAnswer:")
    assert encoded.options == tuple(
        ((model.tokenizer.convert_tokens_to_ids(o),),) for o in (" yes", " no")
    )


def test_an_image_for_a_text_model_is_refused(load: Callable[[str], Model]):
    with pytest.raises(InputError, match="'q1' has an image"):
        load("llama").option_scores(questions(images=True))


@pytest.mark.parametrize("name", ["llama", "llava"])
def test_generated_texts_come_in_the_items_order(load: Callable[[str], Model], name: str):
    model, items = load(name), questions(images=name == "llava")
    texts = model.generate(items, max_new_tokens=4)
    assert texts == [model.generate([item], max_new_tokens=4)[0] for item in items]
    assert len(set(texts)) > 3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_asked_for(folders: Path, dtype: str):
    model = load_model(folders / "llama", device="cpu", dtype=dtype)
    assert model.facts["dtype"] == dtype
    (row,) = model.option_scores(questions(images=False)[:1])
    assert row["valid"]
    assert sum(row["prob"]) == pytest.approx(1, abs=1e-3)


def test_the_attention_asked_for(folders: Path, load: Callable[[str], Model]):
    model = load_model(folders / "llava", device="cpu", attn_implementation="eager")
    assert set(model.facts["attention"].values()) == {"eager"}
    items = questions(images=True)[:4]
    for a, b in zip(model.option_scores(items), load("llava").option_scores(items), strict=True):
        same(a, b)


def test_a_tokenizer_without_padding_pads_with_its_end(folders: Path, tmp_path: Path, load: Any):
    speaker = load("llama").tokenizer.__class__.from_pretrained(folders / "llama", pad_token=None)
    shutil.copytree(folders / "llama", tmp_path / "no-pad")
    speaker.pad_token = None
    speaker.save_pretrained(tmp_path / "no-pad")
    model = load_model(tmp_path / "no-pad", device="cpu")
    assert model.tokenizer.pad_token == "<eos>"
    items = questions(images=False)
    for a, b in zip(model.option_scores(items), load("llama").option_scores(items), strict=True):
        same(a, b)


def one_line(error: BaseException) -> bool:
    return "\n" not in str(error) and len(str(error)) < 600


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedded:stage9", r"embedded:stage2, embedded:admits; got 'stage9'"),
        ("embedded:", "embedded:base, embedded:stage1"),
        ("embedded", "embedded:base, embedded:stage1"),
        ("no-such-owner/no-such-model", "no-such-model"),
        ("./no/such/folder", "no/such/folder"),
        ("a b c", "a b c"),
    ],
)
def test_a_name_that_is_no_model(name: str, message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_model(name, device="cpu")
    assert one_line(caught.value)


@pytest.mark.parametrize("dtype", ["int8", "fp16", "torch.float32", "", "float64"])
def test_an_unknown_dtype(folders: Path, dtype: str):
    with pytest.raises(InputError, match="expected one of auto, float32, bfloat16, float16"):
        load_model(folders / "llama", dtype=dtype)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there(folders: Path, device: str):
    with pytest.raises(InputError, match="device") as caught:
        load_model(folders / "llama", device=device)
    assert one_line(caught.value)


@pytest.mark.parametrize("name", ["llama", "embedded:base"])
def test_an_unknown_attention(folders: Path, name: str):
    name = name if name.startswith("embedded") else str(folders / name)
    with pytest.raises(CalibError, match="nope") as caught:
        load_model(name, device="cpu", attn_implementation="nope")
    assert one_line(caught.value)


@pytest.mark.skipif(bool(importlib.util.find_spec("flash_attn")), reason="flash-attn is installed")
def test_an_attention_that_is_not_installed(folders: Path):
    with pytest.raises(CalibError, match=r"(?i)flash.?attn|flash.?attention"):
        load_model(folders / "llama", device="cpu", attn_implementation="flash_attention_2")


@pytest.mark.parametrize("name", ["llama", "embedded:base"])
def test_an_unknown_argument(folders: Path, name: str):
    name = name if name.startswith("embedded") else str(folders / name)
    with pytest.raises(CalibError, match="no_such_argument"):
        load_model(name, device="cpu", no_such_argument=1)


def broken(folder: Path, how: str) -> None:
    if how == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "config":
        (folder / "config.json").write_text("{")
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "torn weights":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "no tokenizer":
        for path in folder.glob("token*"):
            path.unlink()
    elif how == "missing tensors":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        del weights["model.layers.1.mlp.down_proj.weight"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    "how", ["empty", "config", "no weights", "torn weights", "no tokenizer", "missing tensors"]
)
def test_a_folder_that_is_no_whole_model(folders: Path, tmp_path: Path, how: str):
    folder = tmp_path / "model"
    shutil.copytree(folders / "llama", folder)
    broken(folder, how)
    with pytest.raises(CalibError, match=f"model '{folder}' cannot be loaded") as caught:
        load_model(folder, device="cpu")
    assert one_line(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalize": "max"}, "normalize: expected one of sum, mean, got 'max'"),
        ({"confidence": "x"}, "confidence: expected one of options, vocab, got 'x'"),
        ({"temperature": 0}, "temperature: expected a positive number, got 0"),
        ({"normalize": "mean", "confidence": "vocab"}, "expected 'sum' with confidence 'vocab'"),
    ],
)
def test_settings_that_no_score_has(load: Callable[[str], Model], settings: Any, message: str):
    with pytest.raises(InputError, match=message):
        load("llama").option_scores(questions(images=False)[:1], **settings)


def test_items_that_cannot_be_scored(load: Callable[[str], Model]):
    model = load("llama")
    with pytest.raises(InputError, match="'free' has no options to score"):
        model.option_scores([Item("free", "Which?")])
    with pytest.raises(
        InputError, match="'far': answer 5 is not the index of one of its 2 options"
    ):
        model.option_scores([Item("far", "Which?", options=("red", "no"), answer=5)])


def test_an_image_may_be_named_by_a_text(load: Callable[[str], Model], tmp_path: Path):
    picture(2).save(tmp_path / "a.png")
    rows = [
        load("llava").option_scores([Item("q", "Which?", (image,), ("red", "no"), 0)])[0]
        for image in (str(tmp_path / "a.png"), tmp_path / "a.png", picture(2))
    ]
    assert rows[0] == rows[1] == rows[2]
