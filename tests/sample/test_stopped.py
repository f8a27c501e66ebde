"""Sampled runs that were stopped, torn, killed or divided give what a calm one gives."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from calib.drive.sample import sample
from calib.hf.model import Model
from calib.records import CalibError
from calib.runs.shards import whole_parts
from tests.sample.questions import SETTINGS, questions, records

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]


def test_a_packed_run_goes_on(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while some questions are under way: written ones stay, every one is there once."""
    from calib.runs import Run

    settings: dict[str, Any] = {**SETTINGS, "batching": "packed", "rows": 12}
    sample(llama, questions(14), out=tmp_path / "calm", **settings)
    append = Run.append
    calls: list[int] = []

    def stopped(self: Run, rows: Any) -> None:
        calls.append(len(rows))
        if len(calls) == 6:
            raise KeyboardInterrupt
        append(self, rows)

    monkeypatch.setattr(Run, "append", stopped)
    with pytest.raises(KeyboardInterrupt):
        sample(llama, questions(14), out=tmp_path / "run", **settings)
    assert calls == [4] * 6
    monkeypatch.undo()
    file = tmp_path / "run" / "records-0.jsonl"
    written = file.read_bytes()
    file.write_bytes(written[:-1])  # the last line is torn as well
    sample(llama, questions(14), out=tmp_path / "run", **settings)
    kept = b"".join(written.splitlines(keepends=True)[:16])
    assert file.read_bytes().startswith(kept)
    calm, found = records(tmp_path / "calm"), records(tmp_path / "run")
    assert [(row["index"], row["sample"], row["text"]) for row in found] == [
        (row["index"], row["sample"], row["text"]) for row in calm
    ]
    assert [row["logprob"] for row in found] == pytest.approx(
        [row["logprob"] for row in calm], abs=1e-4
    )


@pytest.mark.parametrize("where", ["end", "middle of a line", "between samples"])
def test_a_torn_item_is_drawn_again(llama: Model, tmp_path: Path, where: str) -> None:
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    file = tmp_path / "records-0.jsonl"
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = {
        "end": whole[:-1],
        "middle of a line": b"".join(lines[:9]) + lines[9][:30],
        "between samples": b"".join(lines[:10]),
    }[where]
    file.write_bytes(torn)
    assert whole_parts(file, [4])[0] == [set(range(torn.count(b"\n") // 4))]
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert file.read_bytes() == whole


def test_processes_divide_the_questions(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sample(llama, questions(), out=tmp_path / "one", **SETTINGS)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        two = sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    assert len(list((tmp_path / "two").glob("records-*.jsonl"))) == 2
    assert records(tmp_path / "two") == records(tmp_path / "one")
    assert two.answers().equals(one.answers())
    # Begun by two, one of which was killed; ended by one.
    (tmp_path / "two" / "records-1.jsonl").unlink()
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    sample(llama, questions(), out=tmp_path / "two", **SETTINGS)
    assert records(tmp_path / "two") == records(tmp_path / "one")


def test_a_run_goes_on_with_the_threads_it_was_begun_with(llama: Model, tmp_path: Path) -> None:
    """Products are summed in another order by another number of threads."""
    run = sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert run.config["threads"] == 1
    file = tmp_path / "records-0.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:2000])
    torch.set_num_threads(2)
    sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert torch.get_num_threads() == 2
    assert file.read_bytes() == whole


KILLED = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.sample.questions import SETTINGS, questions
from tests.hf.conftest import make_llama, make_tokenizer
from calib.hf.model import Model
from calib.drive.sample import sample
model = Model("tiny", make_llama(), make_tokenizer(), None)
sample(model, questions(200), out=sys.argv[1], **SETTINGS)
"""


@pytest.mark.slow
def test_killed_at_twenty_moments(llama: Model, tmp_path: Path) -> None:
    """kill -9 and the same command again, twenty times; then as if nothing had happened."""
    random.seed(0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    file = tmp_path / "killed" / "records-0.jsonl"
    size = 0
    for _ in range(20):
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        goal = size + random.randint(200, 9000)
        while process.poll() is None and (not file.exists() or file.stat().st_size < goal):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        size = file.stat().st_size
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    sample(llama, questions(200), out=tmp_path / "calm", **SETTINGS)
    assert records(tmp_path / "killed") == records(tmp_path / "calm")


@pytest.mark.slow
def test_a_hundred_thousand_items_open_in_a_minute(tmp_path: Path) -> None:
    """64 answers to each: 6.4 million lines are counted without being kept."""
    line = (
        '{"index": %d, "sample": %d, "id": "question-%d", "task": "synthetic", "text": '
        '"a short answer", "tokens": 4, "logprob": -3.25, "mean_logprob": -0.8125, '
        '"entropy": 1.5, "finish": "stop"}\n'
    )
    file = tmp_path / "records-0.jsonl"
    with file.open("w") as out:
        for index in range(100_000):
            out.write("".join(line % (index, s, index) for s in range(64)))
    code = (
        "import resource, sys, time; from pathlib import Path\n"
        "from calib.runs.shards import whole_parts\n"
        "start = time.perf_counter(); (done,), end = whole_parts(Path(sys.argv[1]), [64])\n"
        "print(len(done), end, time.perf_counter() - start,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(said[0]) == 100_000 and int(said[1]) == file.stat().st_size
    assert float(said[2]) < 60 and int(said[3]) < 2 * 2**20


def test_a_full_disk_is_said_and_nothing_is_lost(
    llama: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calib.runs import Run

    append = Run.append
    calls = []

    def full(self: Run, rows: Any) -> None:
        calls.append(len(rows))
        if len(calls) == 3:
            raise CalibError("writing failed")
        append(self, rows)

    monkeypatch.setattr(Run, "append", full)
    with pytest.raises(CalibError, match="writing failed"):
        sample(llama, questions(), out=tmp_path, **SETTINGS)
    assert len(records(tmp_path)) == 8
    monkeypatch.undo()
    assert len(sample(llama, questions(), out=tmp_path, **SETTINGS).answers()) == 20
