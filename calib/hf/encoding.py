"""Prompts as token ids, with each option's own ids as they stand in context.

A tokenizer may merge the end of a prompt with the start of an answer, so prompt and option are
tokenised together and split at the longest prefix that all options share with the bare prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from calib.images import open_image
from calib.records import InputError, Prompt

Spelling = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt: its text as the processor takes it, and its options as token ids."""

    text: str
    images: tuple[Any, ...]
    length: int  # tokens, images not counted
    cut: int  # tokens to take off the end of the prompt, where an option merges with it
    options: tuple[tuple[Spelling, ...], ...]

    @property
    def single(self) -> bool:
        """Whether every spelling is one token."""
        return all(len(ids) == 1 for option in self.options for ids in option)

    @property
    def kind(self) -> tuple[bool, bool, int]:
        """What questions must have in common to share a batch."""
        return bool(self.images), self.single, self.cut


def encode(prompt: Prompt, tokenizer: Any, processor: Any | None, name: str) -> Encoded:
    """Encode ``prompt``; ``name`` is the item's, for errors.

    Raises InputError where two options have a spelling in common or one is empty, and where the
    model takes no images and the prompt has some.
    """
    if prompt.images and processor is None:
        raise InputError(f"item {name!r} has an image, but this model reads text only")
    text = templated(prompt, tokenizer, processor)
    bare = ids_of(tokenizer, text)
    joint = [[ids_of(tokenizer, text + s) for s in option] for option in prompt.options]
    ends = [common_prefix(bare, ids) for option in joint for ids in option]
    shared = min(ends, default=len(bare))  # a question to be answered freely has no options
    options = tuple(tuple(dict.fromkeys(tuple(ids[shared:]) for ids in option)) for option in joint)
    refuse_overlap(options, prompt, tokenizer, name)
    return Encoded(text, prompt.images, len(bare), len(bare) - shared, options)


def templated(prompt: Prompt, tokenizer: Any, processor: Any | None) -> str:
    """The whole text up to the answer, image placeholders included.

    Plain text begins with the token that the tokenizer itself would begin with; a chat template
    brings its own.
    """
    if not prompt.chat:
        first = tokenizer("a")["input_ids"][:1]
        begin = tokenizer.bos_token if first == [tokenizer.bos_token_id] else ""
        token = getattr(processor, "image_token", "") if processor else ""
        asked = begin + "".join(f"{token}\n" for _ in prompt.images) + prompt.text
        return f"{asked} {prompt.begun}" if prompt.begun else asked
    content: Any = prompt.text
    if processor is not None:
        content = [{"type": "image"} for _ in prompt.images]
        content.append({"type": "text", "text": prompt.text})
    speaker = processor if processor is not None else tokenizer
    turns = [{"role": "user", "content": content}]
    asked = speaker.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return f"{asked}{prompt.begun}"


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


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


def collate(
    batch: Sequence[Encoded], tokenizer: Any, processor: Any | None, device: Any
) -> dict[str, Any]:
    """The model's inputs for prompts of one kind: left-padded, images opened and processed."""
    texts = [encoded.text for encoded in batch]
    if batch[0].images:
        assert processor is not None
        images = [[open_image(image) for image in encoded.images] for encoded in batch]
        inputs = processor(
            text=texts,
            images=images,
            padding=True,
            padding_side="left",
            add_special_tokens=False,
            return_tensors="pt",
        )
    else:
        inputs = tokenizer(
            texts, padding=True, padding_side="left", add_special_tokens=False, return_tensors="pt"
        )
    found = dict(inputs.to(device))
    cut = batch[0].cut
    if cut:
        found = {
            name: value[:, :-cut] if name in PER_TOKEN else value for name, value in found.items()
        }
    return found


PER_TOKEN = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"}
