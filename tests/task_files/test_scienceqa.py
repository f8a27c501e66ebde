"""ScienceQA's problems.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError
from calib.tasks.files import read_file

DATA = Path(__file__).parents[1] / "data" / "task_files" / "problems.json"


@pytest.fixture
def problems(tmp_path: Path) -> dict[str, Any]:
    for number in range(5):
        (tmp_path / "test" / str(number)).mkdir(parents=True)
        (tmp_path / "test" / str(number) / "image.png").touch()
    return json.loads(DATA.read_text())


def written(tmp_path: Path, problems: dict[str, Any]) -> Path:
    path = tmp_path / "problems.json"
    path.write_text(json.dumps(problems))
    return path


@pytest.mark.filterwarnings("ignore:.*no question uses the columns")
def test_problems(tmp_path: Path, problems: dict[str, Any]):
    path = tmp_path / "problems.json"
    shutil.copyfile(DATA, path)
    items = read_file(path)
    assert [item.id for item in items] == list("012345")
    assert [item.options[item.answer or 0] for item in items] == ["no", *["yes"] * 5]
    assert items[0].images == (tmp_path / "test/0/image.png",)
    assert items[5].images == ()
    assert items[0].meta["hint"] == "The picture shows one geometric shape of one colour."
    assert "hint" not in items[1].meta
    assert {item.group for item in items} == {"natural science"}


def test_the_solution_is_not_shown_and_said_to_be_unused(tmp_path: Path, problems: dict[str, Any]):
    problems["0"]["solution"] = "It is no."
    with pytest.warns(UserWarning, match="no question uses the columns .*'solution'") as told:
        item = read_file(written(tmp_path, problems))[0]
    assert item.meta["solution"] == "It is no."
    assert "subject" not in str(told[0].message)


@pytest.mark.filterwarnings("ignore:.*no question uses the columns")
@pytest.mark.parametrize("place", ["test/0", "images/test/0", "0", "."])
def test_places_of_a_picture(tmp_path: Path, problems: dict[str, Any], place: str):
    shutil.rmtree(tmp_path / "test")
    picture = tmp_path / place / "image.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.touch()
    (item,) = read_file(written(tmp_path, {"0": problems["0"]}))
    assert item.images == (picture,)


def test_a_picture_in_none_of_its_places(tmp_path: Path, problems: dict[str, Any]):
    shutil.rmtree(tmp_path / "test" / "3")
    places = "test/3/image.png, images/test/3/image.png, 3/image.png, image.png"
    with pytest.raises(InputError, match=f"entry '3': image 'image.png' is in none of {places}"):
        read_file(written(tmp_path, problems))


@pytest.mark.filterwarnings("ignore:.*no question uses the columns")
def test_splits_are_counted(tmp_path: Path, problems: dict[str, Any]):
    problems["5"]["split"] = "val"
    with pytest.warns(UserWarning, match="all splits are read: 5 of test, 1 of val"):
        assert len(read_file(written(tmp_path, problems))) == 6


@pytest.mark.filterwarnings("ignore:.*no question uses the columns")
def test_an_answer_is_an_index_where_choices_are_numbers(tmp_path: Path, problems: dict[str, Any]):
    problems["5"] |= {"choices": ["2", "1", "0"], "answer": 0}
    item = read_file(written(tmp_path, {"5": problems["5"]}))[0]
    assert item.options[item.answer or 0] == "2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "1"}, "entry '5': answer: expected the 0-based index"),
        ({"answer": 2}, "entry '5'"),
        ({"answer": None}, "entry '5': answer: expected the 0-based index"),
        ({"image": 3}, "entry '5': image: expected a file's name or null"),
        ({"id": "6"}, "entry '5': its own id is '6'"),
        ({"choices": []}, "entry '5'"),
    ],
)
def test_a_wrong_problem_is_named(
    tmp_path: Path, problems: dict[str, Any], change: dict[str, Any], message: str
):
    with pytest.raises(InputError, match=message):
        read_file(written(tmp_path, {"5": problems["5"] | change}))


def test_plain_rows_by_id(tmp_path: Path):
    row = {"question": "Which?", "options": ["x", "y"], "answer": "y"}
    items = read_file(written(tmp_path, {"a": row, "b": row}))
    assert [(item.id, item.answer) for item in items] == [("a", 1), ("b", 1)]
