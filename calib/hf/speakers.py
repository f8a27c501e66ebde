"""A model's tokenizer and processor, and what they do to a prompt by themselves.

Processors differ in where a picture stands in a text, in what they write before and behind it, and
in how they take pictures. No configuration says any of it, so each is tried once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import chain, cycle, pairwise
from typing import Any

from PIL import Image

from calib.hf.refusals import first_line
from calib.hf.templates import rendered
from calib.hf.thinking import Conversation, closing, switched, switches_in, thinks
from calib.records import CalibError, InputError, Prompt

BLANK = Image.new("RGB", (96, 64), (127, 127, 127))


class Speakers:
    """``tokenizer``, and ``processor`` where the model reads images."""

    def __init__(self, tokenizer: Any, processor: Any | None) -> None:
        self.tokenizer, self.processor = tokenizer, processor
        # Prompts end in one column. It is no argument of calls, as some processors ignore that;
        # others pass on what the tokenizer was made with.
        for one in (tokenizer, getattr(processor, "tokenizer", tokenizer)):
            one.padding_side = one.init_kwargs["padding_side"] = "left"
        self._tails: dict[tuple[bool, bool], str] = {}

    @property
    def speaker(self) -> Any:
        return self.tokenizer if self.processor is None else self.processor

    @property
    def chat(self) -> bool:
        """Whether there is a chat template."""
        return getattr(self.speaker, "chat_template", None) is not None

    def ids(self, text: str, special: bool) -> list[int]:
        """``special``: with the tokens that the tokenizer puts around a text."""
        return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def inputs(
        self, texts: Sequence[str], images: Sequence[Sequence[Any]], special: bool
    ) -> dict[str, Any]:
        """What tokenizer or processor makes of prompts, left-padded, on the host.

        Pictures are handed over prompt by prompt; a processor that refuses that gets one list,
        which is the same where every prompt has one picture.
        """
        how: dict[str, Any] = {
            "text": list(texts),
            "padding": True,
            "return_tensors": "pt",
        }
        if not special:  # else whatever they do unasked
            how["add_special_tokens"] = False
        if not any(images):
            return rows_of(self.processor if self._takes_text else self.tokenizer, how)
        try:
            nested = [list(pictures) for pictures in images]
            return rows_of(self.processor, {**how, "images": nested})
        except (TypeError, ValueError):
            if any(len(pictures) != 1 for pictures in images):
                raise
            return rows_of(self.processor, {**how, "images": [one for (one,) in images]})

    @cached_property
    def _takes_text(self) -> bool:
        """Whether the processor takes a prompt without pictures."""
        if self.processor is None:
            return False
        try:
            rows_of(self.processor, {"text": ["a", "b"], "padding": True, "return_tensors": "pt"})
        except Exception:  # noqa: BLE001  (each has its own way to refuse)
            return False
        return True

    @cached_property
    def beginning(self) -> tuple[str, bool]:
        """How plain text begins: text to write before it, and whether to leave it to the tokenizer.

        A tokenizer that only puts tokens before a text is left to do so: written out as text, its
        first token would take the mark of a word's beginning off the word behind it (Llama). One
        that also puts tokens behind a text would end it before it is answered.
        """
        around, plain = self.ids("a", True), self.ids("a", False)
        if around[-len(plain) :] == plain:
            return "", True
        begins = around[:1] == [self.tokenizer.bos_token_id]
        return (self.tokenizer.bos_token if begins else ""), False

    @cached_property
    def picture(self) -> str:
        """What stands for a picture in plain text, on a line of its own; "" where the processor
        wants nothing there.

        A placeholder is right where it gives a picture's tokens, and no more of them than the
        processor gives without.
        """
        names = [
            str(token)
            for owner in (self.processor, self.tokenizer)
            for attribute in ("image_token", "boi_token")
            if (token := getattr(owner, attribute, None)) is not None
        ]
        unasked = self._picture_tokens("a")
        for token in dict.fromkeys(names):
            count = self._picture_tokens(f"{token}\na")
            if count and (not unasked or count <= unasked):
                return f"{token}\n"
        if unasked is None:
            raise CalibError(
                f"{type(self.processor).__name__} names no token that stands for a picture in a "
                "prompt without chat template"
            )
        return ""

    def _picture_tokens(self, text: str) -> int | None:
        """How many tokens stand for a picture in ``text``; None where the processor refuses it."""
        try:
            ids: list[int] = self.inputs([text], [[BLANK]], True)["input_ids"][0].tolist()
        except Exception:  # noqa: BLE001  (each has its own way to refuse)
            return None
        number = getattr(self.processor, "image_token_id", None)
        if number is None and (token := getattr(self.processor, "image_token", None)) is not None:
            number = self.tokenizer.convert_tokens_to_ids(str(token))
        return 0 if number is None else ids.count(number)

    def templated(self, prompt: Prompt, thinking: str = "off") -> tuple[str, bool]:
        """The whole text up to the answer, what stands for pictures included, and whether the
        tokenizer is to put its own special tokens around it.

        Plain text is begun as the tokenizer itself would begin it. A chat template brings its own
        tokens; but transformers' processors add the tokenizer's where a template does not begin
        with the one that begins texts.
        """
        begin, special = self.beginning
        if prompt.chat:
            text = self._said(prompt, thinking)
            begun = text.startswith(self.tokenizer.bos_token or "\0")
            added = special and self.processor is not None and not begun
            return f"{text}{prompt.begun}", added
        text = begin + self.picture * len(prompt.images) if prompt.images else begin
        text += prompt.text
        return (f"{text} {prompt.begun}" if prompt.begun else text), special

    def _said(self, prompt: Prompt, thinking: str) -> str:
        """The chat template's text of a prompt; a pipeline of transformers turns its switch off
        and does no more."""
        if not prompt.decision:
            return switched(self.conversation(prompt), thinking, prompt.thoughts)
        if thinking == "on":
            raise InputError("thinking: expected off or own, as in prompt decision no model thinks")
        conversation = self.conversation(prompt)
        switch = "enable_thinking"
        return conversation.render(**({switch: False} if switch in conversation.switches else {}))

    def conversation(self, prompt: Prompt) -> Conversation:
        """The turns up to the question, for the chat template; pictures stand in the first that
        is a user's."""
        said = [*chain.from_iterable(prompt.turns), prompt.text]
        contents: list[Any] = list(said)
        if self.processor is not None:
            contents = [[{"type": "text", "text": text}] for text in said]
            if prompt.places:
                contents[-1] = divided(prompt.text, prompt.places)
            else:
                contents[0] = [*({"type": "image"} for _ in prompt.images), *contents[0]]
        turns = [
            {"role": role, "content": content}
            for role, content in zip(cycle(("user", "assistant")), contents, strict=False)
        ]
        if prompt.system:
            system: Any = prompt.system
            if self.processor is not None:
                system = [{"type": "text", "text": system}]
            turns.insert(0, {"role": "system", "content": system})
        render = partial(rendered, self.speaker, turns, name=self.tokenizer.name_or_path)
        return Conversation(render, switches_in(self.speaker.chat_template))

    @cached_property
    def thinks(self) -> bool:
        """Whether the chat template lets the model think before it answers."""
        return self.chat and thinks(self.conversation(Prompt("Hello", (), ())))

    @property
    def end_of_thoughts(self) -> str:
        """The text that ends the block of thoughts of this chat template."""
        return closing(self.conversation(Prompt("Hello", (), ())))

    def tail(self, prompt: Prompt, text: str, special: bool) -> str:
        """What the processor writes behind a prompt, as PaliGemma's a line break; "" for most.

        ``text`` is that of ``prompt``. Raises CalibError where an end token is written: nothing
        could follow it.
        """
        key = (bool(prompt.images), prompt.chat)
        if key not in self._tails:
            self._tails[key] = self._tail(text, len(prompt.images), special)
        return self._tails[key]

    def _tail(self, text: str, pictures: int, special: bool) -> str:
        if self.processor is None:
            return ""
        try:
            made = self.inputs([text], [[BLANK] * pictures], special)["input_ids"][0].tolist()
        except Exception as error:
            name = type(self.processor).__name__
            raise CalibError(f"{name} refuses a prompt: {first_line(error)}") from error
        plain = self.ids(text, special)
        if made[-1:] == plain[-1:]:
            return ""
        whole, end = str(self.tokenizer.decode(made)), text[-12:]
        tail = whole.rpartition(end)[2]
        if end not in whole or self.tokenizer.eos_token_id in self.ids(tail, False):
            raise CalibError(
                f"{type(self.processor).__name__} lets a prompt end in {whole[-24:]!r} where "
                f"{text[-24:]!r} was asked for"
            )
        return tail


def divided(text: str, places: Sequence[int]) -> list[dict[str, str]]:
    """A message's parts: its text, with a picture at each of ``places``."""
    parts: list[dict[str, str]] = []
    for start, end in pairwise([0, *places, len(text)]):
        parts += [{"type": "text", "text": text[start:end]}, {"type": "image"}]
    return [part for part in parts[:-1] if part.get("text") != ""]


def rows_of(reader: Any, how: dict[str, Any]) -> dict[str, Any]:
    """What ``reader`` makes of prompts; ValueError if not a row for each, padded on the left."""
    inputs = dict(reader(**how))
    if len(inputs["input_ids"]) != len(how["text"]):
        raise ValueError(f"it makes {len(inputs['input_ids'])} rows of {len(how['text'])} prompts")
    return inputs
