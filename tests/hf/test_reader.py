"""Prompts beside others: what depends on what is padded is read apart, what does not, together."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from calib.hf.model import Model
from calib.hf.reader import Condition, independent
from calib.hf.speakers import Speakers
from calib.records import CalibError, InputError, Item
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 200}


def rwkv() -> Any:
    """Its state goes on through padding."""
    from transformers import RwkvConfig, RwkvForCausalLM

    torch.manual_seed(3)
    return spread(RwkvForCausalLM(RwkvConfig(**SIZES, attention_hidden_size=32)))


def recurrent_gemma() -> Any:
    from transformers import RecurrentGemmaConfig, RecurrentGemmaForCausalLM

    torch.manual_seed(3)
    config = RecurrentGemmaConfig(
        **SIZES, num_attention_heads=4, num_key_value_heads=1, intermediate_size=64, lru_width=32,
        block_types=["recurrent", "attention"], attention_window_size=16, eos_token_id=2,
    )  # fmt: skip
    return spread(RecurrentGemmaForCausalLM(config))


def mamba() -> Any:
    """A recurrence, too, but one that masks padding."""
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(3)
    return spread(MambaForCausalLM(MambaConfig(**SIZES, state_size=4)))


def spread(hf: Any) -> Any:
    """Weights so wide that what is read moves the logits."""
    with torch.no_grad():
        for weight in hf.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.3)
    return hf.eval()


MODELS: dict[str, tuple[Callable[[], Any], bool]] = {
    "llama": (make_llama, True),
    "mamba": (mamba, True),
    "rwkv": (rwkv, False),
    "recurrent_gemma": (recurrent_gemma, False),
}


def questions() -> list[Item]:
    options = [("red", "no"), ("green", "nor"), ("yes", "not")]
    sizes = (1, 9, 4, 4, 9, 2)
    return [Item(f"q{k}", "ab " * n, options=options[k % 3], answer=0) for k, n in enumerate(sizes)]


@pytest.mark.parametrize("name", MODELS)
def test_a_row_beside_others_is_what_it_is_alone(name: str) -> None:
    make, together = MODELS[name]
    model = Model(name, make(), make_tokenizer(), None)
    items = questions()
    rows = model.option_scores(items, batch_size=8)
    assert model.reader.learned[Condition(False, False, False, True)] is together
    for item, row in zip(items, rows, strict=True):
        (alone,) = model.option_scores([item])
        assert row.keys() == alone.keys()
        assert row["logprob"] == pytest.approx(alone["logprob"], abs=1e-4)
        assert row["prediction"] == alone["prediction"]


def test_such_prompts_go_together_where_they_are_as_long() -> None:
    model = Model("rwkv", rwkv(), make_tokenizer(), None)
    encoded = model.encode(questions(), "options")
    assert [part.rows for part in model.reader.parts(encoded)] == [[0], [1, 4], [2, 3], [5]]
    assert [part.rows for part in model.reader.parts([encoded[1], encoded[4]])] == [[0, 1]]


def test_greedy_answers_are_those_of_each_prompt_alone() -> None:
    # Not of RWKV, whose own step in transformers 5.23 is wrong for more than one row.
    model = Model("recurrent_gemma", recurrent_gemma(), make_tokenizer(), None)
    items = questions()
    texts = model.generate(items, max_new_tokens=5)
    assert texts == [model.generate([item], max_new_tokens=5)[0] for item in items]


class Counting(torch.nn.Module):
    """A language model's logits, moved by how many rows stand beside each."""

    def __init__(self, hf: Any, by: float) -> None:
        super().__init__()
        self.by = by
        for name in ("config", "dtype", "prepare_inputs_for_generation"):
            setattr(self, name, getattr(hf, name))
        self._prepare_position_ids_for_generation = hf._prepare_position_ids_for_generation
        self.hf = hf

    def forward(self, input_ids: Any = None, position_ids: Any = None, **inputs: Any) -> Any:
        outputs = self.hf(input_ids=input_ids, position_ids=position_ids, **inputs)
        outputs.logits = outputs.logits + self.by * (len(input_ids) - 1)
        return outputs


@pytest.mark.parametrize(
    ("by", "same"), [(0.0, True), (5e-4, True), (2e-3, False), (math.nan, False)]
)
def test_how_far_logits_may_lie_apart(by: float, same: bool) -> None:
    ids = torch.tensor([[1, 20, 21], [0, 1, 30]])
    batch = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    alone = {name: value[1:, 1:] for name, value in batch.items()}
    assert independent(Counting(make_llama(), by), batch, 1, alone) is same


def test_prompts_of_other_numbers_of_pictures_are_asked_about_apart() -> None:
    processor = make_processor()
    model = Model("llava", make_llava(), processor.tokenizer, processor)
    picture = Image.new("RGB", (20, 20), "red")
    items = [
        Item(f"q{n}", "Which?", (picture,) * n, options=("red", "nor"), answer=0) for n in (1, 2, 1)
    ]
    encoded = model.encode(items, "options")
    assert [part.rows for part in model.reader.parts(encoded)] == [[0, 1, 2]]
    mixed = Condition(pictures=True, numbers=True, sizes=True, padded=True)
    assert model.reader.learned[mixed] is True
    model.reader.learned[mixed] = False
    assert [part.rows for part in model.reader.parts(encoded)] == [[0, 2], [1]]
    rows = model.option_scores(items)
    model.reader.learned[mixed] = True
    for apart, together in zip(rows, model.option_scores(items), strict=True):
        assert apart["logprob"] == pytest.approx(together["logprob"], abs=1e-5)


def test_a_prompt_longer_than_the_positions_is_refused() -> None:
    model = Model("llama", make_llama(), make_tokenizer(), None)
    limit = model.hf.config.max_position_embeddings
    item = Item("long", "a" * limit, options=("red", "no"), answer=0)
    with pytest.raises(InputError, match=r"'long': a prompt of 2,\d\d\d tokens.*2,048 positions"):
        model.option_scores([item])
    with pytest.raises(InputError, match="and 2,040 behind it are more than the 2,048 positions"):
        model.sample([Item("q", "Which?")], n=1, max_new_tokens=2040)


def test_a_picture_that_is_not_read_is_refused() -> None:
    """As BLIP-2, which leaves out all pictures but the first."""
    processor, hf = make_processor(), make_llava()
    read = hf.forward

    @functools.wraps(read)
    def forward(*args: Any, pixel_values: Any = None, **kwargs: Any) -> Any:
        if pixel_values is not None:
            pixel_values = torch.cat([pixel_values[:1], torch.zeros_like(pixel_values[1:])])
        return read(*args, pixel_values=pixel_values, **kwargs)

    red, blue = (Image.new("RGB", (20, 20), color) for color in ("red", "blue"))
    two = Item("two", "Which?", (red, blue), options=("red", "no"), answer=0)
    Model("llava", hf, processor.tokenizer, processor).option_scores([two])
    hf.forward = forward
    model = Model("blind", hf, processor.tokenizer, processor)
    model.option_scores([replace(two, images=(red,))])
    with pytest.raises(InputError, match=r"'two' has 2 images, and Llava.* does not read the last"):
        model.option_scores([two])


def test_a_prompt_that_the_processor_refuses_is_named() -> None:
    processor = make_processor()
    model = Model("llava", make_llava(), processor.tokenizer, processor)
    items = [
        Item(name, text, (Image.new("RGB", (20, 20)),), options=("red", "no"), answer=0)
        for name, text in (("fine", "Which?"), ("odd", "Which <image>?"))
    ]
    with pytest.raises(CalibError, match=r"item 'odd': LlavaProcessor refuses it: .*") as caught:
        model.option_scores(items)
    assert "\n" not in str(caught.value)


class WritesPictures:
    """A processor that puts a picture's tokens before the text by itself."""

    chat_template = None

    def __init__(self, processor: Any, token: str | None) -> None:
        self.inner, self.tokenizer = processor, processor.tokenizer
        if token is not None:
            self.image_token, self.image_token_id = token, 4

    def __call__(self, *, text: list[str], **how: Any) -> Any:
        if "images" in how:
            text = [f"<image>{one}" for one in text]
            if "<image>" in text[0][7:]:
                raise ValueError("more placeholders than pictures")
        return self.inner(text=text, **how)


def test_what_stands_for_a_picture_in_plain_text() -> None:
    processor = make_processor()
    assert Speakers(processor.tokenizer, processor).picture == "<image>\n"
    for token in ("<image>", None):
        assert Speakers(processor.tokenizer, WritesPictures(processor, token)).picture == ""


@pytest.mark.parametrize("name", MODELS)
def test_answers_drawn_together_are_those_drawn_alone(name: str) -> None:
    """RWKV's own step mixes rows in transformers 5.23: there they decode one by one."""
    model = Model(name, MODELS[name][0](), make_tokenizer(), None)
    item = questions()[1]
    (together,) = model.sample([item], n=4, max_new_tokens=6, seed=1)
    (alone,) = model.sample([item], n=4, max_new_tokens=6, seed=1, rows=1)
    for one, other in zip(together, alone, strict=True):
        assert (one.text, one.tokens) == (other.text, other.tokens)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
    steps = {key[1]: value for key, value in model.reader.learned.items() if key[0] == "steps"}
    assert list(steps.values()) == [name != "rwkv"]
