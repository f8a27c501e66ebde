"""Parquet as the library datasets writes it."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from calib.records import EncodedImage, InputError, Item
from calib.tasks import load_task
from calib.tasks.files import read_file


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), colour).save(file, "PNG")
    return file.getvalue()


def stored(path: Path, rows: list[dict[str, Any]]) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def read(tmp_path: Path, *rows: dict[str, Any]) -> tuple[Item, ...]:
    return read_file(stored(tmp_path / "x.parquet", list(rows)))


ROW = {"id": "a", "question": "Which?", "options": ["x", "y"], "answer": "B"}


@pytest.mark.filterwarnings("ignore:.*no row has an id")
def test_scienceqa_as_the_hub_stores_it(tmp_path: Path):
    row = {
        "image": {"bytes": png(), "path": "image.png"},
        "question": "Which is farthest north?",
        "choices": ["West Virginia", "Louisiana", "Arizona"],
        "answer": 2,
        "hint": "",
        "task": "closed choice",
        "category": "Geography",
        "lecture": "Maps have directions.",
        "solution": "It is Arizona.",
    }
    rows = [row, row | {"image": None, "choices": ["b", "c"], "answer": 0}]
    path = stored(tmp_path / "x.parquet", rows)
    with pytest.warns(UserWarning, match="'task', 'solution'"):
        first, second = load_task(path).items
    assert first.images == (EncodedImage(png(), f"{path}, row 0"),)
    assert (first.id, first.options[first.answer or 0], first.group) == (
        "0",
        "Arizona",
        "Geography",
    )
    assert first.meta["lecture"] == "Maps have directions."
    assert (second.id, second.images, second.answer) == ("1", (), 0)


@pytest.mark.filterwarnings("ignore:.*no question uses")
def test_mmbench_as_the_hub_stores_it(tmp_path: Path):
    row = {"index": 241, "question": "q", "hint": None, "A": "x", "B": "y", "C": None, "D": None}
    row |= {"answer": "B", "category": "c", "image": {"bytes": png(), "path": None}, "split": "dev"}
    (item,) = read(tmp_path, row)
    assert (item.id, item.options, item.answer, item.group) == ("241", ("x", "y"), 1, "c")
    with pytest.raises(InputError, match="row 0: hint is 'nan', which tables write for an empty"):
        read(tmp_path, row | {"hint": "nan"})
    with pytest.raises(InputError, match="row 0: C is 'nan'"):
        read(tmp_path, row | {"C": "nan"})


@pytest.mark.filterwarnings("ignore:.*no row has an id")
def test_ai2d_as_the_hub_stores_it(tmp_path: Path):
    row = {"question": "q", "options": ["c", "D", "b", "a"], "answer": "1"}
    row["image"] = {"bytes": png(), "path": None}  # type: ignore[assignment]
    (item,) = read(tmp_path, row)
    assert (item.answer, len(item.images)) == (1, 1)
    numbers = row | {"options": ["1", "2", "3", "4"]}
    with pytest.raises(InputError, match=r"x\.parquet, row 0: answer '1' can be read as"):
        read(tmp_path, numbers)
    numbers["answer_index"] = numbers.pop("answer")
    assert read(tmp_path, numbers)[0].answer == 1


def test_pictures_as_bytes_in_lists_and_by_path(tmp_path: Path):
    (item,) = read(tmp_path, ROW | {"images": [png(), png("blue")]})
    assert [image.data for image in item.images] == [png(), png("blue")]  # type: ignore[union-attr]
    (item,) = read(tmp_path, ROW | {"image": {"bytes": None, "path": "a.png"}})
    assert item.images == (tmp_path / "a.png",)
    for value in (b"no picture", {"bytes": b"no picture", "path": None}):
        with pytest.raises(InputError, match="row 0: image: 10 bytes are not those of a picture"):
            read(tmp_path, ROW | {"image": value})


def test_more_rows_than_are_decoded_at_a_time(tmp_path: Path):
    rows = [ROW | {"id": number, "answer": "AB"[number % 2]} for number in range(1_000)]
    items = read(tmp_path, *rows)
    assert [item.id for item in items] == list(map(str, range(1_000)))
    assert [item.answer for item in items] == [0, 1] * 500
    with pytest.raises(InputError, match=r"x\.parquet, row 999: answer 'Z'"):
        read(tmp_path, *rows[:-1], rows[-1] | {"answer": "Z"})


@pytest.mark.parametrize("value", [datetime.date(2026, 1, 2), b"a", {"a": 1}, [["a"]]])
@pytest.mark.parametrize("column", ["question", "hint", "group", "answer"])
def test_values_that_are_no_texts(tmp_path: Path, column: str, value: Any):
    with pytest.raises(InputError, match=f"row 0: {column}: expected text, got"):
        read(tmp_path, ROW | {column: value})


def test_what_is_no_parquet(tmp_path: Path):
    path = tmp_path / "x.parquet"
    with pytest.raises(InputError, match=r"x\.parquet: there is no such file"):
        read_file(path)
    whole = stored(path, [ROW]).read_bytes()
    for data in (b"", b"id,question", whole[:-9], whole[9:], b"PAR1" + bytes(40) + b"PAR1"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"x\.parquet: it cannot be read as Parquet"):
            read_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        read_file(path)
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["id", "id"]), tmp_path / "y.parquet")
    with pytest.raises(InputError, match=r"y\.parquet: the column 'id' appears twice"):
        read_file(tmp_path / "y.parquet")


def test_a_table_of_no_rows(tmp_path: Path):
    with pytest.raises(InputError, match="it holds no questions"):
        read(tmp_path)


def test_conversations(tmp_path: Path):
    turns = [
        {"from": "human", "value": "<image>\nWhich?\nA. x\nB. y"},
        {"from": "gpt", "value": "B"},
    ]
    (item,) = read(tmp_path, {"id": "c", "conversations": turns, "image": {"bytes": png()}})
    assert (item.id, item.answer, len(item.images)) == ("c", 1, 1)
