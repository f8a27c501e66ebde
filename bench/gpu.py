"""The GPU run: correctness of every Triton op, bandwidth of the machine, timings, what drives take.

    python -m bench.gpu [SECONDS] [--ops OP,OP]        (make gpu GPU_SECONDS= GPU_OPS=)

Needs torch and triton; transformers for the end-to-end case; rivals where they can be imported. A
failed check ends the run before anything is timed, with exit code 1. Every row is written when it
is there, so a run that is cut leaves what it had. The parts have times by which they end, and the
whole takes less than SECONDS, which are 480 unless they are given. Of some ops only what they stand
on is checked, and they alone are timed, in 240.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from calib_kernels import use_backend

from bench import drives, gpu_targets, registers, sanitizer, sizes, table, targets
from bench.cases import OURS, Case
from bench.clock import Clock, CudaClock
from bench.machine import bandwidth
from bench.results import Results, slug
from bench.timing import measure, rows_of
from tests.gate import checks
from tests.gate.verify import Check


@dataclass(frozen=True)
class Budget:
    """Seconds after the start by which each part is over."""

    gate: float = 192.0
    cases: float = 370.0
    drives: float = 415.0
    sanitizer: float = 465.0
    # Of sampling, per case, and the most rounds of it.
    sampling: float = 1.5
    rounds: int = 60

    @classmethod
    def of(cls, seconds: float) -> Budget:
        return cls(
            gate=0.4 * seconds, cases=seconds - 110, drives=seconds - 65, sanitizer=seconds - 15
        )


def problem() -> str | None:
    """Why nothing can be timed here, or None."""
    if importlib.util.find_spec("triton") is None:
        return "make gpu needs triton, and this Python has none."
    if not torch.cuda.is_available():
        return "make gpu needs a CUDA device, and PyTorch finds none here."
    return None


def gate(results: Results, found: Iterator[Check], seconds: float) -> tuple[bool, bool]:
    """Run the checks, print what failed, keep the outcome; whether none failed, and all were run.

    No check is begun after ``seconds``.
    """
    start = time.perf_counter()
    failed: dict[str, list[str]] = {}
    count = 0
    complete = True
    for name, problems in found:
        count += 1
        if problems:
            failed[name] = problems
            print(f"FAILED  {name}")
            for sentence in problems:
                print(f"        {sentence}")
        if time.perf_counter() - start > seconds:
            complete = next(found, None) is None
            break
    if isinstance(found, Generator):
        found.close()  # processes that still check would share the device with what is timed
    took = time.perf_counter() - start
    cut = "" if complete else "; the others were not run: time is up"
    print(f"correctness: {count - len(failed)} of {count} checks passed in {took:.0f} s{cut}")
    results.add(kind="gate", checks=count, failed=failed, complete=complete, seconds=took)
    return not failed, complete


def timings(
    device: torch.device,
    clock: Clock,
    results: Results,
    chosen: Sequence[Case],
    read: float,
    *,
    deadline: float,
    sampling: float,
    rounds: int,
) -> bool:
    """Time the cases in order until ``deadline`` (of ``time.perf_counter``); whether ours ran."""
    complete = True
    print(table.HEADER)
    for k, case in enumerate(chosen):
        if time.perf_counter() > deadline:
            left = [case.label for case in chosen[k:]]
            print(f"{len(left)} of {len(chosen)} cases were not begun: time is up")
            results.add(kind="not begun", cases=left)
            break
        found = measure(case, device, clock, rounds=rounds, seconds=sampling, deadline=deadline)
        for row in rows_of(found, device, read):
            print(table.line(results.add(**row)), flush=True)
            skipped = row.get("error", "").startswith("skipped")
            complete &= row["variant"] != OURS or "error" not in row or skipped
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return complete


def drive(
    device: torch.device,
    clock: Clock,
    results: Results,
    names: Sequence[str],
    size: drives.Size,
    deadline: float,
) -> bool:
    """What the drives take, until ``deadline``; whether all were measured that can be here."""
    complete = True
    for name in names:
        left = deadline - time.perf_counter()
        row = results.add(**drives.row(name, size, device, clock, seconds=left))
        print(drives.line(row), flush=True)
        complete &= row.get("error", "skipped").startswith("skipped")
    return complete


def run(
    device: torch.device,
    clock: Clock,
    results: Results,
    found: Iterator[Check],
    chosen: Sequence[Case],
    driven: Sequence[str] = (),
    *,
    budget: Budget | None = None,
    size: drives.Size = drives.GPU,
    bandwidth_bytes: int = 2 << 30,
) -> int:
    """The whole run on one device, with the drives of these names; the exit code."""
    start = time.perf_counter()
    budget = budget or Budget()
    print(f"{results.facts['machine']}, {results.facts['versions']}, {results.facts['commit']}")
    passed, complete = gate(results, found, budget.gate)
    if not passed:
        print("A check failed: nothing was timed.", file=sys.stderr)
        return 1
    rates = bandwidth(clock, device, bandwidth_bytes)
    results.add(kind="bandwidth", **rates)
    print(f"bandwidth: copy {rates['copy'] / 1e9:.0f} GB/s, read {rates['read'] / 1e9:.0f} GB/s\n")
    with use_backend("triton"):
        complete &= timings(
            device, clock, results, chosen, rates["read"],
            deadline=start + budget.cases, sampling=budget.sampling, rounds=budget.rounds,
        )  # fmt: skip
        print()
        complete &= drive(device, clock, results, driven, size, start + budget.drives)
    print()
    for row in registers.rows():
        print(registers.line(results.add(**row)))
    for what in sanitizer.SELECTIONS:
        left = budget.sanitizer - (time.perf_counter() - start)
        row = results.add(**sanitizer.row(what, device, left))
        print(f"compute-sanitizer, {what}: {row['outcome']}")
        complete &= not row["failed"]
    print()
    for target in gpu_targets.targets():
        print(targets.line(results.add(**target.row(results.rows))))
    print(f"\n{results.paths[-1].name}: {len(results.rows)} rows")
    return 0 if complete else 1


SECONDS, SECONDS_OF_OPS = 480.0, 240.0


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("seconds", nargs="?", type=float)
    parser.add_argument("--ops", default="", metavar="OP,OP")
    asked = parser.parse_args(words)
    ops = [name for name in asked.ops.split(",") if name]
    try:
        cases = sizes.of(ops, sizes.gpu())
    except ValueError as error:
        parser.error(str(error))
    reason = problem()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    device = torch.device("cuda", torch.cuda.current_device())
    results = Results(f"gpu-{slug(torch.cuda.get_device_name(device))}", device)
    found = checks.in_parallel(device, os.cpu_count() or 1, checks.of_ops(ops))
    seconds = asked.seconds or (SECONDS_OF_OPS if ops else SECONDS)
    driven = drives.of_ops(ops)
    return run(device, CudaClock(device), results, found, cases, driven, budget=Budget.of(seconds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
