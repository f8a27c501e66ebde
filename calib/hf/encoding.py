"""Prompts as token ids, with each option's own ids as they stand in context.

A tokenizer may merge the end of a prompt with the start of an answer, so prompt and option are
tokenised together and split at the longest prefix that all options share with the bare prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor

from calib.hf.ends import Spelling
from calib.hf.reading import arguments
from calib.hf.templates import rendered
from calib.hf.thinking import Conversation, switched, switches_in
from calib.images import open_image
from calib.records import CalibError, InputError, Prompt


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt: its text as the processor takes it, and its options as token ids."""

    text: str
    images: tuple[Any, ...]
    length: int  # tokens, images not counted
    cut: int  # tokens to take off the end of the prompt, where an option merges with it
    options: tuple[tuple[Spelling, ...], ...]
    special: bool = False  # the tokenizer puts its own tokens around the text

    @property
    def single(self) -> bool:
        """Whether every spelling is one token."""
        return all(len(ids) == 1 for option in self.options for ids in option)

    @property
    def kind(self) -> tuple[bool, bool, int]:
        """What questions must have in common to share a batch."""
        return bool(self.images), self.single, self.cut

    @property
    def longest(self) -> int:
        """Tokens of the longest spelling."""
        return max((len(ids) for option in self.options for ids in option), default=0)


def encode(
    prompt: Prompt,
    tokenizer: Any,
    processor: Any | None,
    name: str,
    *,
    tail: str = "",
    thinking: str = "off",
) -> Encoded:
    """Encode ``prompt``; ``name`` is the item's, for errors.

    ``tail`` is what the processor writes behind a text with pictures, ``thinking`` one of
    ``calib.hf.thinking.MODES``. Raises InputError where two
    options have a spelling in common or one is empty, and where the model takes no images and the
    prompt has some.
    """
    if prompt.images and processor is None:
        raise InputError(f"item {name!r} has an image, but this model reads text only")
    text, special = templated(prompt, tokenizer, processor, thinking)
    tail = tail if prompt.images else ""
    bare = ids_of(tokenizer, text + tail, special)
    spelled = [[behind(tail, s) for s in option] for option in prompt.options]
    joint = [[ids_of(tokenizer, text + tail + s, special) for s in option] for option in spelled]
    ends = [common_prefix(bare, ids) for option in joint for ids in option]
    shared = min(ends, default=len(bare))  # a question to be answered freely has no options
    options = tuple(tuple(dict.fromkeys(tuple(ids[shared:]) for ids in option)) for option in joint)
    refuse_overlap(options, prompt, tokenizer, name)
    return Encoded(text, prompt.images, len(bare), len(bare) - shared, options, special)


def behind(tail: str, spelling: str) -> str:
    """A spelling as it stands behind ``tail``: white space is not doubled."""
    return spelling.lstrip() if tail[-1:].isspace() else spelling


def templated(
    prompt: Prompt, tokenizer: Any, processor: Any | None, thinking: str = "off"
) -> tuple[str, bool]:
    """The whole text up to the answer, image placeholders included, and whether the tokenizer is
    to put its own special tokens around it.

    Plain text is begun as the tokenizer itself would begin it; a chat template brings its own.
    """
    if not prompt.chat:
        begin, special = beginning(tokenizer)
        token = getattr(processor, "image_token", "") if processor else ""
        asked = begin + "".join(f"{token}\n" for _ in prompt.images) + prompt.text
        return (f"{asked} {prompt.begun}" if prompt.begun else asked), special
    asked = switched(conversation(prompt, tokenizer, processor), thinking, prompt.thoughts)
    return f"{asked}{prompt.begun}", False


def conversation(prompt: Prompt, tokenizer: Any, processor: Any | None) -> Conversation:
    """The user's turn, for the chat template."""
    content: Any = prompt.text
    if processor is not None:
        content = [{"type": "image"} for _ in prompt.images]
        content.append({"type": "text", "text": prompt.text})
    speaker = processor if processor is not None else tokenizer
    turns = [{"role": "user", "content": content}]
    render = partial(rendered, speaker, turns, name=tokenizer.name_or_path)
    return Conversation(render, switches_in(speaker.chat_template))


def beginning(tokenizer: Any) -> tuple[str, bool]:
    """How plain text begins: text to write before it, and whether to leave that to the tokenizer.

    A tokenizer that only puts tokens before a text is left to do so: written out as text, its
    first token would take the mark of a word's beginning off the word behind it (Llama). One that
    also puts tokens behind a text would end it before it is answered.
    """
    around = list(tokenizer("a")["input_ids"])
    plain = ids_of(tokenizer, "a", False)
    if around[-len(plain) :] == plain:
        return "", len(around) > len(plain)
    return (tokenizer.bos_token if around[:1] == [tokenizer.bos_token_id] else ""), False


def ids_of(tokenizer: Any, text: str, special: bool) -> list[int]:
    return list(tokenizer(text, add_special_tokens=special)["input_ids"])


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    length = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        length += 1
    return length


def refuse_overlap(
    options: Sequence[Sequence[Spelling]], prompt: Prompt, tokenizer: Any, name: str
) -> None:
    owner: dict[Spelling, int] = {}
    for index, option in enumerate(options):
        for ids in option:
            if not ids:
                raise InputError(f"item {name!r}: option {prompt.options[index][0]!r} is empty")
            if owner.setdefault(ids, index) != index:
                both = [prompt.options[owner[ids]][0], prompt.options[index][0]]
                raise InputError(
                    f"item {name!r}: the options {both[0]!r} and {both[1]!r} are the same to this "
                    f"tokenizer (tokens {tokenizer.convert_ids_to_tokens(list(ids))}); options: "
                    f"{[option[0] for option in prompt.options]}"
                )


def refuse_overlong(hf: Any, prompt: int, more: int, name: str) -> None:
    """InputError where ``prompt`` and ``more`` tokens behind it have no position in the model."""
    limit = getattr(hf.config.get_text_config(), "max_position_embeddings", None)
    if isinstance(limit, int) and prompt + more > limit > 0:
        raise InputError(
            f"item {name!r}: a prompt of {prompt:,} tokens, its images not counted, and {more:,} "
            f"behind it are more than the {limit:,} positions of this model"
        )


def tail_of(prompt: Prompt, tokenizer: Any, processor: Any) -> str:
    """What the processor writes behind a text with pictures, as PaliGemma's a line break.

    Raises CalibError where that is more than white space: no answer could follow it.
    """
    encoded = encode(replace(prompt, options=()), tokenizer, processor, "")
    plain = ids_of(tokenizer, encoded.text, encoded.special)
    ids = collate([encoded], tokenizer, processor)["input_ids"][0].tolist()
    if ids[-1:] == plain[-1:]:
        return ""
    whole, end = str(tokenizer.decode(ids)), encoded.text[-12:]
    tail = whole.rpartition(end)[2]
    if end not in whole or tail.strip():
        raise CalibError(
            f"{type(processor).__name__} lets a prompt end in {whole[-24:]!r} where "
            f"{encoded.text[-24:]!r} was asked for"
        )
    return tail


def collate(batch: Sequence[Encoded], tokenizer: Any, processor: Any | None) -> dict[str, Any]:
    """What tokenizer or processor makes of prompts of one kind, left-padded, on the host."""
    how = {
        "text": [encoded.text for encoded in batch],
        "padding": True,
        "padding_side": "left",
        "add_special_tokens": batch[0].special,
        "return_tensors": "pt",
    }
    if batch[0].images:
        assert processor is not None
        images = [[open_image(image) for image in encoded.images] for encoded in batch]
        inputs = with_pictures(processor, images, how)
    else:
        inputs = dict(tokenizer(**how))
    if cut := batch[0].cut:
        shape = inputs["input_ids"].shape
        inputs = {
            name: value[:, :-cut] if value.shape[:2] == shape else value
            for name, value in inputs.items()
        }
    return inputs


def with_pictures(
    processor: Any, images: Sequence[Sequence[Any]], how: dict[str, Any]
) -> dict[str, Any]:
    """What the processor makes of prompts and their pictures.

    They are handed over prompt by prompt; a processor that refuses that gets one list, which is
    the same where every prompt has one picture.
    """
    try:
        return dict(processor(images=images, **how))
    except (TypeError, ValueError):
        if any(len(pictures) != 1 for pictures in images):
            raise
        return dict(processor(images=[pictures[0] for pictures in images], **how))


def accepted(hf: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs that the model's forward takes, floating-point ones in the model's dtype.

    Processors also give what training needs (``labels``), and pixels in a dtype of their own.
    """
    takes = arguments(hf)
    anything = any(p.kind is Parameter.VAR_KEYWORD for p in takes.values())
    chosen = {
        name: value
        for name, value in inputs.items()
        if name != "labels" and (anything or name in takes)
    }
    return moved(chosen, hf.dtype)


def moved(inputs: dict[str, Any], where: Any) -> dict[str, Any]:
    """Their tensors, also those of lists, on a device; or floating-point ones in a dtype."""

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return moved(value, where)
        if isinstance(value, list | tuple):
            return type(value)(map(one, value))
        if not isinstance(value, Tensor):
            return value
        if isinstance(where, torch.dtype) and not value.is_floating_point():
            return value
        return value.to(where)

    return {name: one(value) for name, value in inputs.items()}
