"""What is kept between prompts: each picture is encoded once, and nothing changes by it."""

from __future__ import annotations

import json
import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import calib
from calib.hf import orders
from calib.hf.memory import Memory, Prefix
from calib.hf.model import Model
from calib.models.protocol import Scoring
from calib.records import Item
from calib.tasks import Task
from tests.conformance.families import FAMILIES
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

PICTURES = 44
CUES = ("It is", "It may be", "So it is", "I say")


def questions(images: bool = True) -> list[Item]:
    chance = random.Random(0)
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(PICTURES)]
    return [
        Item(
            f"q{k}",
            f"Which of {k}?",
            (Image.new("RGB", (8, 8), colours[k]),) if images else (),
            ("red", "yes", "no"),
            k % 3,
        )
        for k in range(PICTURES)
    ]


@pytest.fixture
def llava() -> Model:
    processor = make_processor()
    return Model("llava", make_llava(), processor.tokenizer, processor)


@pytest.fixture
def encoded(llava: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call of the vision tower has encoded."""
    counts: list[int] = []
    tower = llava.hf.model.vision_tower
    forward = tower.forward

    def watched(pixels: Any, **given: Any) -> Any:
        counts.append(len(pixels))
        return forward(pixels, **given)

    monkeypatch.setattr(tower, "forward", watched)
    return counts


def asked(model: Model, items: list[Item], cues: tuple[str, ...]) -> list[dict[str, Any]]:
    flat = [replace(item, meta={"cue": cue}) for item in items for cue in cues]
    how = Scoring("options", batch_size=len(cues), orders=len(cues))
    plan = model.scores(flat, how)
    rows: dict[int, Any] = {}
    for batch in plan.run(range(len(plan.batches))):
        rows.update(zip(plan.batches[batch.number], batch.rows, strict=True))
    return [rows[i] for i in range(len(flat))]


def agree(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    for row, other in zip(rows, others, strict=True):
        # Float32 sums in another order, of logits up to some tens.
        assert row["logprob"] == pytest.approx(other["logprob"], abs=2e-4)


def test_a_search_encodes_each_picture_once(llava: Model, encoded: list[int], tmp_path: Path):
    task = Task("pictures", tuple(questions()), "options")
    how: dict[str, Any] = {"rounds": 3, "search": 22, "held_out": 22, "patience": 0}
    search = calib.optimize_prompts(llava, task, out=tmp_path, **how)
    read = json.loads((tmp_path / "results.json").read_text())["read"]
    assert read > 22 * 20, "pictures are behind many more prompts"
    assert sum(encoded) == PICTURES, "searched and held-out ones alike"
    assert len(search.history) == 4


@pytest.mark.parametrize("images", [True, False])
def test_what_is_kept_changes_nothing(llava: Model, images: bool):
    model = llava if images else Model("llama", make_llama(), make_tokenizer(), None)
    items = questions(images)[:6]
    expected = [asked(model, items, cues) for cues in (CUES, CUES[:1], CUES[1:])]
    with model.remembering(1.0) as memory:
        for _ in range(2):
            for rows, cues in zip(expected, (CUES, CUES[:1], CUES[1:]), strict=True):
                agree(asked(model, items, cues), rows)
        assert memory.encoded == (6 if images else 0)
        assert model.reader.learned[orders.RIGHT], "prefixes were used again"
    assert model.reader.memory is None
    assert not [m for m in model.hf.modules() if "get_image_features" in vars(m)]


def test_a_prefix_that_is_not_as_read_is_not_used(llava: Model, monkeypatch: pytest.MonkeyPatch):
    items = questions()[:4]
    expected = asked(llava, items, CUES)
    copied = orders.deepcopy

    def spoilt(cache: Any) -> Any:
        other = copied(cache)
        for layer in other.layers:
            layer.keys += 1.0
            layer.values *= 1.5
        return other

    monkeypatch.setattr(orders, "deepcopy", spoilt)
    with llava.remembering(1.0):
        for _ in range(3):
            agree(asked(llava, items, CUES), expected)
    assert llava.reader.learned[orders.RIGHT] is False


def test_there_is_no_more_than_the_room(llava: Model, encoded: list[int]):
    items = questions()[:6]
    expected = asked(llava, items, CUES)
    encoded.clear()
    with llava.remembering(0) as memory:
        agree(asked(llava, items, CUES), expected)
        agree(asked(llava, items, CUES), expected)
        assert memory.held == 0 and sum(encoded) == 12


def test_features_go_before_prefixes():
    memory = Memory(100)
    layer = type("Layer", (), {"keys": torch.zeros(10), "values": torch.zeros(5)})
    cache = type("Cache", (), {"layers": [layer]})
    memory.keep("a", (), Prefix((1, 2), cache))
    assert memory.held == 60 and memory.prefix("a", (1, 2), ()) is not None
    assert memory.prefix("a", (1, 3), ()) is None and memory.prefix("b", (1, 2), ()) is None
    memory.keep("b", (), Prefix((1,), cache))
    assert memory.held == 60, "there is no room for a second"
    made = memory.features("picture", lambda: torch.ones(20))
    assert memory.held == 80 and memory.prefix("a", (1, 2), ()) is None
    assert memory.features("picture", lambda: 1 / 0) is made


def test_gradients_pass_by(llava: Model):
    pixels = torch.zeros(1, 3, 16, 16)
    with llava.remembering(1.0) as memory:
        first = llava.hf.model.get_image_features(pixels).pooler_output[0]
        second = llava.hf.model.get_image_features(pixels).pooler_output[0]
        assert first.grad_fn is not None and first is not second and memory.encoded == 0


@pytest.mark.parametrize("name", ["qwen2", "gemma3", "idefics3", "llava_next", "mllama"])
def test_families_give_the_same_with_what_is_kept(name: str, tmp_path: Path):
    """Their encoders answer otherwise: in lists, tiles, layers that nothing reads."""
    family = FAMILIES[name]
    family.build(tmp_path)
    model = calib.load_model(tmp_path)
    items = [replace(item, images=()) if not family.images else item for item in questions()[:3]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # options of several tokens are read whole
        expected = asked(model, items, CUES)
        with model.remembering(1.0) as memory:
            for _ in range(2):
                agree(asked(model, items, CUES), expected)
    assert memory.found > 0 or name in ("qwen2", "mllama"), "the others have get_image_features"


def test_answers_are_the_same_with_what_is_kept(llava: Model, encoded: list[int], tmp_path: Path):
    """``generate`` takes the pictures' inputs by the encoder's signature; so has the memory."""
    task = Task("asked", tuple(questions()[:6]), "options")
    how: dict[str, Any] = {"samples": 3, "max_new_tokens": 4, "seed": 5}
    alone = calib.sample(llava, task, out=tmp_path / "alone", **how).answers()
    with llava.remembering(1.0):
        kept = calib.sample(llava, task, out=tmp_path / "kept", **how).answers()
        encoded.clear()
        again = calib.sample(llava, task, out=tmp_path / "again", **how).answers()
    assert encoded == []
    assert alone["text"].tolist() == kept["text"].tolist() == again["text"].tolist()
