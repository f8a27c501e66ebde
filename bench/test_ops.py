"""The ops on the CPU: the C++ core and every rival that is installed (make bench).

The variants of a size are timed in turns, round by round, so that whatever else the machine does
meets all of them; pytest-benchmark is then given the durations of those rounds and does the
statistics. Nothing is asserted about speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from calib_kernels import available_backends, use_backend

from bench import cpu_targets, drives, memory, sizes, table, targets
from bench.cases import Case
from bench.clock import CpuClock
from bench.conftest import SUMMARY
from bench.machine import bandwidth
from bench.ops import OPS
from bench.results import Results, cpu_name, slug
from bench.timing import Measured, measure, rows_of

ROUNDS = 20
SECONDS = 6.0  # of sampling per case
BANDWIDTH_BYTES = 512 << 20
CPU = torch.device("cpu")
# Its logits would take 2 GiB in bfloat16; no more than 256 MiB may be needed beside the gradients.
PEAK = Case("linear_cross_entropy", 8192, 128_256, torch.bfloat16, hidden=1024)

pytestmark = pytest.mark.skipif(
    "native" not in available_backends("cpu"), reason="the C++ core is not built"
)


class Replay:
    """A clock, and a function that moves it on by the next of the durations given."""

    def __init__(self) -> None:
        self.now = 0.0
        self.durations: Iterator[float] = iter(())

    def clock(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += next(self.durations, 0.0)


REPLAY = Replay()


class Bench:
    """One run: its file, the rates of the machine, every case timed once."""

    def __init__(self, results: Results, lines: list[str], driven: list[str]) -> None:
        self.results = results
        self.lines = lines
        self.drives = driven
        self.clock = CpuClock()
        self.rate = cache(self._rate)
        self.measured = cache(self._measured)

    def _rate(self, threads: int) -> float:
        """Bytes per second that so many threads can read."""
        rates = bandwidth(self.clock, CPU, BANDWIDTH_BYTES)
        self.results.add(kind="bandwidth", threads=threads, **rates)
        return rates["read"]

    def _measured(self, case: Case) -> Measured:
        before = torch.get_num_threads()
        torch.set_num_threads(case.threads or before)
        try:
            read = self.rate(case.threads)
            with use_backend("native"):
                found = measure(case, CPU, self.clock, rounds=ROUNDS, seconds=SECONDS)
        finally:
            torch.set_num_threads(before)
        for row in rows_of(found, CPU, read):
            self.lines.append(table.line(self.results.add(**row)))
        return found


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """At the end, what was aimed at beside what was found."""
    selection = request.config.getoption("bench")
    whole = selection in ("default", "all")
    machine = slug(cpu_name())
    name = f"cpu-{machine}" if whole else f"some-{machine}-{slug(selection)}"
    results = Results(name, CPU)
    summary = request.config.stash[SUMMARY]
    lines = summary.setdefault("calib_kernels and its rivals", [table.HEADER])
    driven: list[str] = []
    yield Bench(results, lines, driven)
    if driven:
        summary["drives"] = driven
    rows = [results.add(**target.row(results.rows)) for target in cpu_targets.targets()]
    shown = [targets.line(row) for row in rows if whole or row["found"] is not None]
    if shown:
        summary["targets at 256 x 151,936 on 2 threads, ratios of minima"] = shown


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        chosen = [
            (case, variant)
            for case in sizes.cpu(metafunc.config.getoption("bench"))
            for variant in OPS[case.op].variants(case, CPU)
        ]
        ids = [f"{case.label}-{variant}" for case, variant in chosen]
        metafunc.parametrize(("case", "variant"), chosen, ids=ids)


@pytest.mark.benchmark(timer=REPLAY.clock)
def test_ops(benchmark: Any, bench: Bench, case: Case, variant: str) -> None:
    found = bench.measured(case)
    if variant in found.missing:
        pytest.skip(found.missing[variant])
    benchmark.group = case.label
    REPLAY.durations = iter(found.seconds[variant])
    benchmark.pedantic(REPLAY.step, rounds=len(found.seconds[variant]), iterations=1)


def test_peak_memory(bench: Bench, request: pytest.FixtureRequest) -> None:
    """Memory of the fused head at a size whose logits would take gigabytes."""
    selection = request.config.getoption("bench")
    if selection not in ("default", "all") and PEAK.op not in selection.split(","):
        pytest.skip("not selected")
    found = memory.in_a_child(PEAK)
    size = {"rows": PEAK.rows, "columns": PEAK.columns, "hidden": PEAK.hidden}
    bench.results.add(kind="memory", op=PEAK.op, dtype="bfloat16", **size, **found)
    if "error" in found:
        pytest.skip(found["error"])


@pytest.mark.parametrize("name", drives.DRIVES)
def test_drives(bench: Bench, request: pytest.FixtureRequest, name: str) -> None:
    """What each drive copies and reads, at a tiny size: on a CPU it depends on no other."""
    selection = request.config.getoption("bench")
    chosen = [] if selection in ("default", "all") else selection.split(",")
    if name not in drives.of_ops(chosen):
        pytest.skip("not selected")
    with use_backend("native"):
        row = bench.results.add(**drives.row(name, drives.TINY, CPU, bench.clock))
    bench.drives.append(drives.line(row))
    if "error" in row:
        pytest.skip(row["error"])
