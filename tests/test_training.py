"""The embedded model's training: packed rows equal separate ones, replies say what they should."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from calib.tasks.builtin.easy_vqa import COLOURS, SHAPES, inferred, load
from training import example
from training.example import predicted
from training.packing import Branch, pack
from training.questions import ask, sentence
from training.tiny import LETTERS, Lines


def test_a_packed_row_gives_every_branch_the_logits_it_gets_alone() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=50,
    )
    model = LlamaForCausalLM(config).eval()
    rows = [
        ([1, 2, 3], [Branch([4, 5], [6, 7]), Branch([8], [9]), Branch([10, 11, 12], [13])]),
        ([14], [Branch([15, 16], [17, 18, 19])]),
    ]
    packed = pack(rows, pad=0)
    with torch.no_grad():
        hidden = model.model(
            input_ids=packed.input_ids,
            attention_mask=packed.attention_mask,
            position_ids=packed.position_ids,
        ).last_hidden_state
        together = model.lm_head(hidden.flatten(0, 1)[packed.read])
        alone = []
        for prefix, branches in rows:
            for branch in branches:
                ids = torch.tensor([prefix + branch.question + branch.reply])
                alone.append(model(ids).logits[0, -len(branch.reply) - 1 : -1])
    # Same sums in another order: a few float32 roundings apart.
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
    # The example's labels name the same tokens, row by row, where the logits are kept.
    places, labels = predicted(packed)
    kept = model.lm_head(hidden[:, places])[labels != -100]
    torch.testing.assert_close(kept, together)
    assert torch.equal(labels[labels != -100], packed.target)
    assert packed.target.tolist() == [6, 7, 9, 13, 17, 18, 19]
    assert packed.weight.tolist() == pytest.approx([1 / 2, 1 / 2, 1, 1, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("question", "answer", "colour", "shape"),
    [
        ("what color is the circle?", "teal", "teal", "circle"),
        ("is there a red shape?", "yes", "red", None),
        ("is there a red shape?", "no", None, None),
        ("is there not a red shape?", "no", "red", None),
        ("is no triangle present?", "no", None, "triangle"),
        ("is no triangle present?", "yes", None, None),
        ("what is the gray shape?", "rectangle", "gray", "rectangle"),
    ],
)
def test_a_question_tells_colour_and_shape(
    question: str, answer: str, colour: str | None, shape: str | None
) -> None:
    assert inferred([(question, answer)], COLOURS) == colour
    assert inferred([(question, answer)], SHAPES) == shape


def test_no_picture_contradicts_itself() -> None:
    pictures = load("train")
    assert len(pictures) == 4000
    for picture in pictures:
        for _, answer in picture.questions:
            assert answer not in COLOURS or picture.colour == answer
            assert answer not in SHAPES or picture.shape == answer


@pytest.mark.parametrize(
    ("question", "answer", "reply"),
    [
        ("what is the color of the circle?", "teal", "The circle is teal."),
        ("what is the blue shape?", "rectangle", "The blue shape is a rectangle."),
        ("what shape is present?", "circle", "The image shows a circle."),
        ("is there a red shape?", "no", "No, there is no red shape."),
        ("is there not a red shape?", "yes", "Yes, there is no red shape."),
        ("does the image not contain a circle?", "no", "No, there is a circle."),
    ],
)
def test_sentences_say_the_answer(question: str, answer: str, reply: str) -> None:
    assert sentence(question, answer) == reply


def test_a_letter_names_the_option_that_holds_the_answer() -> None:
    rng = random.Random(0)
    lettered = [ask("what color is the shape?", "teal", rng) for _ in range(200)]
    lettered = [(q, r) for q, r in lettered if "letter" in q]
    assert 30 < len(lettered) < 90  # a share of .3 of 200
    for question, reply in lettered:
        assert f"({reply}) teal" in question
    assert len({reply for _, reply in lettered}) == len(COLOURS)


def test_the_example_trains_a_tiny_model_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["example", "--steps", "4", "--out", str(tmp_path)])
    example.main()
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert [record["step"] for record in numbers["evaluations"]] == [0, 4]
    assert [line["step"] for line in numbers["training"]] == [2, 4]
    for line in (*numbers["evaluations"], *numbers["training"]):
        assert 0 <= line["ece_width15_left"] <= 1 and line["entropy"] > 0
    assert all(0 < record["expected_ece"] < 0.2 for record in numbers["evaluations"])
    assert (tmp_path / "ece.png").stat().st_size > 1000


@pytest.mark.slow
def test_the_example_ends_within_a_minute(tmp_path: Path) -> None:
    """Two cores, the whole command, as its page says."""
    began = time.monotonic()
    command = [sys.executable, "-m", "training.example", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert time.monotonic() - began < 60


def test_a_line_of_the_tiny_model_asks_what_it_learns() -> None:
    pictures, _ = example.pictures(8, 1)
    lines = Lines(pictures)
    batch = lines.collate([lines[i] for i in range(8)])
    for picture, ids, labels in zip(pictures, batch["input_ids"], batch["labels"], strict=True):
        text = "".join(LETTERS[i] for i in ids).rstrip("\n")
        answer = "".join(LETTERS[i] for i in labels[labels != -100])
        question = text.removeprefix(f"{picture.colour} {picture.shape} ").removesuffix(answer[:-1])
        assert (question.strip(), answer[:-1]) in picture.questions
