"""Reports of runs whose pictures have gone: copies are kept, shown, and counted aloud."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.records import InputError
from calib.report.items import address_of, write_items
from calib.report.measures import write_measures_report
from calib.report.pictures import Copied, digest_of
from calib.report.scores import write_report
from calib.runs import open_run
from tests.browser import measured
from tests.sampled import make_pictured


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Eight pictures in a folder beside the run's."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(8):
        Image.new("RGB", (16, 16), (30 * k, 90, 10)).save(folder / f"{k}.png")
    return folder


@pytest.fixture
def run(tmp_path: Path, make_run: Any, originals: Path) -> Path:
    """A scored run of forty questions about those pictures, reported while they were there."""
    folder: Path = make_run(tmp_path / "run", n=40)
    rows = list(map(json.loads, (folder / "records.jsonl").read_text().splitlines()))
    for row in rows:
        row["images"] = [str(originals / f"{row['index'] % 8}.png")]
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_report(open_run(folder))
    return folder


def copies(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("items/pictures/*")}


def embedded(folder: Path) -> int:
    return (folder / "report.html").read_text().count('<img src="data:')


def test_copies_outlive_their_originals(run: Path, originals: Path) -> None:
    before, shown = copies(run), embedded(run)
    assert len(before) == 8 and shown > 1
    shutil.rmtree(originals)
    told = "8 of 8 pictures are no longer where they lay, or not readable: the copies"
    for _ in range(2):  # and the copies of copies
        with pytest.warns(UserWarning, match=told):
            write_report(open_run(run))
        assert copies(run) == before and embedded(run) == shown
    assert told in (run / "report.md").read_text() and told in (run / "report.html").read_text()


def test_what_has_no_copy_is_counted_apart(run: Path, originals: Path) -> None:
    before = copies(run)
    lost = json.loads((run / "items" / "pictures.json").read_text())["copies"]
    (run / "items" / "pictures" / lost[digest_of(str(originals / "0.png"))]).unlink()
    for k in range(5):
        (originals / f"{k}.png").unlink()
    (originals / "7.png").write_text("no picture")
    with pytest.warns(UserWarning, match="6 of 8 .* 5 of them are shown .*, 1 not at all"):
        write_report(open_run(run))
    assert len(copies(run)) == 7 and copies(run).items() <= before.items()


def test_copies_of_lost_pictures_are_kept_beyond_the_limit(run: Path, originals: Path) -> None:
    before = copies(run)
    for k in range(6):
        (originals / f"{k}.png").unlink()
    with pytest.warns(UserWarning, match="6 of 8"):
        write_items(open_run(run), pictures=0)
    assert len(copies(run)) == 6 and copies(run).items() <= before.items()


def test_a_copy_goes_when_no_question_is_about_it(run: Path, originals: Path) -> None:
    shutil.rmtree(originals)
    lines = (run / "records.jsonl").read_text().splitlines(keepends=True)
    (run / "records.jsonl").write_text("".join(lines[:3]))
    with pytest.warns(UserWarning, match="3 of 3"):
        write_items(open_run(run))
    assert len(copies(run)) == 3


def test_a_stopped_writing_forgets_no_copy(
    run: Path, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copies(run)
    shutil.rmtree(originals)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", stop)
        write_items(open_run(run))
    with pytest.warns(UserWarning, match="8 of 8"):
        write_items(open_run(run))
    assert copies(run) == before


def stop(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_the_samples_page_shows_copies_after_the_folder_has_moved(tmp_path: Path) -> None:
    folder = make_pictured(tmp_path / "run")
    with pytest.warns(UserWarning, match="1 of 60 pictures is no longer where it lay"):
        write_measures_report(open_run(folder))
    before, shown = copies(folder), embedded(folder)
    moved = folder.rename(tmp_path / "moved")
    shutil.rmtree(moved / "images")
    with pytest.warns(UserWarning, match="60 of 60 .* 59 of them are shown .*, 1 not at all"):
        write_measures_report(open_run(moved))
    assert copies(moved) == before and embedded(moved) == shown


def test_no_path_is_told_to_who_gets_the_page(run: Path, originals: Path) -> None:
    for path in [run / "items.html", *run.glob("items/*.js*")]:
        assert str(originals) not in path.read_text(), path


@pytest.mark.parametrize("name", ["../../config.json", "0123456789abcdef.png/../x", 3])
def test_no_other_file_is_taken_for_a_copy(run: Path, name: Any) -> None:
    known = json.loads((run / "items" / "pictures.json").read_text())
    known["copies"] = dict.fromkeys(known["copies"], name)
    (run / "items" / "pictures.json").write_text(json.dumps(known))
    with pytest.raises(InputError, match=r"pictures\.json: copies: expected names of copies"):
        write_items(open_run(run))


def test_sentences_agree_with_their_numbers() -> None:
    assert Copied(9).told == ""
    assert "1 of 9 pictures is no longer where it lay, or not readable: its copy in" in (
        Copied(9, 1, 1).told
    )
    assert Copied(9, 1).told.endswith("no copy of it is kept.")
    assert Copied(9, 2).told.endswith("no copy of them is kept.")
    assert Copied(9, 2, 1).told.endswith(
        "1 of them is shown from the copies in items/pictures, 1 not at all."
    )


def test_the_command_says_it_in_a_line(run: Path, originals: Path) -> None:
    shutil.rmtree(originals)
    command = [sys.executable, "-m", "calib.cli", "report", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (note,) = re.findall(r"^calib: note: .*$", done.stderr, re.M)
    assert "8 of 8 pictures are no longer where they lay" in note


def test_both_pages_show_the_copies(run: Path, originals: Path, open_page: Any) -> None:
    shutil.rmtree(originals)
    with pytest.warns(UserWarning, match="8 of 8"):
        write_report(open_run(run))
    row = open_run(run).rows()[0]
    items = open_page(run / "items.html", anchor=address_of(row["id"]).partition("#")[2])
    items.page.locator("#item img.small").wait_for()
    assert "8 of 8 pictures are no longer" in items.page.locator("#told").inner_text()
    report = open_page(run / "report.html")
    assert not measured(report.page)["broken"]
    assert report.page.locator("#mistakes .missing, section .card .missing").count() == 0
