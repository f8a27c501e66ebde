"""Disks that are full or fail, and processes that are killed: one error, and the run goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calib.records import CalibError
from calib.runs.durable import replace as write_whole
from tests.runs.stub import QUESTIONS, ROWS, records, run

ROOT = Path(__file__).resolve().parents[2]


def test_a_disk_that_fails_to_sync(tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch):
    folder, calls, real = tmp_path / "run", [], os.fsync

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 11:  # behind two files, their folder each time, and three batches of two
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CalibError, match=r"No space left on device.*continues from there"):
        run(folder)
    assert records(folder) == b"".join(records(uncut).splitlines(keepends=True)[: 3 * ROWS])
    run(folder)
    assert records(folder) == records(uncut)


def test_a_config_that_cannot_be_written(
    tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "run"

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(CalibError, match=r"cannot be begun there \(No space left"):
            run(folder)
    assert {path.name for path in folder.iterdir()} <= {"records.jsonl"}
    run(folder)
    assert records(folder) == records(uncut)


def elsewhere(call: str, *arguments: object) -> subprocess.Popen[str]:
    """``call``, an expression over the names of ``stub``, in a process of its own."""
    code = f"import sys; from pathlib import Path; from tests.runs.stub import *; {call}"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_a_full_disk_is_one_error_and_the_run_goes_on(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    lines = records(uncut).splitlines(keepends=True)
    three = b"".join(lines[: 3 * ROWS])
    room = len(three) + len(lines[3 * ROWS]) // 2  # the fourth batch is torn in its first line
    call = "score_with_little_room(Path(sys.argv[1]), int(sys.argv[2]))"
    out, err = elsewhere(call, folder, room).communicate(timeout=60)
    assert err == ""
    assert out.startswith("CalibError "), out
    assert "writing failed (File too large)" in out
    assert out.count("\n") == 1
    assert records(folder) == three
    run(folder)
    assert records(folder) == records(uncut)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    path = folder / "records.jsonl"
    for kill_at in (1, 3 * ROWS, 6 * ROWS):
        child = elsewhere("run(Path(sys.argv[1]), Stub(seconds=0.2))", folder)
        with child:
            limit = time.monotonic() + 60
            while not path.exists() or path.read_bytes().count(b"\n") < kill_at:
                assert child.poll() is None, child.communicate()
                assert time.monotonic() < limit
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        kept = path.read_bytes()
        assert kill_at <= kept.count(b"\n") < QUESTIONS
        assert records(uncut).startswith(kept)
    model = run(folder)
    assert records(folder) == records(uncut)
    assert len(model.asked) <= QUESTIONS - 6 * ROWS


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for number in (dead.pid, os.getpid()):
        (tmp_path / f".config.json.{number}.new").write_text("half")
    (tmp_path / ".other.json.1.new").write_text("half")
    write_whole(tmp_path / "config.json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.json.1.new", "config.json"]
