"""A conversation as LLaVA or a chat API writes it, as questions and answers.

Turns stand under ``conversations`` or ``messages``. Each is ``{"from", "value"}``,
``{"role", "content"}`` or, where all are, a text: then the user and the assistant take turns. A
content may be a list of parts, ``{"type": "text", "text"}`` and ``{"type": "image", ...}``, whose
picture stands under ``image``, ``path``, ``url`` or ``image_url``; a part without one is the next
of the entry's own images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calib.records import InputError
from calib.tasks.files.values import shown

PLACEHOLDER = "<image>"
KEYS = ("conversations", "messages")
ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "bot", "chatgpt"), "assistant"),
    "system": "system",
}
PICTURES = ("image", "path", "url", "image_url")


@dataclass(frozen=True, slots=True)
class Turn:
    """What ``role`` said, and for each ``<image>`` in it the picture, None where none is named."""

    role: str
    text: str
    images: tuple[Any, ...]


def turns_of(said: Any, where: str) -> list[Turn]:
    """Turns in their order. InputError where one is of none of the forms above."""
    if not isinstance(said, list):
        raise InputError(f"{where}: expected a list of turns, got {shown(said)}")
    if all(isinstance(turn, str) for turn in said):
        roles = ("user", "assistant")
        return [plain_turn(roles[number % 2], text) for number, text in enumerate(said)]
    return [turn_of(turn, f"{where}, turn {number}") for number, turn in enumerate(said, start=1)]


def plain_turn(role: str, text: str) -> Turn:
    return Turn(role, text, (None,) * text.count(PLACEHOLDER))


def turn_of(turn: Any, where: str) -> Turn:
    if not isinstance(turn, Mapping):
        raise InputError(f"{where}: expected an object with from and value, got {shown(turn)}")
    name = turn.get("from", turn.get("role"))
    role = ROLES.get(name.casefold()) if isinstance(name, str) else None
    if role is None:
        raise InputError(
            f"{where}: expected from (or role) to be one of {', '.join(ROLES)}, got {shown(name)}"
        )
    content = turn.get("value", turn.get("content"))
    if isinstance(content, str):
        return plain_turn(role, content)
    if not isinstance(content, list):
        raise InputError(f"{where}: expected value (or content) to be text, got {shown(content)}")
    parts = [part_of(part, where) for part in content]
    return Turn(
        role,
        "\n".join(text for text, _ in parts),
        tuple(image for _, images in parts for image in images),
    )


def part_of(part: Any, where: str) -> tuple[str, tuple[Any, ...]]:
    """A part's text, and the picture of each placeholder in it."""
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return part["text"], (None,) * part["text"].count(PLACEHOLDER)
    if kind not in ("image", "image_url"):
        raise InputError(f"{where}: expected parts of text or image, got {shown(part)}")
    picture = next((part[key] for key in PICTURES if part.get(key)), None)
    return PLACEHOLDER, (picture.get("url") if isinstance(picture, Mapping) else picture,)


def exchanges(turns: Sequence[Turn], where: str) -> list[tuple[Turn, Turn]]:
    """Each question with its answer, in order.

    Raises InputError where the user and the assistant do not take turns, or an answer is missing.
    """
    if not turns:
        raise InputError(f"{where}: expected a question and an answer, but it has no turns")
    for number, turn in enumerate(turns):
        expected = ("user", "assistant")[number % 2]
        if turn.role != expected:
            raise InputError(
                f"{where}: expected the user and the assistant in turn, but after {number} turns "
                f"comes the {turn.role} again with {shown(turn.text)}"
                if number
                else f"{where}: expected the user's turn first, but the {turn.role} begins"
            )
    if len(turns) % 2:
        raise InputError(
            f"{where}: expected an answer after each question, but {shown(turns[-1].text)} has none"
        )
    return list(zip(turns[::2], turns[1::2], strict=True))
