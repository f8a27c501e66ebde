"""The benchmarks' own machinery, without a GPU: what is checked, timed, written and said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    OptionScores,
    RowStats,
    option_scores,
    row_stats,
    use_backend,
)

from bench import cases, gpu, verify
from bench.clock import CpuClock
from bench.results import Results, slug
from bench.test_ops import Measured, keep

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
        timeout=120,
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
    assert [row["kind"] for row in rows] == ["gate", "bandwidth"] + ["timing"] * 6, done.stderr
    for row in rows:
        assert {"machine", "versions", "commit", "date"} <= set(row)
        assert {"torch", "triton"} <= set(row["versions"])
    assert rows[0]["checks"] > 8 and rows[0]["failed"] == {}
    assert rows[1]["copy"] > 0 and rows[1]["read"] > 0
    for row in rows[2:]:
        if row["variant"] == "compile":
            assert row["error"] == "ImportError: no module named rival"
            continue
        assert row["us_least"] <= row["us_p20"] <= row["us"] <= row["us_p80"]
        assert row["samples"] >= 3 and row["inputs"] >= 2
        share = row["bytes_per_second"] / rows[1]["read"]
        assert row["share_of_read"] == pytest.approx(share)
    assert [row["ratio"] for row in rows if row.get("variant") == cases.OURS] == [1.0, 1.0]
    assert [row["op"] for row in rows[2::3]] == ["option_scores", "option_scores + histogram"]
    assert "left out: ImportError" in done.stdout


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.usefixtures("on_reference")
def test_the_rivals_compute_the_same(dtype: torch.dtype) -> None:
    case = cases.Case(50, 500, dtype, histogram=True)
    (given,) = cases.inputs(case, "cpu", 1)
    histogram = CalibrationHistogram(cases.BINS)
    mine = option_scores(given.logits, given.ids, given.labels, histogram=histogram)
    *fields, sums = cases.eager(case)(given)
    for name, field, expected in zip(mine._fields, fields, mine, strict=True):
        torch.testing.assert_close(field, expected, rtol=1e-5, atol=1e-5, msg=name)
    assert torch.equal(sums[0].long(), histogram.count)
    assert torch.equal(sums[1].long(), histogram.correct)
    torch.testing.assert_close(sums[2].double(), histogram.confidence, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.usefixtures("on_reference")
def test_the_rivals_of_row_stats_compute_the_same(dtype: torch.dtype) -> None:
    case = cases.Case(50, 500, dtype, histogram=True, op="row_stats")
    (given,) = cases.inputs(case, "cpu", 1)
    histogram = CalibrationHistogram(cases.BINS)
    mine = row_stats(given.logits, given.labels, histogram=histogram)
    *fields, sums = cases.eager(case)(given)
    for name, field, expected in zip(mine._fields, fields, mine, strict=True):
        torch.testing.assert_close(field, expected, rtol=1e-5, atol=1e-5, msg=name)
    assert torch.equal(sums[0].long(), histogram.count)
    assert torch.equal(sums[1].long(), histogram.correct)


@pytest.mark.parametrize("op", cases.FIELDS)
@pytest.mark.usefixtures("on_reference")
def test_bytes_moved_are_those_of_the_results(op: str) -> None:
    case = cases.Case(7, 90, torch.float32, op=op)
    (given,) = cases.inputs(case, "cpu", 1)
    scores = cases.ours(case)(given)
    everything = [given.logits, given.labels, *scores]
    assert case.moved_bytes == sum(t.numel() * t.element_size() for t in everything)


@pytest.mark.usefixtures("on_reference")
def test_a_rival_that_disagrees_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases.Case(5, 50, torch.float32)

    def flipped(case: cases.Case) -> Callable[[cases.Inputs], Any]:
        return lambda x: cases.plain_scores(-x.logits, x.ids, x.labels)

    monkeypatch.setitem(cases.VARIANTS, "compile", flipped)
    samplers, missing = cases.made_ready(case, cases.inputs(case, "cpu", 2), CpuClock())
    assert list(samplers) == [cases.OURS, "eager"]
    assert missing["compile"].startswith("AssertionError")


def test_the_summary_of_the_cpu_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUT", raising=False)
    results = Results("cpu", CPU, tmp_path)
    seconds = {cases.OURS: [0.002, 0.001, 0.003], "eager": [0.030, 0.020, 0.040]}
    case = cases.Case(256, 151_936, torch.bfloat16)
    said = keep(results, case, Measured(seconds, {"compile": "ImportError: no compiler"}))
    assert said == (
        "option_scores 256 x 151936 bfloat16: 1.00 ms, eager 20.0x (target 18x), "
        "compile left out (ImportError: no compiler)"
    )
    (path,) = tmp_path.iterdir()
    mine, eager, compiled = json.loads(path.read_text())["rows"]
    assert mine["ratio_of_minima"] == 1.0 and eager["ratio_of_minima"] == pytest.approx(20)
    assert compiled["error"] == "ImportError: no compiler"


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
