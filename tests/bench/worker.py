"""The GPU run on tiny sizes in Triton's interpreter: python worker.py FOLDER.

Three runs, each with a file of its own: one whose check fails, a whole one that lacks a rival, and
one that dies in its second case. In a process of its own because Triton decides when a kernel is
defined whether it will be interpreted.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench import cases, drives, gpu
from bench.cases import Case, Run
from bench.clock import Call, CpuClock, Sampler
from bench.gpu import Budget
from bench.ops import OPS
from bench.results import Results
from tests.gate import checks, verify

CPU = torch.device("cpu")
CUT = (
    Case("option_scores", 3, 300, torch.bfloat16),
    Case("option_scores", 2, 100, torch.float32, "histogram"),
)
SIZE = replace(drives.TINY, questions=2, samples=2, tokens=2)


def chosen(names: Iterable[str] = OPS) -> Iterator[Case]:
    """Every mode of these ops of the registry, as small as can be."""
    for name in names:
        op = OPS[name]
        modes = ("tiny",) if "tiny" in op.modes else op.modes
        for mode in modes:
            rows, columns = {"ece": (200, 0), "temperature_fit": (12, 3)}.get(name, (3, 100))
            # The interpreter multiplies bfloat16 wrongly, and rounds to it wrongly.
            yield Case(name, rows, columns, torch.float32, mode, hidden=16)


class DyingClock(CpuClock):
    """Ends the process when the second case is about to be timed, as a time limit would."""

    end: Callable[[int], Any] = staticmethod(os._exit)

    def sampler(self, calls: Sequence[Call], *, waits: bool = False) -> Sampler:
        sampler = super().sampler(calls)
        self.made = getattr(self, "made", 0) + 1
        if self.made > 5 + 2:  # bandwidth, then ours and eager of the first case
            self.end(9)
        return sampler


def no_compiler(case: Case, *, chunked: bool = False) -> Run:
    raise ImportError("no module named rival\nsecond line")


def small_checks() -> list[verify.Check]:
    """The gate's own, cut to what the interpreter can do in seconds."""
    chosen = checks.Selection((100,), (torch.float16,), block=64, many=5, histogram_sizes=(50,))
    return list(checks.in_parallel(CPU, 2, chosen))


def run(
    name: str,
    folder: Path,
    clock: CpuClock,
    found: list[verify.Check],
    which: Sequence[Case],
    driven: Sequence[str] = (),
) -> int:
    # The interpreter takes minutes for what a GPU does in a second.
    budget = Budget(sampling=0.0, rounds=1, cases=600.0, drives=900.0)
    return gpu.run(
        CPU, clock, Results(name, CPU, folder), iter(found), which, driven,
        budget=budget, size=SIZE, bandwidth_bytes=1 << 18,
    )  # fmt: skip


def three_runs(
    folder: Path, passed: list[verify.Check], which: Sequence[Case], driven: Sequence[str]
) -> None:
    wrong = ("a check", ["prob of row 'plain': 0.5, float64 says 0.25"])
    assert run("failed", folder, CpuClock(8), [*passed, wrong], CUT) == 1
    assert run("whole", folder, CpuClock(8), passed, which, driven) == 0
    run("cut", folder, DyingClock(8), passed, CUT)


def main(folder: Path) -> None:
    # numpy reports each NaN and infinity of the rows that are made of them.
    warnings.simplefilter("ignore", RuntimeWarning)
    cases.compiler = no_compiler
    three_runs(folder, small_checks(), list(chosen()), list(drives.DRIVES))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
