"""What the drives take, at a tiny size: a row each, and why there is none."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from bench import drives, gpu_targets, registers, sanitizer
from bench.clock import Call, CpuClock
from bench.drives import DRIVES, TINY
from bench.ops import OPS

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


class CountingClock(CpuClock):
    """Memory as a GPU's clock would know it."""

    def peak(self, call: Call) -> int | None:
        call()
        return 3 << 20


@pytest.mark.parametrize("name", DRIVES)
def test_a_drive_reads_no_logits(name: str) -> None:
    row = drives.row(name, TINY, CPU, CountingClock())
    assert "error" not in row, row
    assert row["kind"] == "drive" and row["drive"] == name
    assert (row["questions"], row["columns"], row["dtype"]) == (4, 200, "float32")
    assert row["bytes_read"] > 0
    assert row["logit_bytes_read"] == row["logit_bytes_copied"] == 0
    assert row["peak_bytes"] == 3 << 20 and row["kernels"] == []
    line = drives.line(row)
    assert line.startswith(name) and "0 of them logits" in line and "3 MiB at the peak" in line


def test_logits_that_a_drive_reads_are_in_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaks(asked: Any, questions: Any, size: Any, out: Any) -> None:
        torch.zeros(3, size.columns).tolist()

    monkeypatch.setitem(drives.DRIVES, "leaks", drives.Drive(leaks, "scoring"))
    row = drives.row("leaks", TINY, CPU, CpuClock())
    assert row["logit_bytes_read"] == 3 * 200 * 4 and row["peak_bytes"] is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("needs accelerate"), "skipped: ImportError: needs accelerate"),
        (RuntimeError("no memory"), "RuntimeError: no memory"),
    ],
)
def test_a_drive_that_cannot_run_says_why(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fails(*given: Any) -> None:
        raise error

    monkeypatch.setitem(drives.DRIVES, "fails", drives.Drive(fails, "scoring"))
    row = drives.row("fails", TINY, CPU, CpuClock())
    assert row["error"] == said and "bytes_read" not in row
    assert said in drives.line(row)
    assert drives.row("score", TINY, CPU, CpuClock(), seconds=0)["error"].endswith("time is up")


def test_a_run_of_some_ops_has_their_drives() -> None:
    assert drives.of_ops([]) == list(DRIVES)
    assert drives.of_ops(["answers", "row_stats"]) == ["sample", "packed", "idk build"]
    assert {drive.op for drive in DRIVES.values()} <= set(OPS)


def test_launched_kernels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("triton.runtime.jit")

    class Kernel(runtime.KernelInterface):  # type: ignore[misc, name-defined]
        def __init__(self, module: str) -> None:
            self.fn = SimpleNamespace(__module__=module, __name__="whole_rows")

        def run(self, *given: Any, grid: Any, warmup: bool) -> None:
            self.grid = grid

    ours, other = Kernel("calib_kernels.gpu.row_stats"), Kernel("elsewhere")
    with registers.launched() as names:
        ours[(3,)]()
        other[(4,)]()
    assert names == {"row_stats.whole_rows"} and (ours.grid, other.grid) == ((3,), (4,))
    ours[(5,)]()
    assert names == {"row_stats.whole_rows"}
    monkeypatch.setitem(sys.modules, "triton.runtime.jit", ModuleType("without it"))
    with registers.launched() as names:
        pass
    assert names == set()


def test_a_gpu_run_aims_at_no_logits_on_the_host() -> None:
    (target,) = [t for t in gpu_targets.targets() if t.what.startswith("drives:")]
    row = {"kind": "drive", "drive": "score", "logit_bytes_to_host": 0}
    failed = {"kind": "drive", "drive": "sample", "error": "skipped: ImportError"}
    assert target.row([])["met"] is None
    assert target.row([row, failed])["met"] is True
    assert target.row([row, {**row, "logit_bytes_to_host": 8}])["met"] is False


def test_the_sanitizer_runs_what_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is one of these selections; here what it is told, and what is made of it."""
    asked: list[list[str]] = []

    def process(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        code = 86 if command[-1] == "drives" else 0
        said = "========= Invalid __global__ read of size 4\n========= ERROR SUMMARY: 1 error\n"
        return subprocess.CompletedProcess(command, code, said if code else "SUMMARY: 0 errors\n")

    monkeypatch.setattr(sanitizer.shutil, "which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr(sanitizer.subprocess, "run", process)
    cuda = torch.device("cuda")
    rows = [sanitizer.row(what, cuda, 60.0) for what in sanitizer.SELECTIONS]
    assert [row["what"] for row in rows] == ["gate", "drives"]
    assert [row["failed"] for row in rows] == [False, True]
    assert rows[0]["outcome"] == "SUMMARY: 0 errors" and "Invalid __global__" in rows[1]["outcome"]
    assert [command[-1] for command in asked] == ["gate", "drives"]
    assert sanitizer.row("gate", cuda, 3.0)["outcome"] == "skipped: time is up"
    assert sanitizer.of_drives(CPU)
