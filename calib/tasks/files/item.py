"""A row of a file as an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from calib.records import InputError, Item
from calib.tasks.files.answers import (
    BY_INDEX,
    is_truth,
    labelled,
    lettered,
    read_answer,
    readings_of,
)
from calib.tasks.files.checks import check_answer, check_item
from calib.tasks.files.columns import LETTERS, SYSTEM_ONE, Row
from calib.tasks.files.pictures import Pictures, cluster_of
from calib.tasks.files.placed import with_pictures_placed
from calib.tasks.files.values import (
    index_in,
    is_absent,
    list_in,
    python_texts,
    shown,
    text_in,
    texts_of,
    truth_in,
)

Spellings = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Options:
    """Per option its spellings, the first being its name; labels where the file has some."""

    spellings: Spellings
    labels: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spellings[0] for spellings in self.spellings)


def spellings_in(value: Any, where: str) -> Spellings:
    """A list of texts or of lists of texts: what counts as each option."""
    spelled = tuple(texts_of(part, where) for part in list_in(value, where))
    if not all(spelled):
        raise InputError(f"{where}: one of {shown(value)} has no text")
    return spelled


def options_in(value: Any, where: str) -> Options:
    """A list, texts by their letters ({"A": ..., "B": ...}), or texts with labels.

    These are {"text": [...], "label": [...]} or a list of such pairs. A list may be a text that
    holds one in Python's or JSON's spelling, as tables store it.
    """
    if isinstance(value, str):
        value = python_texts(value) or value
    if isinstance(value, Mapping) and not is_labelled(value):
        value = by_letter(value, where)
    if isinstance(value, list) and value and all(is_labelled(part) for part in value):
        value = {name: [part[name] for part in value] for name in ("text", "label")}
    if not is_labelled(value):
        return Options(spellings_in(value, where))
    texts, labels = spellings_in(value["text"], where), texts_of(value["label"], where)
    if len(texts) != len(labels) or len(set(labels)) < len(labels):
        raise InputError(
            f"{where}: expected a label of its own for each of {len(texts)} texts, got "
            f"{shown(list(labels))}"
        )
    return Options(texts, labels)


def by_letter(value: Mapping[str, Any], where: str) -> list[Any]:
    """Texts by their letters, from A on, in the letters' order; nulls behind them are none."""
    texts = {str(key).strip().upper(): text for key, text in value.items()}
    filled = "".join(sorted(letter for letter, text in texts.items() if not is_absent(text)))
    if len(texts) < len(value) or filled != LETTERS[: len(filled)]:
        raise InputError(
            f"{where}: expected a list of texts, or texts by letters from A on without gaps, got "
            f"{shown(value)}"
        )
    return [texts[letter] for letter in filled]


def is_labelled(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"text", "label"}


def turns_in(value: Any, where: str) -> Spellings:
    """Pairs of a question and its answer that come before."""
    turns = tuple(texts_of(part, where) for part in list_in(value, where))
    if any(len(turn) != 2 for turn in turns):
        raise InputError(
            f"{where}: expected pairs of a question and its answer, got {shown(value)}"
        )
    return turns


READERS: dict[str, Callable[[Any, str], Any]] = {
    "id": text_in,
    "question": text_in,
    "options": options_in,
    "answer": text_in,
    "answer_index": index_in,
    "answer_letter": text_in,
    "spellings": spellings_in,
    "aliases": texts_of,
    "answerable": truth_in,
    "group": text_in,
    "cluster": text_in,
    "hint": text_in,
    "context": text_in,
    "lecture": text_in,
    "instruction": text_in,
    "ask_for_text": text_in,
    "cue": text_in,
    "system": text_in,
    "turns": turns_in,
    "idk": index_in,
    "reasoning": text_in,
    "thinking": text_in,
    SYSTEM_ONE: lambda value, where: value,
}
OF_META = (
    *("spellings", "answerable", "cluster", "hint", "context", "lecture", "instruction"),
    *("ask_for_text", "cue", "system", "turns", "idk", "reasoning", "thinking", SYSTEM_ONE),
)


def item_from(row: Row, id: str, pictures: Pictures) -> Item:
    """The item of ``row``. InputError names its place, the column, and what is wrong with it."""
    where = row.where
    read = {
        name: READERS[name](value, f"{where}: {row.names[name]}")
        for name, value in row.values.items()
        if name != "images"
    }
    options: Options | None = read.get("options")
    answerable = read.get("answerable", True)
    if "question" not in read:
        raise row.missing("question")
    if options is None and "aliases" not in read and answerable:
        raise row.missing("options")
    written = row.values.get("images")
    images = pictures.read(written, f"{where}: {row.names['images']}") if written else ()
    if not row.of_shape:
        read |= with_pictures_placed(read, options.names if options else (), len(images), where)
    meta = {name: read[name] for name in OF_META if name in read} | row.others
    if options is not None and any(len(spellings) > 1 for spellings in options.spellings):
        if read.get("spellings", options.spellings) != options.spellings:
            raise InputError(f"{where}: options and spellings both list spellings; keep one list")
        meta["spellings"] = options.spellings
    aliases = read.get("aliases", ())
    if options is None and "answer" in read:
        aliases = tuple(dict.fromkeys((read["answer"], *aliases)))
    if aliases:
        meta["aliases"] = aliases
    if images and "cluster" not in meta:
        meta["cluster"] = cluster_of(images[0], written)
    item = Item(
        id=id,
        question=read["question"],
        images=images,
        options=options.names if options else (),
        group=read.get("group"),
        meta=meta,
    )
    place = f"{where}: item {shown(id)}"
    check_item(item, place)  # before its answer is looked for among options that are none
    item = replace(item, answer=answer_in(row, read, options))
    check_answer(item, place)
    return item


def answer_in(row: Row, read: Mapping[str, Any], options: Options | None) -> int | None:
    """The index of the right option; None where there are no options or nobody can know.

    Where the file has it under several columns, they must agree.
    """
    answer: str | None = read.get("answer")
    index: int | None = read.get("answer_index")
    if options is None:
        if "answer_letter" in read:
            raise InputError(f"{row.where}: answer_letter names an option, and there are none")
        return index
    if index is not None and index >= len(options.names):
        raise InputError(
            f"{row.where}: answer_index is {index}, but there are {len(options.names)} options, "
            "counted from 0"
        )
    if index is None and "answer_letter" in read:
        index = letter_in(read["answer_letter"], options, f"{row.where}: answer_letter")
    elif "answer_letter" in read:
        letter = letter_in(read["answer_letter"], options, f"{row.where}: answer_letter")
        if letter != index:
            raise InputError(
                f"{row.where}: answer_letter {shown(read['answer_letter'])} is not the option of "
                f"answer_index {index}"
            )
    if answer is None:
        if index is None and read.get("answerable", True):
            raise row.missing("answer")
        row.by_index = "answer_index" in read
        return index
    if options.labels is not None:
        meant = {labelled(answer, options.labels, row.where)}
    elif index is None and row.whole_number and is_truth(options.names):
        row.over_truth = True
        meant = {read_answer(answer, options.names, row.where, row.first, truth=False)}
    elif index is None:
        meant = {read_answer(answer, options.names, row.where, row.first)}
        row.by_index = {how for how, _ in readings_of(answer, options.names)} == {BY_INDEX}
    else:
        meant = {i for _, i in readings_of(answer, options.names, row.first)}
    if index is not None and index not in meant:
        column = "answer_index" if "answer_index" in read else "answer_letter"
        raise InputError(
            f"{row.where}: answer {shown(answer)} is not the option of {column} {read[column]}"
        )
    return index if index is not None else meant.pop()


def letter_in(letter: str, options: Options, where: str) -> int:
    if options.labels is not None:
        return labelled(letter, options.labels, where)
    return lettered(letter, options.names, where)
