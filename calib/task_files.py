"""A user's own questions: JSONL, CSV, or LLaVA's JSON.

JSONL and CSV have the columns ``id``, ``question``, ``options``, ``answer`` and, as wanted,
``images`` (or ``image``), ``group``, ``cluster`` and others, which are kept. Options are a list; in
CSV a JSON list, texts separated by ``|``, or columns A, B, C, ... An option may itself be a list of
spellings, the first being its name. Image paths are relative to the file. A row with ``aliases`` in
place of options is to be answered freely: its answer and they are the texts that are right.

LLaVA's JSON is a list of ``{id, image, conversations: [question, answer]}``, the options written in
the question as ``(A) text``, ``A. text`` or ``A) text`` lines.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.records import InputError, Item

SUFFIXES = (".jsonl", ".csv", ".json")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
KNOWN = {"id", "question", "images", "image", "options", "answer", "group"}
LISTED = re.compile(r"^\s*(?:\(([A-Z])\)|([A-Z])[.):])\s*(.+?)\s*$", re.M)


def read_file(path: Path) -> tuple[Item, ...]:
    """Items of one file, in its order. InputError names the file and the row that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read as text ({error})") from error
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    readers = {".jsonl": json_lines, ".csv": csv_rows, ".json": llava_rows}
    items = tuple(
        item_from(row, path, where) for where, row in readers[path.suffix.lower()](text, path)
    )
    if not items:
        raise InputError(f"{path}: there is no question in it")
    return items


def json_lines(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, mapping(parse(line, where), where)


def csv_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, line {rows.line_num + 1}: this is not CSV ({error})"
            ) from error
        where = f"{path}, line {rows.line_num}"
        if None in row or None in row.values():
            raise InputError(f"{where}: it has not as many fields as the header")
        filled = {name: value for name, value in row.items() if value != ""}
        columns = [letter for letter in LETTERS if letter in filled]
        if "options" in filled:
            filled["options"] = split(filled["options"], where)
        elif columns:
            if "".join(columns) != LETTERS[: len(columns)]:
                raise InputError(f"{where}: an option before {columns[-1]} is empty")
            filled["options"] = [filled.pop(letter) for letter in columns]
        if "images" in filled:
            filled["images"] = split(filled["images"], where)
        yield where, filled


def split(text: str, where: str) -> list[Any]:
    if text.lstrip().startswith("["):
        return list(parse(text, where))
    return [part.strip() for part in text.split("|")]


def llava_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = parse(text, str(path))
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of LLaVA conversations")
    for number, entry in enumerate(entries):
        where = f"{path}, entry {number}"
        row = dict(mapping(entry, where))
        said = row.pop("conversations", None)
        turns = [
            turn.get("value") if isinstance(turn, Mapping) else turn
            for turn in (said if isinstance(said, list) else [])
        ]
        if len(turns) < 2:
            raise InputError(f"{where}: expected a question and an answer under conversations")
        question = str(turns[0]).replace("<image>", "").strip()
        listed = list(LISTED.finditer(question))
        row["answer"] = turns[1]
        row["options"] = [match[3] for match in listed]
        row["question"] = question[: listed[0].start()].strip() if listed else question
        row.setdefault("id", str(number))
        yield where, row


def item_from(row: Mapping[str, Any], path: Path, where: str) -> Item:
    aliases = free_answers(row)
    for name in ("id", "question", *(() if aliases else ("options",))):
        if row.get(name) in (None, "", []):
            raise InputError(f"{where}: {name} is missing")
    given = [] if aliases else row["options"]
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InputError(f"{where}: options: expected a list, got {given!r}")
    spelled = [[str(s) for s in (o if isinstance(o, list) else [o])] for o in given]
    if any(not spellings or "" in spellings for spellings in spelled):
        raise InputError(f"{where}: options: one of {given!r} has no text")
    options = tuple(spellings[0] for spellings in spelled)
    images = row.get("images", row.get("image", []))
    paths = [path for path in (images if isinstance(images, list) else [images]) if path]
    meta = {name: value for name, value in row.items() if name not in KNOWN}
    if any(len(spellings) > 1 for spellings in spelled):
        meta["spellings"] = tuple(tuple(spellings) for spellings in spelled)
    if aliases:
        meta["aliases"] = aliases
    if "cluster" not in meta and paths:
        meta["cluster"] = str(paths[0])
    return Item(
        id=str(row["id"]),
        question=str(row["question"]),
        images=tuple(path.parent / str(image) for image in paths),
        options=options,
        answer=None if aliases else read_answer(row.get("answer"), options, where),
        group=None if row.get("group") is None else str(row["group"]),
        meta=meta,
    )


def free_answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that are right for a row without options that has ``aliases``."""
    aliases = row.get("aliases") or []
    if row.get("options") not in (None, "", []) or not aliases:
        return ()
    texts = [row.get("answer"), *(aliases if isinstance(aliases, list) else [aliases])]
    return tuple(str(text) for text in texts if text not in (None, ""))


def read_answer(value: Any, options: Sequence[str], where: str) -> int:
    """The index of the option that ``value`` means: its letter, its text or its 0-based index.

    Raises InputError where it means none, or where two readings name different options.
    """
    if value is None or str(value).strip() == "":
        raise InputError(f"{where}: answer is missing")
    text = str(value).strip()
    readings: dict[str, int] = {}
    letter = re.fullmatch(r"\(?([A-Za-z])[).:]?", text)
    if letter and LETTERS.index(letter[1].upper()) < len(options):
        readings["letter"] = LETTERS.index(letter[1].upper())
    folded = [i for i, option in enumerate(options) if option.casefold() == text.casefold()]
    meant = [i for i in folded if options[i] == text] or folded
    if len(meant) > 1:
        raise InputError(f"{where}: answer {value!r} is the text of {len(meant)} options")
    if meant:
        readings["text"] = meant[0]
    if not isinstance(value, bool) and re.fullmatch(r"\d+", text) and int(text) < len(options):
        readings["index"] = int(text)
    if not readings:
        raise InputError(
            f"{where}: answer {value!r} is neither a letter, nor a text, nor a 0-based index of "
            f"the options {list(options)}"
        )
    if len(set(readings.values())) > 1:
        meanings = " and ".join(f"{options[i]!r} as {how}" for how, i in readings.items())
        raise InputError(f"{where}: answer {value!r} can be read as {meanings}; write the text")
    return next(iter(readings.values()))


def parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: this is not JSON ({error})") from error


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected an object with named fields, got {value!r}")
    return value
