"""The benchmarks' own machinery, without a GPU: what is checked, timed, written and said."""

from __future__ import annotations

import json
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
    sizes,
    table,
    targets,
)
from bench.cases import Case
from bench.clock import Call, CpuClock
from bench.ops import OPS
from bench.results import Results, slug
from tests.gate import checks, verify

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture
def on_reference() -> Iterator[None]:
    with use_backend("reference"):
        yield


def test_one_sentence_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 1
    said = capsys.readouterr()
    (sentence,) = said.err.splitlines()
    assert not said.out and sentence.startswith("make gpu needs ") and sentence.endswith(".")


def test_one_sentence_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert gpu.problem() == "make gpu needs triton, and this Python has none."


def test_a_gpu_run_of_some_ops_checks_what_they_stand_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {case.op for case in sizes.of(["answers"], sizes.gpu())} == {"answers"}
    assert sizes.of([], sizes.gpu()) == sizes.gpu()
    assert checks.of_ops(["training_step", "sample"]).families == (
        "cross_entropy",
        "head",
        "sample",
    )
    assert checks.families_of(checks.of_ops(["ece"])) == []
    assert len(checks.families_of(checks.of_ops([]))) == 3 * len(checks.FAMILIES)
    assert set(checks.STANDS_ON) <= set(OPS)
    assert all(set(names) <= set(checks.FAMILIES) for names in checks.STANDS_ON.values())
    assert all(name in checks.STANDS_ON or name in checks.FAMILIES for name in OPS)
    with pytest.raises(SystemExit):
        gpu.main(["--ops", "answer"])
    assert "no op called answer" in capsys.readouterr().err


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

    def call() -> None:
        logits.clone()
        logits[:, :3].clone()
        logits.double()
        logits[0].tolist(), logits[0, 0].item()

    assert crossings.crossings(call, 50, CPU) == {
        "bytes_read": 51 * 4,
        "logit_bytes_read": 50 * 4,
        "logit_bytes_copied": 2 * 4 * 50 * 4,
    }
    meta = torch.empty(4, 50, device="meta")
    seen = crossings.crossings(lambda: meta[0].clone(), 50, meta.device)
    assert seen == {
        "bytes_read": 0,
        "logit_bytes_read": 0,
        "logit_bytes_copied": 200,
        "bytes_to_host": 0,
        "logit_bytes_to_host": 0,
    }


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
    kinds = {figures.kind_of(name) for name in ("eager", "compile", "netcal", "no other")}
    assert len({figures.COLOURS[kind] for kind in kinds}) == 4


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
