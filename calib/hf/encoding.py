"""Prompts as token ids, with each option's own ids as they stand in context.

A tokenizer may merge the end of a prompt with the start of an answer, so prompt and option are
tokenised together and split at the longest prefix that all options share with the bare prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calib.hf.decision import label_ids, refuse_control
from calib.hf.ends import Spelling
from calib.hf.speakers import Speakers
from calib.images import key_of, open_image, size_of
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
    name: str = ""  # the item's, for errors
    tail: str = ""  # what the processor writes behind the text

    @property
    def single(self) -> bool:
        """Whether every spelling is one token."""
        return all(len(ids) == 1 for option in self.options for ids in option)

    @property
    def kind(self) -> tuple[bool, bool, int]:
        """What questions must have in common to share a batch."""
        return bool(self.images), self.single, self.cut

    @property
    def pixels(self) -> int:
        """Of all its pictures, by their headers."""
        return sum(width * height for width, height in map(size_of, self.images))

    def with_images(self, images: tuple[Any, ...]) -> Encoded:
        return replace(self, images=images)

    @property
    def longest(self) -> int:
        """Tokens of the longest spelling."""
        return max((len(ids) for option in self.options for ids in option), default=0)


def encode(prompt: Prompt, speakers: Speakers, name: str, *, thinking: str = "off") -> Encoded:
    """Encode ``prompt``; ``name`` is the item's, for errors.

    ``thinking`` is one of ``calib.models.protocol.THINKING``. Raises InputError where two options
    have a spelling in common or one is empty, and where the model takes no images and the prompt
    has some.
    """
    if prompt.images and speakers.processor is None:
        raise InputError(f"item {name!r} has an image, but this model reads text only")
    text, special = speakers.templated(prompt, thinking)
    tail = speakers.tail(prompt, text, special)
    bare = speakers.ids(text + tail, special)
    if prompt.decision:
        refuse_control(prompt, speakers.tokenizer, speakers.speaker.chat_template, name)
        options = label_ids(prompt, speakers.tokenizer, name)
        return Encoded(text, prompt.images, len(bare), 0, options, special, name, tail)
    spelled = [[behind(tail, s) for s in option] for option in prompt.options]
    joint = [[speakers.ids(text + tail + s, special) for s in option] for option in spelled]
    ends = [common_prefix(bare, ids) for option in joint for ids in option]
    shared = min(ends, default=len(bare))  # a question to be answered freely has no options
    options = tuple(tuple(dict.fromkeys(tuple(ids[shared:]) for ids in option)) for option in joint)
    refuse_overlap(options, prompt, speakers.tokenizer, name)
    cut = len(bare) - shared
    return Encoded(text, prompt.images, len(bare), cut, options, special, name, tail)


def behind(tail: str, spelling: str) -> str:
    """A spelling as it stands behind ``tail``: white space is not doubled."""
    return spelling.lstrip() if tail[-1:].isspace() else spelling


def common_prefix(a: Sequence[object], b: Sequence[object]) -> int:
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


def collate(batch: Sequence[Encoded], speakers: Speakers) -> dict[str, Any]:
    """What tokenizer or processor makes of prompts of one kind, left-padded, on the host."""
    texts = [encoded.text for encoded in batch]
    images = pictures_of(batch)
    inputs = speakers.inputs(texts, images, batch[0].special)
    cuts = [encoded.cut for encoded in batch]
    if not any(cuts):
        return inputs
    shape = inputs["input_ids"].shape
    of_tokens = {n: v for n, v in inputs.items() if getattr(v, "shape", ())[:2] == shape}
    if len(set(cuts)) > 1:
        return {**inputs, **realigned(of_tokens, cuts, speakers.tokenizer.pad_token_id or 0)}
    return {**inputs, **{name: value[:, : -cuts[0]] for name, value in of_tokens.items()}}


def realigned(of_tokens: Mapping[str, Any], cuts: Sequence[int], padding: int) -> dict[str, Any]:
    """Tensors (N, P, ...) of prompts that lose ``cuts[n]`` tokens at their ends, padded on the left
    anew and no more than the longest needs."""
    aligned = {}
    for name, value in of_tokens.items():
        rows = value.clone()
        for n, cut in enumerate(cuts):
            rows[n] = value[n].roll(cut, 0)
            rows[n, :cut] = padding if name == "input_ids" else 0
        aligned[name] = rows
    empty = min(cuts)
    if (mask := aligned.get("attention_mask")) is not None:
        empty = int(mask.any(0).int().argmax())
    return {name: rows[:, empty:] for name, rows in aligned.items()}


def pictures_of(batch: Sequence[Encoded]) -> list[list[Any]]:
    """The decoded pictures of each prompt; a picture that several have is decoded once."""
    decoded: dict[Any, Any] = {}

    def picture(image: Any, name: str) -> Any:
        key = key_of(image)
        if key not in decoded:
            try:
                decoded[key] = open_image(image)
            except CalibError as error:
                raise CalibError(f"item {name!r}, {error}") from error
        return decoded[key]

    return [[picture(image, encoded.name) for image in encoded.images] for encoded in batch]
