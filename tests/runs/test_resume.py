"""Whatever stops a run, the same call goes on and ends with the same records."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from calib.runs import open_run
from tests.runs.stub import BATCHES, QUESTIONS, ROWS, TASK, Stub, records, run


@pytest.mark.parametrize("stop", range(BATCHES + 1))
def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path, uncut: Path, stop: int):
    folder = tmp_path / "run"
    first = run(folder, Stub(stop_at=stop))
    kept = len(records(folder).splitlines())
    assert records(uncut).startswith(records(folder))
    second = run(folder)
    assert records(folder) == records(uncut)
    # What was written is not asked again, and what was not is.
    assert len(second.asked) == QUESTIONS - kept
    assert {*first.asked, *second.asked} == {item.id for item in TASK}
    # At most the batch under way is lost.
    assert kept >= ROWS * (stop - 1)


def test_a_whole_run_asks_nothing_again(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    before = records(folder)
    assert run(folder).asked == []
    assert records(folder) == before


def test_a_run_cut_at_any_byte_ends_the_same(
    tmp_path: Path, uncut: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # some 500 of them would take long
    whole = records(uncut)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]  # just behind a line
    around = [end + step for end in ends[4:14] for step in (-2, -1, 0, 1)]
    drawn = random.Random(0).sample(range(len(whole)), 40)
    for cut in {0, 1, len(whole) - 1, *around, *drawn}:
        folder = shutil.copytree(uncut, tmp_path / str(cut))
        (folder / "records.jsonl").write_bytes(whole[:cut])
        lines = sum(end <= cut for end in ends)
        model = run(folder)
        assert records(folder) == whole, cut
        done = QUESTIONS if lines == QUESTIONS else lines // ROWS * ROWS
        assert len(model.asked) == QUESTIONS - done


@pytest.mark.parametrize(
    "tail",
    [
        b'{"id": "q',
        b"\0" * 4096,
        b"\0" * 8 + b"\n",
        b"\xff\xfe\xfa\n",
        b"\xff\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
    ],
    ids=repr,
)
def test_what_a_crash_left_behind_is_dropped(tmp_path: Path, uncut: Path, tail: bytes):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[: 2 * ROWS]) + tail)
    if tail != b"{}\n":
        assert len(open_run(folder).rows()) == 2 * ROWS
    run(folder)
    assert records(folder) == records(uncut)


def test_a_batch_that_is_missing_is_asked_with_all_behind_it(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[: 2 * ROWS] + lines[3 * ROWS :]))
    assert len(run(folder).asked) == QUESTIONS - 2 * ROWS
    assert records(folder) == records(uncut)


def test_what_is_there_of_an_unfinished_batch_is_read(tmp_path: Path, uncut: Path):
    folder = shutil.copytree(uncut, tmp_path / "run")
    lines = records(uncut).splitlines(keepends=True)
    for kept in (0, 3, 6, 8, 12, 49, 50):
        (folder / "records.jsonl").write_bytes(b"".join(lines[:kept]))
        rows = open_run(folder).rows()
        read = {row["id"]: row["prob"] for row in rows}
        assert read == {row["id"]: row["prob"] for row in map(json.loads, lines[:kept])}
        assert [row["index"] for row in rows] == sorted(row["index"] for row in rows)
        (folder / "records.jsonl").write_bytes(b"".join(lines[:kept]) + lines[0][:40])
        assert len(open_run(folder).rows()) == kept
    (folder / "records.jsonl").write_bytes(b"".join(lines[:8]))
    assert len(run(folder).asked) == QUESTIONS - ROWS  # a batch that is not whole is asked again
    assert records(folder) == records(uncut)


def test_a_run_goes_on_under_other_circumstances(tmp_path: Path, uncut: Path):
    folder = tmp_path / "run"
    run(folder, Stub(stop_at=3))
    config = json.loads((folder / "config.json").read_text())
    config |= {"versions": {"torch": "0"}, "git": "other", "started": "then", "machine": {}}
    (folder / "config.json").write_text(json.dumps(config))
    run(folder)
    assert records(folder) == records(uncut)
    assert json.loads((folder / "config.json").read_text()) == config


def test_progress_counts_questions(tmp_path: Path):
    told: list[tuple[int, int]] = []
    run(tmp_path / "run", Stub(stop_at=4), progress=lambda d, n, _: told.append((d, n)))
    assert told == [(0, 50), (6, 50), (12, 50), (18, 50), (24, 50)]
    told.clear()
    run(tmp_path / "run", progress=lambda d, n, _: told.append((d, n)))
    assert told == [(k, 50) for k in (24, 30, 36, 42, 48, 50)]
