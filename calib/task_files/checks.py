"""What an item must be before any model is asked: of a file or made in Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import EncodedImage, InputError, Item
from calib.task_files.values import flaw_of, shown

TEXTS = ("hint", "context", "lecture", "instruction", "ask_for_text", "reasoning", "thinking")
"""Keys of ``Item.meta`` that hold a text or None."""

UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}


def check_item(item: Item, where: str) -> None:
    """Raise InputError, which begins with ``where``, for an item that cannot be asked rightly.

    Texts are texts that can be shown; there are two options or more, no two alike but for white
    space, or none where the item has aliases or nobody can answer it; the answer is one of them.
    """
    if not isinstance(item.meta, Mapping):
        raise InputError(f"{where}: meta: expected named entries, got {shown(item.meta)}")
    for name, value in texts_of_item(item):
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


def texts_of_item(item: Item) -> Iterator[tuple[str, Any]]:
    """Everything in an item that must be text, with its name."""
    yield from (("id", item.id), ("question", item.question))
    if item.group is not None:
        yield "group", item.group
    for name, values in (("options", item.options), ("aliases", item.meta.get("aliases"))):
        yield from ((name, value) for value in listed(values))
    for spellings in listed(item.meta.get("spellings")):
        yield from (("spellings", text) for text in listed(spellings))
    for name in TEXTS:
        if item.meta.get(name) is not None:
            yield name, item.meta[name]


def listed(values: Any) -> Sequence[Any]:
    """A list or tuple as it is, None as an empty one; all else as one thing that is no text."""
    if values is None:
        return ()
    return values if isinstance(values, (list, tuple)) else [NotListed(values)]


class NotListed:
    """A value where a list belongs; shown as such."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{shown(self.value)} in place of a list"


def check_options(item: Item, where: str) -> None:
    options = item.options
    if any(map(is_blank, options)):
        raise InputError(f"{where}: options: one of {shown(list(options))} has no text")
    places: dict[str, int] = {}
    for index, option in enumerate(options):
        first = places.setdefault(" ".join(unicodedata.normalize("NFC", option).split()), index)
        if first != index:
            raise InputError(
                f"{where}: options: {shown(options[first])} and {shown(option)} are the same text; "
                "no answer could tell them apart"
            )
    free = item.meta.get("aliases") or item.meta.get("answerable") is False
    if len(options) < 2 and (options or not free):
        raise InputError(
            f"{where}: expected two or more options, got {shown(list(options))}; a question to be "
            "answered freely has aliases, the texts that are right, and none"
        )


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
    if isinstance(value, (Path, EncodedImage)):
        return True
    from PIL import Image

    return isinstance(value, Image.Image)
