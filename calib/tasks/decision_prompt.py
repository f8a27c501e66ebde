"""The prompt of transformers' ``pipeline("decision")``, word for word.

An item carries its question as the pipeline takes it, under ``SYSTEM_ONE`` in its meta:
``{"state": ..., "question": {"type", "instructions", "criteria"}, "assets": names}``. ``assets``
names the item's pictures by the placeholders that stand for them, and ``unused`` such names
without a picture. Files of ``calib.tasks.files.system_one`` have it.

The pipeline shows the state, the instructions and the options behind a label, and reads the label's
one token: Yes and No of ``noul``, letters of ``choice`` and ``score``. A picture stands where its
placeholder is, wherever the text has it. The request is all that is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from calib.records import InputError, Item, Prompt
from calib.tasks.files.columns import LETTERS, SYSTEM_ONE
from calib.tasks.files.decisions import TYPES, decision_of
from calib.tasks.files.values import shown

YES_NO = ("Yes", "No")
KIND = {"choice": "option", "score": "level"}
NOT_SHOWN = (
    *("lecture", "hint", "turns", "instruction", "ask_for_text", "cue", "system"),
    *("reasoning", "thinking"),
)
"""Entries of an item's meta for which the pipeline's prompt has no place."""


def decision_prompt(item: Item, *, chat: bool, variants: bool) -> Prompt:
    """The prompt of a question of a type. InputError, naming the item, where it is none, or where
    the pipeline would not take it."""
    where = f"item {item.id!r}"
    request = request_of(item)
    if not chat:
        raise InputError(
            f"{where}: prompt decision is a turn of a chat, and this model has no chat template"
        )
    if variants:
        raise InputError(f"{where}: variants: prompt decision reads one token of each option")
    extra = next((name for name in NOT_SHOWN if said(item.meta.get(name))), None)
    if extra is not None:
        raise InputError(
            f"{where}: it has {extra}, and prompt decision shows a request to the pipeline alone"
        )
    question = request["question"]
    options = described(question, where)
    labels = YES_NO if question["type"] == "noul" else tuple(LETTERS[: len(options)])
    if len(options) != len(item.options) or len(labels) < len(options):
        raise InputError(
            f"{where}: expected {len(item.options)} options in its question, at most "
            f"{len(LETTERS)}, got {len(options)}"
        )
    lines = [written(question.get("instructions"), where)]
    for label, (option, description) in zip(labels, options, strict=True):
        lines.append(line_of(question["type"], label, option, written(description, where)))
    state = json_text(request.get("state"))
    text = "\n".join([f"{state}\n", *filter(None, lines), ask(question["type"], labels)])
    text, places, images = placed(text, item, request)
    return Prompt(text, images, tuple((label,) for label in labels), places=places, decision=True)


def type_of(item: Item) -> str:
    """noul, choice or score. InputError, naming the item, where it has no type."""
    return str(request_of(item)["question"]["type"])


def request_of(item: Item) -> Mapping[str, Any]:
    """The item's question as the pipeline takes it, checked."""
    request = item.meta.get(SYSTEM_ONE)
    if not isinstance(request, Mapping) or "state" not in request or "question" not in request:
        raise InputError(
            f"item {item.id!r}: prompt decision asks System One's questions of type "
            f"{', '.join(TYPES)}, and this one has no type"
        )
    decision_of(request["question"], f"item {item.id!r}")
    for name in ("assets", "unused"):
        names = request.get(name, ())
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) and n for n in names):
            raise InputError(f"item {item.id!r}: {name}: expected names, got {shown(names)}")
    return request


def described(question: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    """The options of a question, as the pipeline names them, with their descriptions."""
    criteria: Any = question.get("criteria")
    if question["type"] == "noul":
        return [(name, (criteria or {}).get(name)) for name in ("true", "false")]
    if question["type"] == "score":
        if None in criteria:
            raise InputError(f"{where}: criteria: a level is null, which the pipeline refuses")
        return [(str(number), level) for number, level in enumerate(criteria)]
    return list(criteria.items())


def said(value: Any) -> bool:
    """Whether an entry of an item's meta says something."""
    return bool(value.strip() if isinstance(value, str) else value)


def line_of(kind: str, label: str, option: str, description: str) -> str:
    """What is shown of an option; "" for nothing."""
    if kind == "noul":
        return f"{label}: {description}" if description else ""
    if kind == "choice":
        return f"{label}. {option}: {description}" if description else f"{label}. {option}"
    return f"{label}. {description}"


def ask(kind: str, labels: Sequence[str]) -> str:
    if kind == "noul":
        return f"Answer {labels[0]} or {labels[1]} only."
    return (
        f"Answer with the letter of the {KIND[kind]} that fits best ({labels[0]} to {labels[-1]}) "
        "only."
    )


def written(value: Any, where: str) -> str:
    """Instructions or a description as the pipeline shows it; InputError for what it refuses."""
    if value is not None and not isinstance(value, (str, dict, list)):
        raise InputError(
            f"{where}: the pipeline takes texts, objects and lists as instructions and "
            f"descriptions, got {shown(value)}"
        )
    return json_text(value)


def json_text(value: Any) -> str:
    """A text as it is, nothing for null, anything else as JSON on one line."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def placed(
    text: str, item: Item, request: Mapping[str, Any]
) -> tuple[str, tuple[int, ...], tuple[Any, ...]]:
    """The text without placeholders, where in it each picture stands, and the pictures."""
    names, unused = list(request.get("assets", ())), list(request.get("unused", ()))
    if len(names) != len(item.images):
        raise InputError(
            f"item {item.id!r}: prompt decision shows pictures that are assets of the request, "
            f"and it has {len(item.images)} pictures and {len(names)} assets"
        )
    if not names + unused:
        return text, (), ()
    pictures = dict(zip(names, item.images, strict=True))
    longest_first = sorted(names + unused, key=len, reverse=True)
    parts, images, end = [], [], 0
    for match in re.finditer("|".join(map(re.escape, longest_first)), text):
        if match[0] not in pictures:
            raise InputError(
                f"item {item.id!r}: the pipeline would put asset {shown(match[0])} into its own "
                "words; name the asset otherwise"
            )
        parts.append(text[end : match.start()])
        images.append(pictures[match[0]])
        end = match.end()
    places = tuple(sum(map(len, parts[: number + 1])) for number in range(len(parts)))
    return "".join(parts) + text[end:], places, tuple(images)
