"""Exports that hold their pictures: moved, loaded by ``datasets``, written again."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from calib import cli
from calib.idk import files
from calib.idk.draw import Subject
from calib.idk.folder import build_set, label_set
from calib.idk.pictures import Copies
from calib.records import CalibError, EncodedImage, Item
from calib.tasks import Task
from tests.hf.conftest import make_llama, make_tokenizer
from tests.house import ROOT
from tests.idk_cases import COLOURS, SETTINGS, Scripted, questions

EXPORTS = ("labels", "sft", "preference")


@pytest.fixture
def subject() -> Subject:
    return Subject.of(Scripted("scripted", make_llama(), make_tokenizer(), None))


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [row for file in sorted((folder / name).glob("*.jsonl")) for row in lines_of(file)]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def state(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def moved(subject: Subject, tmp_path: Path) -> Path:
    """A set with its pictures, in another place; what they came from is gone."""
    (tmp_path / "from").mkdir()
    build_set(subject, questions(tmp_path / "from"), tmp_path / "set", **SETTINGS)
    shutil.rmtree(tmp_path / "from")
    return (tmp_path / "set").rename(tmp_path / "elsewhere")


def test_rows_name_pictures_within_the_set(moved: Path):
    for name in EXPORTS:
        rows = rows_of(moved, name)
        assert len(rows) == 12
        for row in rows:
            (image,) = row["images"]
            assert not Path(image).is_absolute() and ".." not in image
            colour = COLOURS[int(row["id"][1:]) // 3 % 3]
            assert (moved / image).read_bytes() == png(colour), "as the file was"
    # Pictures 0 and 3 are the same bytes.
    assert len(list((moved / "images").glob("*.png"))) == 3


@pytest.mark.parametrize("name", EXPORTS)
def test_a_moved_set_loads_with_its_pictures_decoded(moved: Path, tmp_path: Path, name: str):
    loaded = datasets.load_dataset(str(moved), name, cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "test"}
    for part, rows in loaded.items():
        assert rows.features["images"] == datasets.List(datasets.Image())
        written = lines_of(moved / name / f"{part}.jsonl")
        assert len(rows) == len(written)
        for row, line in zip(rows, written, strict=True):
            assert list(row) == list(line)  # the same columns in the same order
            assert {**row, "images": None} == {**line, "images": None}
            (picture,) = row["images"]
            assert isinstance(picture, Image.Image)
            colour = Image.new("RGB", (1, 1), COLOURS[int(row["id"][1:]) // 3 % 3])
            assert picture.size == (16, 16)
            assert picture.getpixel((0, 0)) == colour.getpixel((0, 0))


def test_the_lines_name_pictures_below_the_set(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(moved)
    rows = datasets.load_dataset(
        "json", data_files="sft/train.jsonl", cache_dir=str(tmp_path / "cache"), split="train"
    )
    rows = rows.cast_column("images", datasets.List(datasets.Image()))
    assert rows[0]["images"][0].size == (16, 16)
    assert [turn["role"] for turn in rows[0]["messages"]] == ["user", "assistant"]


def test_many_rows_are_written_piece_by_piece(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = lines_of(moved / "labels" / "train.jsonl")
    whole = b"".join(files.parquet(rows, moved))
    monkeypatch.setattr(files, "ROWS", 2)
    pieces = list(files.parquet(rows, moved))
    assert len(pieces) == len(range(0, len(rows), 2)) + 1 and all(pieces)
    tables = [pq.read_table(io.BytesIO(data)) for data in (whole, b"".join(pieces))]
    assert tables[0] == tables[1] and len(tables[0]) == len(rows)


def test_a_set_without_pictures_has_the_same_columns(subject: Subject, tmp_path: Path):
    items = [Item(f"q{n}", f"Which colour, {n}?", (), COLOURS, n % 3) for n in range(6)]
    build_set(subject, Task("t", tuple(items)), tmp_path / "set", **SETTINGS)
    for name in EXPORTS:
        loaded = datasets.load_dataset(
            str(tmp_path / "set"), name, cache_dir=str(tmp_path / "cache")
        )
        for rows in loaded.values():
            assert rows.features["images"] == datasets.List(datasets.Image())
            assert all(row["images"] == [] for row in rows)
            if name == "labels":
                assert rows.features["group"] == datasets.Value("string")  # of which there is none
                assert rows.features["options"] == datasets.List(datasets.Value("string"))


def test_the_lines_of_the_card_and_the_docs_load_it(moved: Path, monkeypatch: pytest.MonkeyPatch):
    card = (moved / "README.md").read_text()
    page = (ROOT / "docs" / "idk.md").read_text()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", moved / "cache")
    for text, folder in ((card, "path/to/this/folder"), (page, "runs/idk")):
        code = text.partition("```python\n")[2].partition("```")[0]
        names: dict[str, Any] = {}
        exec(code.replace(folder, str(moved)), names)
        assert names["rows"][0]["images"][0].size == (16, 16)


def test_a_moved_set_is_labelled_anew(moved: Path):
    pictures = state(moved / "images")
    label_set(moved, tau=0.5)
    assert state(moved / "images") == pictures
    assert all((moved / row["images"][0]).is_file() for row in rows_of(moved, "labels"))


def test_the_same_call_writes_the_same(subject: Subject, tmp_path: Path):
    task = questions(tmp_path)
    build_set(subject, task, tmp_path / "set", **SETTINGS)
    before = state(tmp_path / "set")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "images").iterdir()}
    build_set(subject, task, tmp_path / "set", **SETTINGS)
    assert state(tmp_path / "set") == before
    assert "labels/train.parquet" in before
    pngs = [path for path in written if path.suffix == ".png"]
    assert pngs and all(path.stat().st_mtime_ns == written[path] for path in pngs)


def test_without_copies_rows_name_the_files_themselves(subject: Subject, tmp_path: Path):
    task = questions(tmp_path)
    build_set(subject, task, tmp_path / "set", copy_images=False, **SETTINGS)
    named = {row["images"][0] for row in rows_of(tmp_path / "set", "sft")}
    assert named == {str(tmp_path / f"{number}.png") for number in range(4)}
    assert not (tmp_path / "set" / "images").exists()
    assert not list((tmp_path / "set").rglob("*.parquet"))
    loaded = datasets.load_dataset(
        str(tmp_path / "set"), "sft", cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert loaded["id"] == [row["id"] for row in lines_of(tmp_path / "set" / "sft" / "train.jsonl")]
    label_set(tmp_path / "set", tau=0.5)
    assert not (tmp_path / "set" / "images").exists()
    label_set(tmp_path / "set", copy_images=True)
    assert rows_of(tmp_path / "set", "sft")[0]["images"][0].startswith("images/")


def test_pictures_in_memory_and_in_tables(subject: Subject, tmp_path: Path):
    made = [
        Image.new("RGB", (16, 16), "red"),
        EncodedImage(png("green"), "t.tsv, line 2"),
        EncodedImage(png("green"), "t.tsv, line 3"),
    ]
    items = [Item(f"q{3 * n}", "Which colour?", (p,), COLOURS, 0) for n, p in enumerate(made)]
    build_set(subject, Task("t", tuple(items)), tmp_path / "set", **SETTINGS)
    rows = {row["id"]: row["images"] for row in rows_of(tmp_path / "set", "labels")}
    assert rows["q3"] == rows["q6"] != rows["q0"]
    assert (tmp_path / "set" / rows["q3"][0]).read_bytes() == png("green")
    assert Image.open(tmp_path / "set" / rows["q0"][0]).getpixel((0, 0)) == (255, 0, 0)


def test_copies_take_every_kind_of_picture(tmp_path: Path):
    copies = Copies(tmp_path)
    data = png("red")
    (tmp_path / "a.png").write_bytes(data)
    from_file, from_table = copies(tmp_path / "a.png"), copies(EncodedImage(data, "t, line 2"))
    assert from_file == from_table
    assert (tmp_path / copies(Image.new("RGB", (2, 2)))).is_file()


def test_equal_names_and_other_pictures(tmp_path: Path):
    for folder, colour in (("a", "red"), ("b", "blue")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(png(colour))
    copies = Copies(tmp_path / "set")
    names = [copies(tmp_path / folder / "x.png") for folder in "ab"]
    assert [(tmp_path / "set" / name).read_bytes() for name in names] == [png("red"), png("blue")]


def test_a_suffix_says_what_the_file_is(tmp_path: Path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", format="JPEG")
    assert Copies(tmp_path / "set")(tmp_path / "a.png").endswith(".jpg")


def test_a_name_that_is_taken_is_not_written_through(tmp_path: Path):
    data = png("red")
    (tmp_path / "a.png").write_bytes(data)
    name = Copies(tmp_path / "set")(tmp_path / "a.png")
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    (tmp_path / "set" / name).unlink()
    (tmp_path / "set" / name).symlink_to(outside)
    assert Copies(tmp_path / "set")(tmp_path / "a.png") == name
    assert outside.read_text() == "not ours" and (tmp_path / "set" / name).read_bytes() == data


def test_a_picture_that_is_gone_is_named(tmp_path: Path):
    with pytest.raises(CalibError, match=r"gone\.png.*there is no such file"):
        Copies(tmp_path)(tmp_path / "gone.png")


def test_the_command_has_the_flag(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    build_set(subject, questions(tmp_path), tmp_path / "set", copy_images=False, **SETTINGS)
    done = CliRunner().invoke(cli.app, ["idk", "label", str(tmp_path / "set"), "--copy_images"])
    assert done.exit_code == 0, done.output
    assert rows_of(tmp_path / "set", "labels")[0]["images"][0].startswith("images/")
