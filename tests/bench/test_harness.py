"""The benchmarks' own machinery, without a GPU: what is checked, timed, written and said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from calib_kernels import OptionScores, RowStats, option_scores, row_stats, use_backend

from bench import (
    cases,
    cpu_targets,
    crossings,
    gpu,
    gpu_targets,
    memory,
    registers,
    regression,
    table,
    targets,
)
from bench.cases import Case
from bench.clock import Call, CpuClock
from bench.ops import OPS
from bench.results import Results, slug
from tests.gate import verify

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def environment(**changes: str) -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **changes}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The process that made the three runs of ``worker.py``, and their folder."""
    pytest.importorskip("triton", reason="triton is not installed")
    folder = tmp_path_factory.mktemp("runs")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("worker.py")), str(folder / "results")],
        env=environment(TRITON_INTERPRET="1", OMP_NUM_THREADS="1", OUT=str(folder / "out")),
        capture_output=True,
        text=True,
        timeout=900,  # 50 s on an idle machine
    )
    return done, folder


@pytest.fixture
def on_reference() -> Iterator[None]:
    with use_backend("reference"):
        yield


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"results/{name}-*.json")
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows


def test_a_whole_run(runs: Any) -> None:
    done, folder = runs
    rows = rows_of(folder, "whole")
    for row in rows:
        assert {"machine", "versions", "commit", "date"} <= set(row)
        assert {"torch", "triton"} <= set(row["versions"])
    gate, bandwidth, *others = rows
    assert gate["kind"] == "gate" and gate["checks"] > 8, done.stderr
    assert gate["failed"] == {} and gate["complete"]
    assert bandwidth["kind"] == "bandwidth" and bandwidth["copy"] > 0 and bandwidth["read"] > 0
    assert {row["kind"] for row in others} == {"timing", "compute-sanitizer", "target"}
    timings = [row for row in others if row["kind"] == "timing"]
    forms = {(row["op"], row["mode"]) for row in timings}
    assert {op for op, _ in forms} == set(OPS)
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
    assert "left out: ImportError" in done.stdout
    assert "skipped: there is no CUDA device" in done.stdout
    assert "not measured" in done.stdout  # no target is of a size as small


def test_a_failed_check_stops_the_run(runs: Any) -> None:
    done, folder = runs
    (row,) = rows_of(folder, "failed")
    assert row["kind"] == "gate" and list(row["failed"]) == ["a check"]
    assert "FAILED  a check" in done.stdout and "float64 says 0.25" in done.stdout
    assert done.stderr.splitlines() == ["A check failed: nothing was timed."]


def test_a_run_that_is_cut_leaves_what_it_had(runs: Any) -> None:
    done, folder = runs
    assert done.returncode == 9
    rows = rows_of(folder, "cut")
    assert [row.get("variant") for row in rows] == [None, None, cases.OURS, "eager", "compile"]


def test_results_also_go_to_out(runs: Any) -> None:
    _done, folder = runs
    for path in folder.glob("results/*"):
        assert (folder / "out" / path.name).read_bytes() == path.read_bytes()
    assert len(list(folder.glob("out/*.json"))) == 3


def test_one_sentence_without_a_gpu() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gpu"],
        cwd=ROOT,
        env=environment(CUDA_VISIBLE_DEVICES=""),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and not done.stdout
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("make gpu needs ") and sentence.endswith(".")


def test_one_sentence_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert gpu.problem() == "make gpu needs triton, and this Python has none."


def problems_of(columns: int) -> list[str]:
    checks = verify.hard_row_checks(CPU, torch.float32, columns, 64)
    return [sentence for _name, problems in checks for sentence in problems]


@pytest.mark.usefixtures("on_reference")
def test_the_gate_finds_wrong_results(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not problems_of(100)
    true = option_scores

    def slightly_off(*args: Any, **kwargs: Any) -> OptionScores:
        scores = true(*args, **kwargs)
        return scores._replace(vocab_entropy=scores.vocab_entropy * (1 + 1e-5))

    monkeypatch.setattr(verify, "option_scores", slightly_off)
    found = problems_of(100)
    assert found and all(sentence.startswith("vocab_entropy of row") for sentence in found)

    def batch_dependent(logits: torch.Tensor, ids: torch.Tensor) -> OptionScores:
        scores = true(logits, ids)
        return scores._replace(mass=scores.mass + len(logits) * 1e-7)

    monkeypatch.setattr(verify, "option_scores", batch_dependent)
    checks = dict(verify.invariance_checks(CPU, 100, 9))
    assert checks["3 rows of 9 x 100 by themselves"] == ["mass has other bits"]
    assert checks["9 x 100 again"] == []


@pytest.mark.usefixtures("on_reference")
def test_the_gate_finds_wrong_row_stats(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(found for _, found in verify.row_stats_checks(CPU, torch.float32, 100, 64))

    def slightly_off(*args: Any, **kwargs: Any) -> RowStats:
        stats = row_stats(*args, **kwargs)
        return stats._replace(sum_p2=stats.sum_p2 + 1e-5)

    monkeypatch.setattr(verify, "row_stats", slightly_off)
    checks = verify.row_stats_checks(CPU, torch.float32, 100, 64)
    found = [sentence for _, problems in checks for sentence in problems]
    assert found and all(sentence.startswith("sum_p2 of row") for sentence in found)


@pytest.mark.usefixtures("on_reference")
def test_the_gate_finds_wrong_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(problems for _name, problems in verify.histogram_checks(CPU, (300,)))
    true = verify.histogram_delta
    monkeypatch.setattr(
        verify, "histogram_delta", lambda c, *rest, bins: true(c * (1 - 1e-7), *rest, bins=bins)
    )
    assert any(problems for _name, problems in verify.histogram_checks(CPU, (300,)))


class SlowClock(CpuClock):
    """Making a variant ready takes until the time is up."""

    def peak(self, call: Call) -> int | None:
        time.sleep(30)
        return 1 << 20


def results_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.delenv("OUT", raising=False)
    return Results("made-up", CPU, folder)


@pytest.mark.usefixtures("on_reference")
def test_parts_end_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_in(tmp_path, monkeypatch)
    passed = iter([("first", []), ("second", []), ("third", [])])
    assert gpu.gate(results, passed, seconds=-1.0) == (True, False)
    assert results.rows[-1]["checks"] == 1 and not results.rows[-1]["complete"]
    chosen = [Case("row_stats", 3, 30, torch.float32), Case("ece", 9, 0, torch.float32)]
    torch.compiler.reset()  # its first use takes seconds
    complete = gpu.timings(
        CPU, SlowClock(8), results, chosen, 1e10,
        deadline=time.perf_counter() + 1.0, sampling=0.0, rounds=3,
    )  # fmt: skip
    assert not complete
    first, *_, last = results.rows[1:]
    assert first["variant"] == cases.OURS and first["error"].startswith("TimeoutError: not ready")
    assert last["kind"] == "not begun" and last["cases"] == ["ece 9 float32"]
    assert "1 of 2 cases were not begun" in capsys.readouterr().out


def test_registers_of_what_was_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("calib_kernels.gpu.made_up")
    variants = [SimpleNamespace(n_regs=n, n_spills=s) for n, s in ((40, 0), (88, 4))]
    caches = {0: ({"a": variants[0], "b": variants[1]}, "target")}
    vars(module)["kernel"] = SimpleNamespace(__module__=module.__name__, device_caches=caches)
    vars(module)["helper"] = SimpleNamespace(__module__=module.__name__, device_caches={})
    vars(module)["imported"] = SimpleNamespace(__module__="elsewhere", device_caches=caches)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (row,) = [row for row in registers.rows() if row["kernel"].startswith("made_up")]
    assert row == {
        "kind": "registers", "kernel": "made_up.kernel", "variants": 2, "registers": 88,
        "spilled_bytes": 4, "shared_bytes": None,
    }  # fmt: skip
    assert "at most 88 registers, 4 spilled" in registers.line(row)


def timing(variant: str, ratio: float, **changed: Any) -> dict[str, Any]:
    row = {"kind": "timing", "op": "row_stats", "mode": "", "rows": 256, "columns": 151_936}
    row |= {"hidden": 0, "dtype": "float32", "threads": 2, "variant": variant}
    row |= {"ratio": ratio, "ratio_of_minima": ratio, "us_least": 1000.0 * ratio}
    return {**row, **changed}


def test_targets_are_read_from_the_rows() -> None:
    rows = [
        {"kind": "bandwidth", "copy": 1e10, "read": 1e10},
        timing(cases.OURS, 1.0),
        timing("eager", 30.0),
        timing("eager", 3.0, threads=1),
        timing("compile", 6.0),
        timing("compile, lean", 1.0, error="ImportError: no compiler"),
        timing("one row_stats", 0.5, op="temperature_sweep", mode="8 on a grid"),
        {"kind": "memory", "peak_bytes": 100 << 20},
    ]
    found = {row["what"]: row for row in (t.row(rows) for t in cpu_targets.targets())}
    assert found["row_stats float32: eager / ours"]["found"] == 30.0
    assert found["row_stats float32: eager / ours"]["met"] is True
    assert found["row_stats float32: compile / ours"]["met"] is False
    assert found["row_stats float32: compile, lean / ours"]["met"] is None
    assert found["temperature_sweep, 8 on a grid float32: ours / one row_stats"]["found"] == 2.0
    peak = found["linear_cross_entropy: peak beyond inputs and gradients"]
    assert peak["found"] == 100 and peak["met"]
    line = targets.line(found["row_stats float32: compile / ours"])
    assert line.split()[-6:] == [">=", "7", "x", "6", "x", "MISSED"]
    key = {"dtype": "bfloat16", "rows": 1024, "columns": 128_256, "bytes_per_second": 9e9}
    rows += [timing(cases.OURS, 1.0, **key)]
    shares = {row["what"]: row for row in (t.row(rows) for t in gpu_targets.targets())}
    assert shares["row_stats bfloat16: rate / copy"]["found"] == pytest.approx(90)


def test_the_table_has_a_line_for_every_row() -> None:
    row = {**timing("eager", 30.0), "us": 1.0, "us_p20": 1.0, "us_p80": 1.0}
    row |= {"bytes_per_second": 5e9, "share_of_read": 0.5}
    assert len(table.line(row)) <= len(table.HEADER)
    assert "50.0%" in table.line(row)
    assert "left out: ImportError: no" in table.line({**row, "error": "ImportError: no"})


def test_a_regression_is_a_ratio_that_fell() -> None:
    facts = {"machine": "a CPU", "date": "2026-01-01", "commit": "abc"}
    old = {"facts": facts, "rows": [timing("eager", 30.0), timing("compile", 8.0)]}
    same = {"facts": facts, "rows": [timing("eager", 25.0), timing("compile", 9.0)]}
    one = {"facts": facts, "rows": [timing("eager", 10.0), timing("compile", 7.0)]}
    new = {"facts": facts, "rows": [timing("eager", 20.0), timing("compile", 5.0)]}
    assert regression.slower(same, old) == []
    assert regression.slower(one, old) == []  # it is eager that became faster
    (said,) = regression.slower(new, old)
    assert said == (
        "row_stats 256 x 151936 float32, 2 threads: eager took 30.00 times our time and takes "
        "20.00 times now, and no rival fell less"
    )
    # Neither a call of microseconds nor another machine is compared.
    short = {"facts": facts, "rows": [timing("eager", 2.0, us_least=20.0)]}
    assert regression.ratios(short) == {}
    later = {**old, "facts": {**facts, "date": "2026-02-01"}}
    other = {**old, "facts": {**facts, "machine": "another"}}
    assert regression.baseline("a CPU", iter([later, other, old])) is later
    assert regression.baseline("none", iter([later])) is None


def test_bytes_that_cross_are_counted() -> None:
    logits = torch.randn(4, 50)

    def run(logits: torch.Tensor) -> None:
        logits.clone()
        logits[:, :3].clone()
        logits.double()

    assert crossings.crossings(run, (logits,), 50) == {"logit_bytes_copied": 2 * 4 * 50 * 4}
    meta = torch.empty(4, 50, device="meta")
    seen = crossings.crossings(lambda x: x[0].clone(), (meta,), 50)
    assert seen == {"bytes_to_host": 0, "logit_bytes_to_host": 0, "logit_bytes_copied": 200}


def test_peak_memory_in_a_child() -> None:
    case = Case("linear_cross_entropy", 64, 4000, torch.float32, hidden=32)
    found = memory.in_a_child(case)
    assert found["logit_bytes"] == 64 * 4000 * 4 and 0 <= found["peak_bytes"] < 256 << 20


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from bench import figures

    facts = {"machine": "a CPU", "versions": {"torch": "2"}, "commit": "abc", "date": "2026"}
    rows = [timing(cases.OURS, 1.0), timing("eager", 30.0), timing("eager", 9.0, rows=8)]
    assert figures.largest(rows, "float32") == {"row_stats\n256 x 151,936": {"eager": 30.0}}
    figures.draw({"facts": facts, "rows": rows}, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_is_complete_after_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUT", raising=False)
    results = Results(f"gpu-{slug('NVIDIA H200 (SXM)')}", CPU, tmp_path)
    for i in range(3):
        results.add(kind="timing", value=i)
        (path,) = tmp_path.iterdir()
        assert path.name.startswith("gpu-nvidia-h200-sxm-20")
        assert [row["value"] for row in json.loads(path.read_text())["rows"]] == [*range(i + 1)]
