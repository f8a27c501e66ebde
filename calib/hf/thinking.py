"""Chat templates that let a model think before it answers, and the three ways to use them.

Such a template takes a switch (``enable_thinking``, ``thinking``) or opens a block of thoughts by
itself, ``<think>``. Behind an open block no option is an answer: its probability is that of a
thought that begins so.

``off``  the template's own empty block, closed.
``on``   the opened block; its thoughts are sampled now or were sampled before.
``own``  what the template does by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from calib.records import InputError

# What templates call their switch.
SWITCHES = ("enable_thinking", "thinking")
OPENED = re.compile(r"<(think\w*|thought\w*|reason\w*)>\s*$")


@dataclass(frozen=True)
class Conversation:
    """The turns up to the question, as a chat template renders them."""

    render: Callable[..., str]  # the text up to the answer; keywords go to the template
    switches: tuple[str, ...]  # those that the template reads

    def text(self, on: bool | None = None) -> str:
        """With thinking turned on or off, or, None, unasked."""
        return self.render(**({} if on is None else dict.fromkeys(self.switches, on)))


def switches_in(template: Any) -> tuple[str, ...]:
    return tuple(name for name in SWITCHES if re.search(rf"\b{name}\b", str(template)))


def switched(conversation: Conversation, mode: str, thoughts: str | None = None) -> str:
    """The conversation's text in a mode; ``on`` with ``thoughts`` in the block, if there are some.

    Raises InputError for ``on`` where the template knows no thinking.
    """
    if mode == "own":
        return conversation.text()
    text = conversation.text(on=mode == "on")
    opened = OPENED.search(text)
    if mode == "off":
        return f"{text.rstrip()}\n\n</{opened[1]}>\n\n" if opened else text
    if not thinks(conversation):
        raise InputError("thinking: expected off or own, as this chat template has none")
    if thoughts is None:
        return text  # with the block opened, or for the model to open it itself
    tag = opened[1] if opened else "think"
    block = text.rstrip() if opened else f"{text}<{tag}>"
    return f"{block}\n{inner(thoughts)}\n</{tag}>\n\n"


def thinks(conversation: Conversation) -> bool:
    """Whether the template has a switch for thinking, or opens a block by itself."""
    text = conversation.text(on=True)
    return text != conversation.text(on=False) or OPENED.search(text) is not None


def closing(conversation: Conversation) -> str:
    """The text that ends the thoughts of this template."""
    opened = OPENED.search(conversation.text(on=True))
    return f"</{opened[1] if opened else 'think'}>"


def inner(thoughts: str) -> str:
    """Thoughts without the tags that a model has put around them."""
    return re.sub(r"^\s*<\w+>|</\w+>\s*$", "", thoughts).strip()
