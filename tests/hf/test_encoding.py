"""Prompts as token ids: options as they stand in context, overlaps refused, padding on the left."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from calib.hf.encoding import collate, encode
from calib.hf.reading import accepted
from calib.hf.speakers import Speakers
from calib.records import CalibError, InputError, Prompt
from tests.hf.conftest import make_processor

RED = Image.new("RGB", (20, 10), "red")


def prompt(*options: str | tuple[str, ...], text: str = "Which?", **more: Any) -> Prompt:
    spelled = tuple(o if isinstance(o, tuple) else (o,) for o in options)
    return Prompt(text, more.pop("images", ()), spelled, **more)


def names(tokenizer: Any, options: Any) -> list[list[list[str]]]:
    return [[tokenizer.convert_ids_to_tokens(list(ids)) for ids in option] for option in options]


def test_options_are_the_tokens_behind_the_prompt(tokenizer: Any):
    encoded = encode(prompt("red", "green", ("no", "No")), Speakers(tokenizer, None), "q")
    assert encoded.text == "<bos>Which?<eos>A:"
    assert encoded.length == 1 + len("Which?") + 1 + 2
    assert encoded.cut == 0
    assert names(tokenizer, encoded.options) == [
        [["red"]],
        [["g", "re", "e", "n"]],
        [["no"], ["N", "o"]],
    ]
    assert not encoded.single
    assert encoded.kind == (False, False, 0)


def test_single_tokens(tokenizer: Any):
    encoded = encode(prompt(("yes", " yes"), "no"), Speakers(tokenizer, None), "q")
    assert names(tokenizer, encoded.options) == [[["yes"], [" yes"]], [["no"]]]
    assert encoded.single


def test_a_completion_is_taken_as_it_is(tokenizer: Any):
    encoded = encode(
        prompt(" red", " no", text="Q\nAnswer:", chat=False), Speakers(tokenizer, None), "q"
    )
    assert encoded.text == "Q\nAnswer:"
    assert names(tokenizer, encoded.options) == [[[" red"]], [[" no"]]]


def test_a_completion_begins_as_the_tokenizer_begins(tokenizer: Any):
    """Llama-like tokenizers put a token in front of everything; their models expect it."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.bos_token_id)]
    )
    encoded = encode(prompt(" red", " no", text="Q:", chat=False), Speakers(tokenizer, None), "q")
    inputs = collate([encoded], Speakers(tokenizer, None))
    ids = inputs["input_ids"][0].tolist()
    assert ids == tokenizer("Q:")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "Q", ":"]
    templated = encode(prompt("red", "no"), Speakers(tokenizer, None), "q")
    assert templated.text.count("<bos>") == 1


def test_an_option_that_merges_with_the_prompt_is_scored_before_the_merge(tokenizer: Any):
    # "(" and "A" are one token, "(" and "B" are two.
    encoded = encode(prompt("A", "B", text="Answer: (", chat=False), Speakers(tokenizer, None), "q")
    assert encoded.length == len("Answer: (")
    assert encoded.cut == 1
    assert names(tokenizer, encoded.options) == [[["(A"]], [["(", "B"]]]
    assert encoded.kind == (False, False, 1)
    inputs = collate([encoded], Speakers(tokenizer, None))
    kept = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    assert kept == list("Answer: ")
    assert inputs["attention_mask"].shape == inputs["input_ids"].shape


@pytest.mark.parametrize("text", ["Which?", "ye", "(", " ", "re", "no n", "\n"])
@pytest.mark.parametrize("chat", [True, False])
def test_prompt_and_option_together_are_the_whole_text(tokenizer: Any, text: str, chat: bool):
    given = prompt("red", "s", "A", ("o", " no"), "d(A)", text=text, chat=chat)
    encoded = encode(given, Speakers(tokenizer, None), "q")
    bare = tokenizer(encoded.text, add_special_tokens=False)["input_ids"]
    assert len(bare) == encoded.length
    start = bare[: len(bare) - encoded.cut]
    for spellings, option in zip(given.options, encoded.options, strict=True):
        for spelling, ids in zip(spellings, option, strict=True):
            whole = tokenizer(encoded.text + spelling, add_special_tokens=False)["input_ids"]
            assert [*start, *ids] == whole


def test_spellings_of_one_option_that_are_the_same_tokens_count_once(tokenizer: Any):
    encoded = encode(
        prompt(("é", "è", "x"), "y"), Speakers(tokenizer, None), "q"
    )  # both are unknown to it
    assert names(tokenizer, encoded.options) == [[["<unk>"], ["x"]], [["y"]]]


@pytest.mark.parametrize(
    "options", [("é", "è"), ("red", "red"), (("yes", "é"), ("no", "è")), ("x", "red", "no", "red")]
)
def test_two_options_that_are_the_same_tokens_are_refused(tokenizer: Any, options: Any):
    with pytest.raises(InputError, match=r"^item 'q3': the options .* are the same") as caught:
        encode(prompt(*options), Speakers(tokenizer, None), "q3")
    assert "\n" not in str(caught.value)


def test_the_refusal_names_both_options_and_the_token(tokenizer: Any):
    with pytest.raises(InputError, match=r"'yes' and 'no' .*<unk>.*\['yes', 'no'\]"):
        encode(prompt(("yes", "é"), ("no", "è")), Speakers(tokenizer, None), "q")


def test_options_that_share_a_beginning_are_not_refused(tokenizer: Any):
    encoded = encode(prompt("nor", "not", "no"), Speakers(tokenizer, None), "q")
    assert names(tokenizer, encoded.options) == [[["no", "r"]], [["no", "t"]], [["no"]]]


def test_an_option_without_a_token_is_refused(tokenizer: Any):
    with pytest.raises(InputError, match="item 'q3': option '' is empty"):
        encode(prompt("", "x"), Speakers(tokenizer, None), "q3")


def test_an_image_needs_a_model_that_sees(tokenizer: Any):
    with pytest.raises(InputError, match=r"item 'q3' has an image.*text only"):
        encode(prompt("x", "y", images=(RED,)), Speakers(tokenizer, None), "q3")


def test_images_stand_in_front_of_the_text(processor: Any):
    tokenizer = processor.tokenizer
    given = prompt("x", "y", images=(RED, RED))
    assert (
        encode(given, Speakers(tokenizer, processor), "q").text
        == "<bos><image>\n<image>\nWhich?<eos>A:"
    )
    given = prompt("x", "y", images=(RED,), text="Answer: (", chat=False)
    encoded = encode(given, Speakers(tokenizer, processor), "q")
    assert encoded.text == "<image>\nAnswer: ("
    assert encoded.kind == (True, True, 0)


def test_padding_is_on_the_left(tokenizer: Any):
    batch = [
        encode(prompt("x", "y", text=t), Speakers(tokenizer, None), t) for t in ("no", "Which one?")
    ]
    inputs = collate(batch, Speakers(tokenizer, None))
    short, long = inputs["input_ids"].tolist()
    assert inputs["attention_mask"].tolist() == [[0] * 9 + [1] * 5, [1] * 14]
    assert short[:9] == [tokenizer.pad_token_id] * 9
    assert tokenizer.decode(short[9:]) == batch[0].text
    assert tokenizer.decode(long) == batch[1].text


def test_padding_is_on_the_left_whatever_the_tokenizer_says(tokenizer: Any, processor: Any):
    for speaker, images in ((None, ()), (processor, (RED,))):
        own = tokenizer if speaker is None else speaker.tokenizer
        own.padding_side = "right"
        batch = [
            encode(prompt("x", "y", text=t, images=images), Speakers(own, speaker), t)
            for t in ("a", "abc")
        ]
        mask = collate(batch, Speakers(own, speaker))["attention_mask"].tolist()
        assert mask[0] == [0, 0] + [1] * (len(mask[0]) - 2)
        assert set(mask[1]) == {1}


def test_a_cut_takes_off_the_end_of_every_prompt(tokenizer: Any):
    texts = ("a: (", "abc: (")
    batch = [
        encode(prompt("A", "B", text=t, chat=False), Speakers(tokenizer, None), t) for t in texts
    ]
    inputs = collate(batch, Speakers(tokenizer, None))
    kept = [tokenizer.convert_ids_to_tokens(row) for row in inputs["input_ids"].tolist()]
    assert kept == [["<pad>", "<pad>", *"a: "], [*"abc: "]]
    assert inputs["attention_mask"].tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]


def test_an_image_becomes_its_patches(processor: Any):
    blue = Image.new("CMYK", (40, 40), (255, 255, 0, 0))
    batch = [
        encode(
            prompt("x", "y", text="a", images=(RED,)), Speakers(processor.tokenizer, processor), "a"
        ),
        encode(
            prompt("x", "y", text="abc", images=(blue,)),
            Speakers(processor.tokenizer, processor),
            "b",
        ),
    ]
    inputs = collate(batch, Speakers(processor.tokenizer, processor))
    patches = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert (inputs["input_ids"] == patches).sum(1).tolist() == [4, 4]
    assert inputs["pixel_values"].shape == (2, 3, 16, 16)
    # Mean and deviation are .5: full is 1, none is -1. The order is the batch's.
    torch.testing.assert_close(inputs["pixel_values"][0, :, 0, 0], torch.tensor([1.0, -1, -1]))
    torch.testing.assert_close(inputs["pixel_values"][1, :, 0, 0], torch.tensor([-1.0, -1, 1]))


def test_several_images_of_one_question(processor: Any):
    batch = [
        encode(
            prompt("x", "y", images=(RED, RED), text=t), Speakers(processor.tokenizer, processor), t
        )
        for t in ("a", "bc")
    ]
    inputs = collate(batch, Speakers(processor.tokenizer, processor))
    assert inputs["pixel_values"].shape == (4, 3, 16, 16)


def llama_like() -> Any:
    """A tokenizer that marks where a word begins, and begins a text with a token of its own."""
    entries = ["<pad>", "<bos>", "<eos>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyzQA:?.", "▁Q"]
    merges = [("▁", "Q")]
    backend = Tokenizer(
        models.BPE({e: i for i, e in enumerate(entries)}, merges, unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
        unk_token="<unk>",
    )  # fmt: skip


def test_a_completion_keeps_the_mark_of_its_first_word():
    tokenizer = llama_like()
    encoded = encode(prompt(" a", " b", text="Q:", chat=False), Speakers(tokenizer, None), "q")
    ids = collate([encoded], Speakers(tokenizer, None))["input_ids"][0].tolist()
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "▁Q", ":"]
    assert names(tokenizer, encoded.options) == [[["▁", "a"]], [["▁", "b"]]]
    # Written out as text, the token would take the mark away.
    written = tokenizer("<bos>Q:", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(written) != ["<bos>", "▁Q", ":"]


def test_a_tokenizer_that_ends_what_it_reads_is_not_let(tokenizer: Any):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    encoded = encode(prompt(" red", " no", text="Q:", chat=False), Speakers(tokenizer, None), "q")
    ids = collate([encoded], Speakers(tokenizer, None))["input_ids"][0].tolist()
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "Q", ":"]


class WritesOn:
    """A processor that writes a text of its own behind every prompt, as PaliGemma's does."""

    image_token = "<image>"

    def __init__(self, processor: Any, more: str) -> None:
        self.inner, self.more, self.tokenizer = processor, more, processor.tokenizer
        self.chat_template = None

    def __call__(self, *, text: list[str], **how: Any) -> Any:
        return self.inner(text=[one + self.more for one in text], **how)


def test_what_a_processor_writes_behind_a_prompt_stands_before_the_options(processor: Any):
    writes = WritesOn(processor, "\n")
    given = prompt(" red", " no", text="Q:", chat=False, images=(RED,))
    encoded = encode(given, Speakers(writes.tokenizer, writes), "q")
    assert names(writes.tokenizer, encoded.options) == [[["red"]], [["no"]]]  # no second space
    ids = collate([encoded], Speakers(writes.tokenizer, writes))["input_ids"][0].tolist()
    assert writes.tokenizer.convert_ids_to_tokens(ids)[-3:] == ["Q", ":", "\n"]
    plain = encode(given, Speakers(processor.tokenizer, processor), "q")
    assert names(processor.tokenizer, plain.options) == [[[" red"]], [[" no"]]]


def test_a_processor_that_ends_the_prompt_is_refused(processor: Any):
    writes = WritesOn(processor, "<eos>")
    with pytest.raises(CalibError, match=r"WritesOn lets a prompt end in '.*Q:<eos>' where '.*Q:'"):
        encode(
            prompt(text="Q:", chat=False, images=(RED,)), Speakers(writes.tokenizer, writes), "q"
        )


def test_pictures_are_handed_over_as_the_processor_takes_them(processor: Any):
    class Flat(WritesOn):
        def __call__(self, *, text: list[str], images: Any, **how: Any) -> Any:
            if isinstance(images[0], list):
                raise ValueError("nested pictures are not supported")
            return self.inner(text=text, images=images, **how)

    flat = Flat(processor, "")
    batch = [
        encode(
            prompt("red", "no", text=text, images=(RED,)), Speakers(flat.tokenizer, processor), "q"
        )
        for text in ("Which?", "Which one?")
    ]
    ours, theirs = (collate(batch, Speakers(flat.tokenizer, p)) for p in (flat, processor))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    two = encode(prompt("red", "no", images=(RED, RED)), Speakers(flat.tokenizer, processor), "q")
    with pytest.raises(ValueError, match="nested pictures"):
        collate([two], Speakers(flat.tokenizer, flat))


def test_a_model_gets_what_its_forward_takes(llava: Any):
    inputs = {
        "input_ids": torch.ones(1, 2, dtype=torch.long),
        "pixel_values": [torch.ones(1, 3, dtype=torch.float64)],
        "labels": torch.ones(1, 2),
    }
    taken = accepted(llava, inputs)
    assert taken.keys() == {"input_ids", "pixel_values"}
    assert taken["input_ids"].dtype == torch.long
    assert taken["pixel_values"][0].dtype == torch.float32


@pytest.mark.parametrize("template", ["U:{{ m }}A:", "<bos>U:{{ m }}A:"])
def test_a_processor_begins_a_text_that_its_template_does_not(template: str):
    """As ``processor.apply_chat_template(tokenize=True)`` does; a tokenizer's own does not."""
    parts = (
        "{% for part in messages[0].content %}{% if part.type == 'image' %}<image>"
        "{% else %}{{ part.text }}{% endif %}{% endfor %}"
    )
    processor = make_processor(template.replace("{{ m }}", parts))
    processor.tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", processor.tokenizer.bos_token_id)]
    )
    speakers = Speakers(processor.tokenizer, processor)
    encoded = encode(prompt("red", "no", text="Q", images=(RED,)), speakers, "q")
    ids = collate([encoded], speakers)["input_ids"]
    content = [{"type": "image", "image": RED}, {"type": "text", "text": "Q"}]
    by_hand = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True,
        return_dict=True, return_tensors="pt",
    )  # fmt: skip
    assert ids.tolist() == by_hand["input_ids"].tolist()
    assert ids[0].tolist().count(processor.tokenizer.bos_token_id) == 1
    assert names(speakers.tokenizer, encoded.options) == [[["red"]], [["no"]]]
