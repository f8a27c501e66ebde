"""Protocol ``paper``: greedy until a letter stands, held to a loop by hand in float64."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import calib
from calib.hf.letters import NONE, Alphabet
from calib.hf.model import Model
from calib.models.letters import STEPS
from calib.models.protocol import Scoring
from calib.records import InputError, Item
from tests.conformance.families import FAMILIES
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

LETTERS = "ABCDE"
SIZES = ((16, 16), (40, 24), (9, 31))


def questions(n: int, images: bool = False) -> list[Item]:
    """Two to five options, prompts of uneven length, pictures of uneven size."""
    chance = random.Random(1)
    made = []
    for k in range(n):
        colour = tuple(chance.randrange(256) for _ in range(3))
        pictures = (Image.new("RGB", SIZES[k % 3], colour),) if images else ()
        options = ("red", "no", "yes", "a thing", "none")[: 2 + k % 4]
        made.append(Item(f"q{k}", f"Which? {'so ' * (k % 5)}{k}", pictures, options, k % 2))
    return made


def talking(hf: Any, tokenizer: Any, times: float) -> Any:
    """The model with louder letters, so that some questions are answered, at once or later."""
    torch.manual_seed(3)
    weight = hf.get_output_embeddings().weight
    with torch.no_grad():
        for letter in LETTERS:
            weight[tokenizer.convert_tokens_to_ids(letter)] *= times
    return hf


@pytest.fixture(scope="module")
def llama() -> Model:
    tokenizer = make_tokenizer()
    return Model("llama", talking(make_llama(), tokenizer, 2.0), tokenizer, None)


@pytest.fixture(scope="module")
def llava() -> Model:
    processor = make_processor()
    hf = talking(make_llava(), processor.tokenizer, 2.0)
    return Model("llava", hf, processor.tokenizer, processor)


def asked(model: Model, items: list[Item], **how: Any) -> list[dict[str, Any]]:
    settings = {"prompt": "paper", "protocol": "paper", "confidence": "vocab", **how}
    return model.option_scores(items, **settings)


def by_hand(model: Model, exact: Any, item: Item, prompt: str = "paper") -> dict[str, Any]:
    """One item alone: whole forwards without a cache, letters by what the text grows by."""
    (encoded,) = model.encode([item], prompt)
    inputs = dict(model.reader.inputs([replace(encoded, cut=0)]))
    for name, value in inputs.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            inputs[name] = value.double()
    start = inputs["input_ids"].shape[1]
    allowed, ends = LETTERS[: len(item.options)], exact.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else ends or []

    def text(ids: torch.Tensor) -> str:
        whole = ids[0, start - 1 :].tolist()
        return str(model.tokenizer.decode(whole, clean_up_tokenization_spaces=False))

    for step in range(STEPS):
        with torch.no_grad():
            logits = exact(**inputs, use_cache=False).logits[0, -1]
        p, token = logits.softmax(-1), int(logits.argmax())
        before = text(inputs["input_ids"])
        for name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
            if name in inputs:
                more = {"input_ids": token, "attention_mask": 1}.get(name, 0)
                column = torch.full((1, 1), more, dtype=inputs[name].dtype)
                inputs[name] = torch.cat([inputs[name], column], dim=1)
        said = text(inputs["input_ids"]).removeprefix(before)
        if said in list(allowed):
            of_letters = p[[model.tokenizer.convert_tokens_to_ids(a) for a in allowed]]
            return {
                "step": step,
                "prediction": allowed.index(said),
                "confidence": float(p[token]),
                "logprob": of_letters.log().tolist(),
                "prob": (of_letters / of_letters.sum()).tolist(),
                "mass": float(of_letters.sum()),
                "said": before[1:],
            }
        if token in ends:
            break
    return {"step": None, "prediction": None, "confidence": None, "said": text(inputs["input_ids"])}


def agree(rows: list[dict[str, Any]], expected: list[dict[str, Any]], abs_: float = 2e-5) -> None:
    """float32 beside float64: logits of about 10 have steps of 1e-6, and layers add some."""
    for row, hand in zip(rows, expected, strict=True):
        assert (row["step"], row["prediction"]) == (hand["step"], hand["prediction"])
        assert row["parsed"] is (hand["step"] is not None)
        if hand["step"] is None:
            assert row["confidence"] is None and set(row["prob"]) == {None}
            continue
        assert row["confidence"] == row["confidence_vocab"]
        for name in ("confidence", "mass", "prob"):
            assert row[name] == pytest.approx(hand[name], abs=abs_)
        assert row["logprob"] == pytest.approx(hand["logprob"], abs=10 * abs_)


@pytest.mark.parametrize("prompt", ["paper", "letters", "llava"])
def test_a_loop_by_hand(llama: Model, prompt: str):
    items, exact = questions(24), copy.deepcopy(llama.hf).double()
    expected = [by_hand(llama, exact, item, prompt) for item in items]
    agree(asked(llama, items, prompt=prompt, batch_size=7), expected)
    if prompt == "paper":
        steps = {hand["step"] for hand in expected}
        assert {0, None} < steps and len(steps) > 3, "at once, later and never"


def test_pictures_of_uneven_size(llava: Model):
    items, exact = questions(12, images=True), copy.deepcopy(llava.hf).double()
    rows = asked(llava, items, batch_size=5)
    agree(rows, [by_hand(llava, exact, item) for item in items])
    assert any(row["step"] for row in rows) and any(row["step"] is None for row in rows)


NAMES = ["qwen2", "gemma3", "qwen2_5_vl", "llava_next", "idefics3", "mllama", "mamba"]


@pytest.mark.parametrize("name", NAMES)
def test_families(name: str, tmp_path: Path):
    """Caches shared, repeated and expanded; positions of one part and of three; tiles."""
    if any(find_spec(package) is None for package in FAMILIES[name].needs):
        pytest.skip("needs " + ", ".join(FAMILIES[name].needs))
    FAMILIES[name].build(tmp_path)
    model = calib.load_model(tmp_path)
    talking(model.hf, model.tokenizer, 3.0)
    items = questions(6, FAMILIES[name].images)
    exact = copy.deepcopy(model.hf).double()
    rows = asked(model, items, batch_size=4)
    assert any(row["parsed"] for row in rows)
    agree(rows, [by_hand(model, exact, item) for item in items])


def test_a_batch_changes_nothing_but_rounding(llama: Model):
    items = questions(30)
    alone = asked(llama, items, batch_size=1)
    for size in (7, 30):
        agree(asked(llama, items, batch_size=size), alone, 1e-5)


def test_the_fixed_position_is_that_of_the_other_protocol(llama: Model):
    """Where the options' tokens merge with the prompt ("(A"), and where they do not."""
    items = questions(9)
    for prompt in ("paper", "letters", "llava"):
        plain = llama.option_scores(items, prompt=prompt, confidence="vocab")
        for row, other in zip(asked(llama, items, prompt=prompt), plain, strict=True):
            for name, value in row["position"].items():
                assert value == pytest.approx(other[name], abs=1e-5), (prompt, name)


def saying(llama: Model, monkeypatch: pytest.MonkeyPatch, *script: str) -> Model:
    """The model with logits that say ``script``, then "x"."""
    ids = [llama.tokenizer.convert_tokens_to_ids(one) for one in script]
    other = llama.tokenizer.convert_tokens_to_ids("x")
    forward, behind = llama.hf.forward, []

    def scripted(*given: Any, **named: Any) -> Any:
        outputs = forward(*given, **named)
        cached = named.get("past_key_values")
        new = named["input_ids"].shape[1] if "input_ids" in named else 1
        step = 0 if new > 1 or cached is None else len(behind) + 1
        behind[:] = [None] * step
        token = ids[step] if step < len(ids) else other
        logits = outputs.logits.clone()
        logits[:, -1, token] = logits[:, -1].max(-1).values + 1
        outputs.logits = logits
        return outputs

    monkeypatch.setattr(llama.hf, "forward", scripted)
    return llama


@pytest.mark.parametrize(
    ("script", "step", "prediction"),
    [
        (["B"], 0, 1),
        ([" ", "x", "A"], 2, 0),  # a space is stepped over
        (["(A", "B"], 1, 1),  # not a letter alone
        (["E", "D", "B"], 2, 1),  # letters of no option
        (["a", "x"], None, None),  # no capital
        (["x", "<eos>", "A"], None, None),  # it has ended
        (["x"] * (STEPS - 1) + ["A"], STEPS - 1, 0),
        (["x"] * STEPS + ["A"], None, None),
    ],
)
def test_what_counts_as_a_letter(monkeypatch, script, step, prediction):
    model = Model("llama", make_llama(), make_tokenizer(), None)
    model.reader.learned[("positions", False)] = True
    item = Item("q", "Which?", (), ("red", "blue"), 1)
    (row,) = asked(saying(model, monkeypatch, *script), [item], batch_size=1)
    assert (row["step"], row["prediction"]) == (step, prediction)
    assert row["correct"] is (None if step is None else prediction == 1)


class Spelling:
    """A tokenizer whose decoder tells a letter behind a space, and a byte, from a letter."""

    words = ("(", "\u2581A", "A", "AB", "<0x41>", "B", "b", "C.")

    def __call__(self, text: str, **how: Any) -> dict[str, list[int]]:
        return {"input_ids": [self.words.index(text)]}

    def __len__(self) -> int:
        return len(self.words)

    def decode(self, ids: list[int], **how: Any) -> str:
        said = "".join(self.words[i].replace("<0x41>", "A") for i in ids)
        return said.replace("\u2581", " ").removeprefix(" ")

    def batch_decode(self, rows: list[list[int]], **how: Any) -> list[str]:
        return [self.decode(row) for row in rows]

    def convert_tokens_to_ids(self, token: str) -> int | None:
        return self.words.index(token) if token in self.words else None


def test_tokens_that_are_a_letter():
    """A sentencepiece "\u2581A" decodes to "A" alone, and to " A" behind other text."""
    alphabet = Alphabet(Spelling())
    assert alphabet.letters.tolist() == [NONE, NONE, 0, NONE, 0, 1, NONE, NONE]
    assert alphabet.tokens[:3] == [2, 5, NONE]


def test_refused_at_once(llama: Model, monkeypatch: pytest.MonkeyPatch):
    for how, message in (
        ({"confidence": "options"}, "confidence: expected vocab with protocol paper"),
        ({"orders": 2, "confidence": "vocab"}, "orders: expected 1 with protocol paper"),
        ({"variants": True}, "variants: expected False"),
        ({"normalize": "mean"}, "normalize"),
        ({"prompt": "listed"}, "prompt: expected letters, llava or paper with protocol paper"),
        ({"protocol": "other"}, "protocol: expected one of position, paper"),
    ):
        with pytest.raises(InputError, match=message):
            Scoring(**{"prompt": "paper", "protocol": "paper", "confidence": "vocab", **how})
    monkeypatch.setitem(llama.__dict__, "alphabet", Alphabet(Spelling()))
    with pytest.raises(InputError, match="item 'q1': expected a token for each of its letters"):
        asked(llama, questions(4))
