"""Files written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError, Item
from calib.tasks.files import read_file

Read = Callable[[str, "str | bytes"], tuple[Item, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file of this name and text, and read it."""

    def write_and_read(name: str, text: str | bytes) -> tuple[Item, ...]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_file(path)

    return write_and_read


@pytest.fixture
def read_row(read: Read) -> Callable[..., Item]:
    """The item of one row of JSONL: a question of three colours with these columns instead."""

    def item(**columns: Any) -> Item:
        row = {"id": "a", "question": "Which?", "options": ["red", "green", "blue"], "answer": "B"}
        (item,) = read("q.jsonl", json.dumps(row | columns) + "\n")
        return item

    return item


@pytest.fixture
def refusal(read: Read) -> Callable[[str, str | bytes], str]:
    """What is said of a file: one short line that begins with its name."""

    def message(name: str, text: str | bytes) -> str:
        with pytest.raises(InputError) as caught:
            read(name, text)
        said = str(caught.value)
        assert said.isprintable()
        assert "/" + name in said.split(":")[0]
        said = said[said.index("/" + name) + 1 :]
        assert len(said) < 700
        return said

    return message


@pytest.fixture
def row_refusal(refusal: Callable[[str, str], str]) -> Callable[..., str]:
    """What is said of the second row of JSONL with these columns: it names the line."""

    def message(**columns: Any) -> str:
        row = {"id": "a", "question": "Which?", "options": ["red", "green", "blue"], "answer": "B"}
        lines = json.dumps(row) + "\n" + json.dumps(row | {"id": "b"} | columns) + "\n"
        said = refusal("q.jsonl", lines)
        assert said.startswith("q.jsonl, line 2: ")
        return said.removeprefix("q.jsonl, line 2: ")

    return message
