"""What was asked and answered before a question, as a model is given it: rendered by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from calib.hf.encoding import collate, encode
from calib.hf.model import Model
from calib.hf.speakers import Speakers
from calib.records import CalibError, Item, Prompt
from calib.tasks.prompts import build
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

# Says who speaks; takes texts and parts.
ROLES = (
    "<bos>{% for m in messages %}[{{ m.role }}]{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for p in m.content %}{% if p.type == 'image' %}<image>{% else %}{{ p.text }}"
    "{% endif %}{% endfor %}{% endif %}<eos>{% endfor %}[assistant]"
)
# Cuts thoughts out of earlier answers and opens a block of its own, unless told not to.
THINKS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</think>')[-1] }}{% endfor %}"
    "[assistant]{% if enable_thinking is not defined or enable_thinking %}<think>\n"
    "{% else %}<think>\n\n</think>\n\n{% endif %}"
)
TURNS = (("Is it a car?", "Yes."), ("New?", "No."))
ITEM = Item("q", "Which?", options=("red", "no"), answer=0, meta={"turns": TURNS, "hint": "Dusk."})
RED, BLUE = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
ASKED = "Hint: Dusk.\nWhich?\n(A) red\n(B) no\nAnswer with the option's letter."
SAID = (
    "<bos>[user]Is it a car?<eos>[assistant]Yes.<eos>[user]New?<eos>[assistant]No.<eos>"
    f"[user]{ASKED}<eos>[assistant]"
)


def speakers(template: str | None, pictures: bool = False) -> Speakers:
    if not pictures:
        return Speakers(make_tokenizer(template), None)
    processor = make_processor(template)
    return Speakers(processor.tokenizer, processor)


@pytest.mark.parametrize("pictures", [False, True])
def test_turns_alternate(pictures: bool) -> None:
    encoded = encode(build(ITEM, "letters"), speakers(ROLES, pictures), "q")
    assert encoded.text == SAID
    assert encoded.length == len(make_tokenizer()(SAID, add_special_tokens=False)["input_ids"])


def test_they_are_rendered_as_transformers_does() -> None:
    roles = ("user", "assistant") * 3
    texts = ("Is it a car?", "Yes.", "New?", "No.", ASKED)
    turns = [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]
    tokenizer = make_tokenizer(ROLES)
    expected = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert expected == SAID


def test_pictures_stand_in_the_first_turn() -> None:
    own = speakers(ROLES, pictures=True)
    prompt = build(Item("q", "Which?", (RED, BLUE), meta={"turns": TURNS}), "letters")
    encoded = encode(prompt, own, "q")
    assert encoded.text.startswith("<bos>[user]<image><image>Is it a car?<eos>[assistant]Yes.")
    assert encoded.text.count("<image>") == 2
    pixels = collate([encoded], own)["pixel_values"]
    torch.testing.assert_close(pixels[:, :, 0, 0], torch.tensor([[1.0, -1, -1], [-1, -1, 1]]))


@pytest.mark.parametrize("pictures", [False, True])
def test_without_a_template_they_stand_before_the_text(pictures: bool) -> None:
    item = Item("q", "Which?", (RED,) if pictures else (), ("red", "no"), 0, None, ITEM.meta)
    encoded = encode(build(item, "letters", chat=False), speakers(None, pictures), "q")
    assert encoded.text == (
        f"{'<image>' + chr(10) if pictures else ''}Is it a car?\nAnswer: Yes.\n\nNew?\n"
        f"Answer: No.\n\n{ASKED}\nAnswer:"
    )


@pytest.mark.parametrize(
    ("mode", "thoughts", "end"),
    [
        ("off", None, "<think>\n\n</think>\n\n"),
        ("own", None, "<think>\n"),
        ("on", None, "<think>\n"),
        ("on", "hm", "<think>\nhm\n</think>\n\n"),
    ],
)
def test_thoughts_stand_behind_the_last_turn(mode: str, thoughts: str | None, end: str) -> None:
    meta = {"turns": [("A car?", "<think>well</think>Yes.")], "thinking": thoughts}
    prompt = build(Item("q", "Which?", meta=meta), "options")
    encoded = encode(prompt, speakers(THINKS), "q", thinking=mode)
    asked = "Which?\nAnswer with one word or a short phrase."
    assert encoded.text == f"[user]A car?[assistant]Yes.[user]{asked}[assistant]{end}"


def test_what_the_model_has_begun_stands_behind_them() -> None:
    item = Item("q", "Which?", options=("red", "no"), meta={"turns": TURNS, "reasoning": "Hm."})
    encoded = encode(build(item, "letters"), speakers(ROLES), "q")
    assert encoded.text.startswith("<bos>[user]Is it a car?<eos>[assistant]Yes.<eos>")
    assert encoded.text.endswith("then answer.<eos>[assistant]Hm.\nThe answer is")


@pytest.mark.parametrize(
    "template",
    [
        "[user]{{ messages[-1].content }}[assistant]",
        "{% for m in messages if m.role == 'user' %}[user]{{ m.content }}{% endfor %}[assistant]",
        "{% if messages | length > 1 %}{{ raise_exception('one turn') }}{% endif %}"
        "{{ messages[0].content }}[assistant]",
    ],
)
def test_a_template_that_leaves_turns_out_is_refused(template: str) -> None:
    with pytest.raises(CalibError, match=r"leaves out one of the turns|fails: one turn"):
        encode(build(ITEM, "letters"), speakers(template), "q")
    alone = Item("q", ITEM.question, options=ITEM.options)
    assert encode(build(alone, "letters"), speakers(template), "q").text.endswith("[assistant]")


def test_what_a_processor_writes_behind_a_prompt_is_still_found() -> None:
    own = speakers(ROLES, pictures=True)
    prompt = Prompt("Which?", (RED,), (("red",), ("no",)), turns=TURNS)
    text, special = own.templated(prompt)
    assert own.tail(prompt, text, special) == ""


@pytest.mark.parametrize("pictures", [False, True])
def test_scores_are_those_of_the_text_by_hand(pictures: bool) -> None:
    own = speakers(ROLES, pictures)
    hf = make_llava() if pictures else make_llama()
    model = Model("tiny", hf, own.tokenizer, own.processor)
    item = Item("q", "Which?", (RED,) if pictures else (), ("red", "no"), 0, None, ITEM.meta)
    (row,) = model.option_scores([item])
    text = SAID.replace("[user]", "[user]<image>", 1) if pictures else SAID
    if pictures:
        inputs: Any = own.processor(
            text=[text], images=[RED], return_tensors="pt", add_special_tokens=False
        )
    else:
        inputs = own.tokenizer([text], return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        logp = hf(**inputs).logits[0, -1].double().log_softmax(0)
    expected = [logp[own.tokenizer.convert_tokens_to_ids(o)].item() for o in "AB"]
    assert row["logprob"] == pytest.approx(expected, abs=1e-4)  # float32, padded or not
    (bare,) = model.option_scores([Item("q", "Which?", item.images, ("red", "no"), 0)])
    assert abs(bare["logprob"][0] - row["logprob"][0]) > 1e-3
