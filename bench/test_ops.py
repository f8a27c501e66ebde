"""The ops on the CPU: the C++ core, eager PyTorch and torch.compile of the same (make bench).

The variants of a size are timed in turns, round by round, so that whatever else the machine does
meets all of them; pytest-benchmark is then given the durations of those rounds and does the
statistics. Nothing is asserted about speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from calib_kernels import available_backends, use_backend

from bench import cases
from bench.clock import CpuClock, Times, in_turns
from bench.conftest import SUMMARY
from bench.results import Results
from bench.verify import short

THREADS = 2
ROUNDS = 40
SECONDS = 15.0  # of sampling per size
SIZES = tuple(
    cases.Case(rows, columns, dtype, op=op)
    for op in ("option_scores", "row_stats")
    for rows, columns in ((64, 32_000), (256, 151_936))
    for dtype in (torch.float32, torch.bfloat16)
)
# Aimed at for option_scores at the larger size: printed beside what was found, asserted nowhere.
TARGETS = {"eager": 18, "compile": 6}

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


@dataclass(frozen=True)
class Measured:
    seconds: dict[str, list[float]]  # of every round, by variant
    missing: dict[str, str]  # why a variant was left out


def label(case: cases.Case) -> str:
    return f"{case.name} {case.rows} x {case.columns} {short(case.dtype)}"


def measure(case: cases.Case) -> Measured:
    """Time the variants of one size in turns."""
    given = cases.inputs(case, "cpu", 1)
    with use_backend("native"):
        samplers, missing = cases.made_ready(case, given, CpuClock())
        return Measured(in_turns(samplers, rounds=ROUNDS, seconds=SECONDS), missing)


def keep(results: Results, case: cases.Case, measured: Measured) -> str:
    """Write the rows of one size; its line of the summary."""
    times = {name: Times.of(seconds) for name, seconds in measured.seconds.items()}
    mine = times.get(cases.OURS)
    parts = []
    for name in cases.VARIANTS:
        row = {"op": case.name, "rows": case.rows, "columns": case.columns, "variant": name}
        row |= {"dtype": short(case.dtype), "threads": torch.get_num_threads()}
        if name in measured.missing:
            results.add(**row, error=measured.missing[name])
            parts.append(f"{name} left out ({measured.missing[name]})")
            continue
        t = times[name]
        ratio = t.least / mine.least if mine else None
        results.add(
            **row, us_least=t.least * 1e6, us=t.p50 * 1e6, us_p20=t.p20 * 1e6, us_p80=t.p80 * 1e6,
            samples=t.samples, ratio_of_minima=ratio, logit_bytes=case.logit_bytes,
        )  # fmt: skip
        if name == cases.OURS:
            parts.append(f"{t.least * 1e3:.2f} ms")
        elif ratio:
            aim = (
                f" (target {TARGETS[name]}x)"
                if case.rows == 256 and case.op == "option_scores"
                else ""
            )
            parts.append(f"{name} {ratio:.1f}x{aim}")
    return f"{label(case)}: {', '.join(parts)}"


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """The run's file; while it is open, PyTorch and the core have as many threads as each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield Results("cpu", torch.device("cpu"))
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def measured(results: Results, request: pytest.FixtureRequest) -> Callable[[cases.Case], Measured]:
    """measured(case): timed at its first use, kept for the other variants of the same size."""

    @cache
    def once(case: cases.Case) -> Measured:
        found = measure(case)
        request.config.stash[SUMMARY].append(keep(results, case, found))
        return found

    return once


@pytest.mark.benchmark(timer=REPLAY.clock)
@pytest.mark.parametrize("variant", cases.VARIANTS)
@pytest.mark.parametrize("case", SIZES, ids=label)
def test_ops(
    benchmark: Any,
    measured: Callable[[cases.Case], Measured],
    case: cases.Case,
    variant: str,
) -> None:
    found = measured(case)
    if variant in found.missing:
        pytest.skip(found.missing[variant])
    benchmark.group = label(case)
    REPLAY.durations = iter(found.seconds[variant])
    benchmark.pedantic(REPLAY.step, rounds=len(found.seconds[variant]), iterations=1)
