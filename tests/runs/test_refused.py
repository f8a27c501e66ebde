"""Folders that belong to another run, another process or nobody are refused and left alone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from calib.drive.score import score
from calib.records import CalibError, InputError
from calib.runs import begin as beginning
from calib.runs import open_run
from calib.runs.batches import whole_batches
from calib.runs.begin import begin
from calib.tasks import Task
from tests.runs.stub import ROWS, TASK, Stub, contents, records, run


@pytest.mark.parametrize(
    "given",
    [
        {"dtype": "bfloat16"},
        {"device": "cuda"},
        {"model": "other"},
        {"batch_size": 5},
        {"limit": 10},
        {"seed": 1},
        {"prompt": "letters"},
        {"variants": True},
        {"confidence": "vocab"},
        {"temperature": 1.5},
        {"normalize": "mean"},
        {"bins": 10},
    ],
    ids=lambda given: next(iter(given)),
)
def test_another_run_is_refused_and_left_untouched(
    tmp_path: Path, uncut: Path, given: dict[str, Any]
):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=3))
    before = contents(folder)
    name = next(iter(given))
    with pytest.raises(InputError, match=rf"belongs to another run \(.*{name}: .* there, .* now"):
        if name in ("model", "dtype", "device"):
            run(folder, Stub(**given))
        else:
            run(folder, **given)
    assert contents(folder) == before
    run(folder)
    assert records(folder) == records(uncut)


def test_other_questions_are_refused(tmp_path: Path):
    run(tmp_path / "run", Stub(stop_at=3))
    before = contents(tmp_path / "run")
    swapped = Task("made-up", TASK.items[1:] + TASK.items[:1])
    with pytest.raises(InputError, match="items: "):
        score(Stub(), swapped, out=tmp_path / "run", batch_size=ROWS)
    assert contents(tmp_path / "run") == before


def test_two_writers_of_one_folder(tmp_path: Path):
    folder = tmp_path / "run"
    first = begin(folder, {"a": 1})
    first.append([{"index": 0, "batch": 0, "of_batch": 1}])
    before = contents(folder)
    with pytest.raises(InputError, match=r"(process \d+|another process) is writing"):
        begin(folder, {"a": 1})
    assert contents(folder) == before
    first.close()
    second = begin(folder, {"a": 1})
    assert whole_batches(second.file, [[0], [1]])[0] == {0}
    second.close()


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path):
    code = (
        "import sys, pathlib, calib.runs.begin as r\n"
        "run = r.begin(pathlib.Path(sys.argv[1]), {'a': 1})\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InputError, match=r"(process \d+|another process) is writing"):
            begin(tmp_path / "run", {"a": 1})
        holder.kill()
    begin(tmp_path / "run", {"a": 1}).close()


def test_of_two_that_begin_at_once_one_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, plain, opened = tmp_path / "run", beginning.circumstances, []

    def begin_with(temperature: float) -> None:
        with contextlib.suppress(InputError):
            opened.append(begin(folder, {"temperature": temperature}))

    def meanwhile() -> dict[str, Any]:
        monkeypatch.setattr(beginning, "circumstances", plain)
        begin_with(1.0)  # after the other looked for a config, before it wrote its own
        return plain()

    monkeypatch.setattr(beginning, "circumstances", meanwhile)
    begin_with(2.0)
    (winner,) = opened
    winner.close()
    assert open_run(folder).config == winner.config


@pytest.mark.parametrize("content", [None, "", "{", "[1]", b"\xff\xfe"])
def test_what_is_no_run_folder(tmp_path: Path, content: str | bytes | None):
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(InputError, match="config"):
        open_run(tmp_path)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path):
    (tmp_path / "records.jsonl").write_text("mine\n")
    with pytest.raises(InputError, match="records but no config"):
        run(tmp_path)
    assert (tmp_path / "records.jsonl").read_text() == "mine\n"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"expected a folder, but .* is none"):
        run(tmp_path / "file")
    with pytest.raises(InputError, match=r"run: expected a folder, but .*file is none"):
        run(tmp_path / "file" / "run")


def test_records_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "run" / "records.jsonl").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(CalibError, match=r"records\.jsonl"):
        begin(tmp_path / "run", {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompt": "nope"}, "prompt: expected one of"),
        ({"confidence": "nope"}, "confidence: expected one of options, vocab"),
        ({"normalize": "nope"}, "normalize: expected one of sum, mean"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"limit": 0}, "limit"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_a_wrong_argument_begins_nothing(tmp_path: Path, given: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        run(tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("bins", [0, -3, 10_001, 10**9])
def test_bins_that_no_report_has_are_refused_before_a_run(tmp_path: Path, bins: int):
    with pytest.raises(InputError, match="bins: expected a whole number from 1 to 10,000"):
        score(Stub(), TASK, out=tmp_path / "run", bins=bins)
    assert not (tmp_path / "run").exists()
