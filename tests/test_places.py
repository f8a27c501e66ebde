"""Where something is written: what is there and cannot be replaced is refused and left alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.calibrators.temperature import TemperatureScaling
from calib.idk.files import write_rows
from calib.records import EncodedImage, InputError, Item
from calib.report.scores import write_report
from calib.runs import open_run
from calib.runs.begin import begin
from calib.runs.durable import replace
from calib.runs.pictures import saved


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


OTHERS = [pipe, link_to_a_pipe, Path.mkdir]


@pytest.fixture(params=OTHERS, ids=["pipe", "link", "folder"])
def other(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return request.param


@pytest.fixture
def run(make_run, tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", n=60)


def beside(path: Path) -> set[str]:
    return {entry.name for entry in path.parent.iterdir()}


def refused(arguments: list[str], expected: str) -> None:
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 2, ran.output
    said = [line for line in ran.output.splitlines() if line.startswith("calib: ")]
    assert len(said) == 1 and expected in said[0], ran.output


def test_a_temperature_goes_into_a_regular_file(run: Path, tmp_path: Path, other):
    path = tmp_path / "there"
    other(path)
    kind, names = stat.S_IFMT(path.lstat().st_mode), beside(path)
    refused(["fit", str(run), "--output_path", str(path)], f"{path}: expected a regular file")
    with pytest.raises(InputError, match="expected a regular file"):
        TemperatureScaling().fit([[1.0, 0.0], [0.0, 2.0], [2.0, 0.0]], [0, 1, 1]).save(path)
    assert stat.S_IFMT(path.lstat().st_mode) == kind and beside(path) == names


@pytest.mark.parametrize("name", ["results.json", "report.html", "report.md"])
def test_a_report_replaces_files_alone(run: Path, name: str, other):
    other(run / name)
    kind = stat.S_IFMT((run / name).lstat().st_mode)
    with pytest.raises(InputError, match=rf"{name}: expected a regular file"):
        write_report(open_run(run))
    assert stat.S_IFMT((run / name).lstat().st_mode) == kind


def test_a_regular_file_is_replaced_and_a_new_one_made(tmp_path: Path):
    for content in ("one", "two"):
        replace(tmp_path / "file", content)
        assert (tmp_path / "file").read_text() == content
    assert beside(tmp_path / "file") == {"file"}


def test_records_are_appended_to_a_regular_file(tmp_path: Path, other):
    """A pipe that nobody reads would be waited for without end."""
    (tmp_path / "run").mkdir()
    other(tmp_path / "run" / "records.jsonl")
    with pytest.raises(InputError, match=r"records\.jsonl: expected a regular file"):
        begin(tmp_path / "run", {"a": 1})
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_picture_is_kept_in_a_regular_file(tmp_path: Path, other):
    (tmp_path / "images").mkdir()
    item = Item("a", "?", (EncodedImage(b"\x89PNG\r\n\x1a\n", "row 1"),))
    other(tmp_path / "images" / "0-0.png")
    with pytest.raises(InputError, match="expected a regular file"):
        saved(tmp_path, item, 0, 0)


@pytest.mark.parametrize("name", ["train.jsonl", "train.parquet"])
def test_a_part_of_a_set_is_a_regular_file(tmp_path: Path, other, name: str):
    (tmp_path / "labels").mkdir()
    other(tmp_path / "labels" / name)
    with pytest.raises(InputError, match="expected a regular file"):
        write_rows(tmp_path / "labels", [], ["train"], tmp_path)
    assert (tmp_path / "labels" / name).exists()


MODEL = ["--model", "embedded:base", "--tasks", "capitals"]
FOLDERS = {
    "demo": [],
    "score": MODEL,
    "sample": MODEL,
    "idk build": MODEL,
    "compare": ["RUN", "OTHER"],
}


@pytest.mark.parametrize("inside", ["", "sub"])
@pytest.mark.parametrize("make", [Path.touch, pipe], ids=["file", "pipe"])
@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_is_no_file(command, make, inside, run, make_run, tmp_path: Path):
    runs = {"RUN": str(run), "OTHER": str(make_run(tmp_path / "other", n=60, model="b"))}
    path = tmp_path / "there"
    make(path)
    words = [runs.get(word, word) for word in [*command.split(), *FOLDERS[command]]]
    refused(
        [*words, "--output_path", str(path / inside)],
        f"{path / inside}: expected a folder, but {path} is none",
    )
    assert not path.is_dir() and stat.S_IFMT(path.lstat().st_mode) != stat.S_IFLNK


def test_a_comparison_is_written_into_a_folder(run: Path, make_run, tmp_path: Path):
    other = make_run(tmp_path / "other", n=60, model="b")
    results = calib.compare([open_run(run), open_run(other)])
    (tmp_path / "there").touch()
    with pytest.raises(InputError, match="expected a folder"):
        calib.write_comparison(results, tmp_path / "there")
