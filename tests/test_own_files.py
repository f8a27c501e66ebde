"""Files of JSON that calib wrote and that were damaged since: one sentence names the file."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.calibrators.temperature import TemperatureScaling
from calib.images.kept import copies_in
from calib.records import CalibError, Item
from calib.report.idk import write_idk_report
from calib.runs import open_run
from calib.runs.shards import item_row, read_items

DAMAGE = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "many digits": b'{"index": ' + b"1" * 5000 + b"}",
    "torn": b"{",
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "nothing": b"",
    "other fields": b'{"a": "\\ud800"}',
}


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """What waits for a pipe fails, and does not hang."""

    def late(*_: object) -> None:
        raise TimeoutError("this waits for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def sampled(folder: Path) -> Path:
    """A sampled run of one question."""
    folder.mkdir(exist_ok=True)
    config = {"kind": "sample", "samples": 2, "model": "m", "task": "t"}
    (folder / "config.json").write_text(json.dumps(config))
    item = Item("a", "Which?", options=("yes", "no"), answer=0)
    (folder / "items.jsonl").write_text(json.dumps(item_row(0, item, [])) + "\n")
    rows = [{"index": 0, "sample": k, "id": "a", "text": "yes", "tokens": 1} for k in range(2)]
    (folder / "records-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts.jsonl").write_text('{"id": "a", "text": "Which?", "images": []}\n')
    return folder


def read_names(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "names.json").rename(folder / "images" / "names.json")
    copies_in(folder)


READERS = {
    "config.json": open_run,
    "items.jsonl": read_items,
    "prompts.jsonl": lambda folder: open_run(folder).prompts(),
    "temperature.json": lambda folder: TemperatureScaling.load(folder / "temperature.json"),
    "results.json": write_idk_report,
    "names.json": read_names,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_named(tmp_path: Path, name: str, how: str):
    (sampled(tmp_path) / name).write_bytes(DAMAGE[how] + b"\n")
    with pytest.raises(CalibError, match=name.replace(".", r"\.")):
        READERS[name](tmp_path)


@pytest.mark.parametrize("how", ["deep", "many digits", "torn"])
def test_damaged_results_are_named(tmp_path: Path, how: str):
    (sampled(tmp_path) / "results.json").write_bytes(DAMAGE[how])
    with pytest.raises(CalibError, match=r"results\.json: this is not JSON that can be read"):
        _ = open_run(tmp_path).results


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[" * 100_000 + "]" * 100_000, "this is not JSON that can be read"),
        ("1" * 5000, "this is not JSON that can be read"),
        ("null", "text: expected text"),
        (r'"\ud800"', "text: expected text"),
    ],
)
def test_a_damaged_answer_is_named_with_its_line(tmp_path: Path, value: str, reason: str):
    records = sampled(tmp_path) / "records-0.jsonl"
    first, second = records.read_text().splitlines()
    records.write_text(f"{first}\n" + second.replace('"yes"', value) + "\n")
    with pytest.raises(CalibError, match=rf"records-0\.jsonl, line 2: {reason}"):
        open_run(tmp_path).answers()


@pytest.mark.parametrize(
    ("name", "value"),
    [("answer", 9), ("answer", "yes"), ("options", None), ("images", 3), ("meta", []),
     ("id", ["a"]), ("cluster", ["a"]), ("cluster", "\ud800"), ("question", 5), ("index", 3)],
)  # fmt: skip
def test_an_item_that_cannot_be_is_named(tmp_path: Path, name: str, value: object):
    items = sampled(tmp_path) / "items.jsonl"
    items.write_text(json.dumps({**json.loads(items.read_text()), name: value}) + "\n")
    with pytest.raises(CalibError, match=rf"items\.jsonl, line 1: {name}"):
        read_items(tmp_path)


@pytest.mark.parametrize("change", [{"samples": None}, {"task": None}, {"parts": [1, 3]}])
def test_a_sampled_run_needs_its_settings(tmp_path: Path, change: dict[str, object]):
    config = sampled(tmp_path) / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(CalibError, match=rf"config\.json: {next(iter(change))}: expected"):
        open_run(tmp_path)


@pytest.mark.parametrize("name", ["records.jsonl", "items.jsonl", "records-0.jsonl"])
def test_a_pipe_is_not_waited_for(make_run, tmp_path: Path, name: str):
    folder = make_run(tmp_path / "run") if name == "records.jsonl" else sampled(tmp_path)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    run = open_run(folder)
    with pytest.raises(CalibError, match="expected a regular file"):
        if name == "records.jsonl":
            run.rows()
        run.items()
        run.answers()


@pytest.mark.parametrize("value", [-1, 0, None, "x", float("nan"), 10**400], ids="abcdef")
def test_a_temperature_that_cannot_be_is_refused(tmp_path: Path, value: object):
    path = tmp_path / "t.json"
    logits = [[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [2.0, 0.0]]
    TemperatureScaling().fit(logits, [0, 1, 1, 0]).save(path)
    TemperatureScaling.load(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": value}))
    with pytest.raises(CalibError, match="temperature: expected a positive number"):
        TemperatureScaling.load(path)


def test_pictures_that_are_no_files_are_not_read(make_run, tmp_path: Path):
    folder = make_run(tmp_path / "run", n=20)
    os.mkfifo(folder / "pipe.png")
    records = folder / "records.jsonl"
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    names = ["pipe.png", "/dev/zero", ".", "a\0b"]
    for row in rows:
        row["images"] = names
    records.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert ran.exit_code == 0, ran.output
    assert "data:image" not in (folder / "report.html").read_text(encoding="utf-8")


def test_no_rows_and_no_room_name_their_place(make_run, tmp_path: Path):
    folder = make_run(tmp_path / "run", n=60)
    for place in (tmp_path / "none" / "t.json", tmp_path, folder / "config.json" / "t.json"):
        ran = CliRunner().invoke(cli.app, ["fit", str(folder), "--output_path", str(place)])
        assert ran.exit_code == 2
        said = ran.output.replace("\n", "")
        assert any(f"calib: {name}: " in said for name in (place, place.parent))
    (folder / "records.jsonl").write_text("")
    ran = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert ran.exit_code == 1
    assert f"{folder} holds 0 rows" in ran.output.replace("\n", "")


def test_markdown_shows_text_and_follows_no_link(make_run, tmp_path: Path):
    folder = make_run(tmp_path / "run", n=60, model="[a](javascript:b) <script>")
    assert CliRunner().invoke(cli.app, ["report", str(folder)]).exit_code == 0
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert r"# \[a\](javascript:b) \<script\> on made-up" in text
    assert not any(mark in text.replace(rf"\{mark}", "") for mark in ("<script>", "[a]("))
