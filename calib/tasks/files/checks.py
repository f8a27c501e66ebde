"""What an item must be before any model is asked: of a file or made in Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import EncodedImage, InputError, Item, MadeImage
from calib.tasks.files.values import flaw_of, shown

TEXTS = (
    *("hint", "context", "lecture", "instruction", "ask_for_text", "cue", "system"),
    *("reasoning", "thinking"),
)
"""Keys of ``Item.meta`` that hold a text or None."""

UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}


def check_item(item: Item, where: str) -> None:
    """Raise InputError, which begins with ``where``, for an item that cannot be asked rightly.

    Texts are texts that can be shown; there are two options or more, or none where the item has
    aliases or nobody can answer it; the answer is one of them. Two options may be the same text:
    their letters tell them apart.
    """
    if not isinstance(item.meta, Mapping):
        raise InputError(f"{where}: meta: expected named entries, got {shown(item.meta)}")
    for name, value in texts_of_item(item, where):
        if not isinstance(value, str):
            raise InputError(f"{where}: {name}: expected text, got {shown(value)}")
        flaw = flaw_of(value)
        if flaw:
            raise InputError(f"{where}: {name} {flaw}")
    for name, text in (("id", item.id), ("question", item.question)):
        if is_blank(text):
            raise InputError(f"{where}: {name} is missing")
    check_options(item, where)
    check_answer(item, where)
    check_meta(item, where)
    for image in item.images:
        if not is_image(image):
            raise InputError(
                f"{where}: images: expected paths, PIL images or EncodedImage, got {shown(image)}"
            )


def texts_of_item(item: Item, where: str) -> Iterator[tuple[str, Any]]:
    """Everything in an item that must be text, with its name. InputError for what is no list."""
    meta = item.meta
    yield from (("id", item.id), ("question", item.question))
    if item.group is not None:
        yield "group", item.group
    for name, values in (("options", item.options), ("aliases", meta.get("aliases"))):
        yield from ((name, value) for value in listed(values, name, where))
    for name in ("spellings", "turns"):
        for values in listed(meta.get(name), name, where):
            yield from ((name, value) for value in listed(values, name, where))
    yield from ((name, meta[name]) for name in TEXTS if meta.get(name) is not None)


def listed(values: Any, name: str, where: str) -> Sequence[Any]:
    """A list or tuple as it is, None as an empty one."""
    if values is not None and not isinstance(values, (list, tuple)):
        raise InputError(f"{where}: {name}: expected a list, got {shown(values)}")
    return values or ()


def check_options(item: Item, where: str) -> None:
    options = item.options
    if any(map(is_blank, options)):
        raise InputError(f"{where}: options: one of {shown(list(options))} has no text")
    free = item.meta.get("aliases") or item.meta.get("answerable") is False
    if len(options) < 2 and (options or not free):
        raise InputError(
            f"{where}: expected two or more options, got {shown(list(options))}; a question to be "
            "answered freely has aliases, the texts that are right, and none"
        )


def alike(options: Sequence[str]) -> bool:
    """Whether two options are the same text but for outer white space."""
    texts = {unicodedata.normalize("NFC", option).strip() for option in options}
    return len(texts) < len(options)


def check_answer(item: Item, where: str) -> None:
    if item.answer is not None and not is_index(item.answer, item.options):
        raise InputError(
            f"{where}: answer {shown(item.answer)} is not the index of one of its "
            f"{len(item.options)} options"
        )


def check_meta(item: Item, where: str) -> None:
    meta = item.meta
    answerable = meta.get("answerable")
    if answerable is not None and not isinstance(answerable, bool):
        raise InputError(f"{where}: answerable: expected true or false, got {shown(answerable)}")
    if meta.get("idk") is not None and not is_index(meta["idk"], item.options):
        raise InputError(
            f"{where}: idk: {shown(meta['idk'])} is not the index of one of its "
            f"{len(item.options)} options"
        )
    if not isinstance(meta.get("cluster"), (str, int, type(None))):
        raise InputError(f"{where}: cluster: expected text, got {shown(meta['cluster'])}")
    if any(map(is_blank, meta.get("aliases") or ())):
        raise InputError(f"{where}: aliases: one of {shown(list(meta['aliases']))} has no text")
    if any(len(turn) != 2 for turn in meta.get("turns") or ()):
        raise InputError(
            f"{where}: turns: expected pairs of a question and its answer, got "
            f"{shown(meta['turns'])}"
        )
    if meta.get("spellings"):
        check_spellings(meta["spellings"], item.options, where)


def check_spellings(spellings: Sequence[Sequence[str]], options: Sequence[str], where: str) -> None:
    if len(spellings) != len(options):
        raise InputError(
            f"{where}: spellings of {len(spellings)} options, but there are {len(options)}"
        )
    owners: dict[str, int] = {}
    for index, texts in enumerate(spellings):
        if not texts or any(map(is_blank, texts)):
            raise InputError(f"{where}: spellings: one of {shown(list(texts))} has no text")
        for text in texts:
            first = owners.setdefault(text, index)
            if first != index:
                raise InputError(
                    f"{where}: spellings: {shown(text)} counts as {shown(options[first])} and as "
                    f"{shown(options[index])}"
                )


def is_blank(text: str) -> bool:
    """Whether nothing of ``text`` can be seen."""
    return all(unicodedata.category(character) in UNSEEN for character in text)


def is_index(value: Any, options: Sequence[str]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(options)


def is_image(value: Any) -> bool:
    if isinstance(value, (Path, EncodedImage, MadeImage)):
        return True
    from PIL import Image

    return isinstance(value, Image.Image)
