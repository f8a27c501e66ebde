"""The GPU run without a GPU: a whole one, one whose check fails, one that is cut.

In seconds with the reference in this process; every op in Triton's interpreter in the long tier.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from calib_kernels import use_backend

from bench import cases, drives, gpu
from bench.ops import OPS
from tests.bench import worker
from tests.gate import verify

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
FEW = ("option_scores", "row_stats", "scoring")
KERNELS = {
    "score": {"option_scores"},
    "several tokens": {"option_scores", "histogram_delta"},
    "orders": {"option_scores"},
    "paper": {"option_scores"},
    "sample": {"sample", "sample_sums"},
    "packed": {"sample", "sample_sums"},
    "idk build": {"sample", "sample_sums", "sample_survivors"},  # it draws with top_p
    "training callback": {"row_stats"},
}
"""The modules whose kernels a drive launches."""


class Runs(NamedTuple):
    """The three runs of ``worker.py``: what the process that made them said, and their folder."""

    interpreted: bool
    done: subprocess.CompletedProcess[str]
    folder: Path


def in_the_interpreter(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, str(Path(worker.__file__)), str(folder / "results")],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "TRITON_INTERPRET": "1",
            "OMP_NUM_THREADS": "1",
            "OUT": str(folder / "out"),
        },
        capture_output=True,
        text=True,
        timeout=900,  # 50 s on an idle machine
    )


def with_the_reference(folder: Path) -> subprocess.CompletedProcess[str]:
    """A few ops and checks in this process, which "dies" by an exception."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        patch.setenv("OUT", str(folder / "out"))
        patch.setattr(gpu, "use_backend", lambda name: use_backend("reference"))
        patch.setattr(worker.DyingClock, "end", sys.exit)
        patch.setattr(cases, "compiler", worker.no_compiler)
        with use_backend("reference"):
            passed = list(verify.row_stats_checks(CPU, torch.float32, 100, 64))
        with pytest.raises(SystemExit) as died:
            worker.three_runs(folder / "results", passed, list(worker.chosen(FEW)), ["score"])
    said = stdout.getvalue(), stderr.getvalue()
    return subprocess.CompletedProcess([], int(str(died.value.code)), *said)


@pytest.fixture(
    scope="module",
    params=[False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["reference", "interpreter"],
)
def runs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    if request.param:
        pytest.importorskip("triton", reason="triton is not installed")
    make = in_the_interpreter if request.param else with_the_reference
    return Runs(request.param, make(folder), folder)


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"results/{name}-*.json")
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows


def test_a_whole_run(runs: Runs) -> None:
    interpreted, done, folder = runs
    rows = rows_of(folder, "whole")
    for row in rows:
        assert {"machine", "versions", "commit", "date"} <= set(row)
        assert {"torch", "triton"} <= set(row["versions"])
    gate, bandwidth, *others = rows
    assert gate["kind"] == "gate" and gate["checks"] > (8 if interpreted else 2), done.stderr
    assert gate["failed"] == {} and gate["complete"]
    assert bandwidth["kind"] == "bandwidth" and bandwidth["copy"] > 0 and bandwidth["read"] > 0
    assert {row["kind"] for row in others} == {"timing", "drive", "compute-sanitizer", "target"}
    timings = [row for row in others if row["kind"] == "timing"]
    forms = {(row["op"], row["mode"]) for row in timings}
    assert {op for op, _ in forms} == set(OPS if interpreted else FEW)
    for row in timings:
        if row["variant"].startswith("compile"):
            assert row["error"] == "ImportError: no module named rival"
        else:
            assert "error" not in row, row
            assert row["us_least"] <= row["us_p20"] <= row["us"] <= row["us_p80"]
            assert row["samples"] == 1 and row["inputs"] >= 1
        if "bytes_per_second" in row:
            share = row["bytes_per_second"] / bandwidth["read"]
            assert row["share_of_read"] == pytest.approx(share)
    mine = [row for row in timings if row["variant"] == cases.OURS]
    assert len(mine) == len(forms) and all(row["ratio"] == 1.0 for row in mine)
    (scoring,) = [row for row in mine if row["op"] == "scoring"]
    assert scoring["logit_bytes_copied"] == 0
    driven = {row["drive"]: row for row in others if row["kind"] == "drive"}
    assert list(driven) == (list(drives.DRIVES) if interpreted else ["score"])
    for name, row in driven.items():
        assert "error" not in row, row
        assert row["logit_bytes_copied"] == row["logit_bytes_read"] == 0
        assert row["bytes_read"] > 0
        launched = {kernel.partition(".")[0] for kernel in row["kernels"]}
        assert launched == (KERNELS[name] if interpreted else set()), name
    assert "left out: ImportError" in done.stdout
    assert "skipped: there is no CUDA device" in done.stdout
    assert "not measured" in done.stdout  # no target is of a size as small


def test_a_failed_check_stops_the_run(runs: Runs) -> None:
    _, done, folder = runs
    (row,) = rows_of(folder, "failed")
    assert row["kind"] == "gate" and list(row["failed"]) == ["a check"]
    assert "FAILED  a check" in done.stdout and "float64 says 0.25" in done.stdout
    # Triton's interpreter may warn before.
    assert done.stderr.splitlines()[-1] == "A check failed: nothing was timed."


def test_a_run_that_is_cut_leaves_what_it_had(runs: Runs) -> None:
    _, done, folder = runs
    assert done.returncode == 9
    rows = rows_of(folder, "cut")
    assert [row.get("variant") for row in rows] == [None, None, cases.OURS, "eager", "compile"]


def test_results_also_go_to_out(runs: Runs) -> None:
    _, _, folder = runs
    for path in folder.glob("results/*"):
        assert (folder / "out" / path.name).read_bytes() == path.read_bytes()
    assert len(list(folder.glob("out/*.json"))) == 3
