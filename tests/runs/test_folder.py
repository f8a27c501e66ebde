"""What a run folder holds: a record a question, the config, pictures; and how it is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from calib.drive.score import score
from calib.records import Item
from calib.runs import open_run
from calib.runs.begin import begin
from calib.tasks import Task
from tests.runs.stub import BATCHES, QUESTIONS, ROWS, TASK, Stub, records


def test_every_question_has_one_record(uncut: Path):
    rows = open_run(uncut).rows()
    assert [row["id"] for row in rows] == [item.id for item in TASK]
    assert [row["index"] for row in rows] == list(range(QUESTIONS))
    for row, item in zip(rows, TASK, strict=True):
        assert row["question"] == item.question
        assert row["options"] == list(item.options)
        assert row["answer"] == item.answer
        assert row["group"] == item.group
        assert row["cluster"] == item.id
        assert len(row["prob"]) == len(item.options)
        if item.answer is None:
            assert row["correct"] is None
        else:
            assert row["correct"] == (row["prediction"] == item.answer)


def test_batches_are_written_whole_and_in_order(uncut: Path):
    numbers = [json.loads(line)["batch"] for line in records(uncut).splitlines()]
    assert numbers == sorted(numbers)
    for number in range(BATCHES):
        rows = [json.loads(line) for line in records(uncut).splitlines()]
        own = [row for row in rows if row["batch"] == number]
        assert {row["of_batch"] for row in own} == {len(own)}
        assert len(own) == (ROWS if number < BATCHES - 1 else 2)


def test_the_config_tells_what_was_asked_for(uncut: Path):
    config = json.loads((uncut / "config.json").read_text())
    asked = {"model": "fake", "task": "made-up", "questions": 50, "seed": 0, "limit": None}
    asked |= {"batch_size": 6, "prompt": "options", "variants": False, "confidence": "options"}
    asked |= {"temperature": 1.0, "normalize": "sum", "bins": 15, "dtype": "float32"}
    assert {name: config[name] for name in asked} == asked
    assert config["versions"]["torch"]
    names = ["config.json", "histogram.jsonl", "prompts.jsonl", "records.jsonl"]
    assert sorted(path.name for path in uncut.iterdir()) == names


def test_not_a_number_is_null(tmp_path: Path):
    opened = begin(tmp_path / "run", {})
    nan, inf = float("nan"), float("inf")
    opened.append([{"index": 0, "a": nan, "b": [1.0, -inf, 0], "c": inf, "d": [[nan]], "e": True}])
    opened.close()

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    row = json.loads(records(tmp_path / "run"), parse_constant=refuse)
    expected = {"a": None, "b": [1.0, None, 0], "c": None, "d": [[None]], "e": True}
    assert row == {"index": 0, **expected}


def test_scores_are_a_data_frame(uncut: Path):
    frame = open_run(uncut).scores()
    assert len(frame) == QUESTIONS
    assert frame["id"].tolist() == [item.id for item in TASK]
    assert {"group", "prediction", "answer", "confidence", "correct", "mass"} <= {*frame.columns}


def test_results_are_read_where_they_are(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    assert open_run(folder).results is None
    (folder / "results.json").write_text('{"ece": 0.25}')
    assert open_run(folder).results == {"ece": 0.25}


def with_images(*pairs: tuple[str, Image.Image]) -> Task:
    items = [Item(n, "?", images=(i,), options=("yes", "no"), answer=0) for n, i in pairs]
    return Task("pictures", tuple(items))


def test_images_in_memory_are_kept_with_the_run(tmp_path: Path):
    # Names that are the same once what a file system dislikes is gone.
    names = {"a/b": "red", "a b": "lime", "a_b": "blue", "../x": "white", ".": "black"}
    task = with_images(*((n, Image.new("RGB", (4, 4), c)) for n, c in names.items()))
    opened = score(Stub(), task, out=tmp_path / "run")
    for row in opened.rows():
        (path,) = (opened.path / name for name in row["images"])
        assert (tmp_path / "run").resolve() in path.resolve().parents
        with Image.open(path) as image:
            expected = Image.new("RGB", (1, 1), names[row["id"]]).getpixel((0, 0))
            assert image.convert("RGB").getpixel((0, 0)) == expected


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "F"])
def test_images_of_any_mode_are_kept(tmp_path: Path, mode: str):
    task = with_images(("a", Image.new("RGB", (4, 4), "white").convert(mode)))
    opened = score(Stub(), task, out=tmp_path / "run")
    assert (opened.path / opened.rows()[0]["images"][0]).is_file()
