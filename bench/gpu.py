"""The GPU run: bandwidth of the machine, correctness of every Triton op, then timings.

    python -m bench.gpu        (make gpu)

Needs torch and triton and nothing else. A failed check ends the run before anything is timed, with
exit code 1. Every row is written when it is there, so a run that is cut leaves what it had.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from calib_kernels import use_backend

from bench import cases, verify
from bench.clock import Clock, CudaClock, Times, in_turns
from bench.results import Results, slug

SHAPES = ((1024, 151_936), (1024, 128_256), (256, 151_936), (64, 32_000))
CASES = tuple(
    cases.Case(rows, columns, dtype, histogram, op)
    for (op, histogram), dtype, (rows, columns) in itertools.product(
        (("option_scores", False), ("row_stats", False), ("option_scores", True)),
        (torch.bfloat16, torch.float32),
        SHAPES,
    )
)
SECONDS = 400.0  # no case is begun later than this; one takes half a minute at most
HEADER = f"{'op':26}{'rows x V':>15} {'dtype':9}{'variant':14}{'us':>10}{'p20':>10}{'p80':>10}"
HEADER += f"{'ratio':>8}{'GB/s':>8}{'of read':>9}"


def problem() -> str | None:
    """Why nothing can be timed here, or None."""
    if importlib.util.find_spec("triton") is None:
        return "make gpu needs triton, and this Python has none."
    if not torch.cuda.is_available():
        return "make gpu needs a CUDA device, and PyTorch finds none here."
    return None


def gate(results: Results, found: Iterator[verify.Check]) -> bool:
    """Run the checks, print what failed, keep the outcome; whether all passed."""
    start = time.perf_counter()
    failed: dict[str, list[str]] = {}
    count = 0
    for name, problems in found:
        count += 1
        if problems:
            failed[name] = problems
            print(f"FAILED  {name}")
            for sentence in problems:
                print(f"        {sentence}")
    seconds = time.perf_counter() - start
    print(f"correctness: {count - len(failed)} of {count} checks passed in {seconds:.0f} s")
    results.add(kind="gate", checks=count, failed=failed)
    return not failed


def bandwidth(clock: Clock, device: torch.device, nbytes: int) -> dict[str, float]:
    """Bytes per second of a copy (read and written both counted) and of the fastest reduction.

    ``nbytes`` are allocated twice.
    """
    a = torch.randn(nbytes // (4 * 4096), 4096, device=device)
    b = torch.empty_like(a)
    one = torch.ones(4096, device=device)
    size = a.numel() * 4
    samplers = {
        "copy": clock.sampler([lambda: b.copy_(a)]),
        "sum": clock.sampler([a.sum]),
        "largest of each row": clock.sampler([lambda: a.amax(1)]),
        "matrix times vector": clock.sampler([lambda: torch.mv(a, one)]),
    }
    p50 = {k: Times.of(v).p50 for k, v in in_turns(samplers, rounds=20, seconds=2).items()}
    return {"copy": 2 * size / p50.pop("copy"), "read": size / min(p50.values())}


def timed(
    case: cases.Case, clock: Clock, device: torch.device, read: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """One row per variant of one case. ``read``: bytes per second measured for a reduction."""
    copies = max(2, math.ceil(4 * clock.cache_bytes / case.logit_bytes))
    given = cases.inputs(case, device, copies)
    samplers, missing = cases.made_ready(case, given, clock)
    found = in_turns(samplers, rounds=60, seconds=seconds)
    times = {name: Times.of(samples) for name, samples in found.items()}
    base = {
        "kind": "timing",
        "op": case.name,
        "rows": case.rows,
        "columns": case.columns,
        "dtype": verify.short(case.dtype),
        "inputs": copies,
    }
    for name in cases.VARIANTS:
        if name in missing:
            yield {**base, "variant": name, "error": missing[name]}
            continue
        t = times[name]
        mine = times.get(cases.OURS)
        yield {
            **base,
            "variant": name,
            "us": t.p50 * 1e6,
            "us_p20": t.p20 * 1e6,
            "us_p80": t.p80 * 1e6,
            "us_least": t.least * 1e6,
            "samples": t.samples,
            "how": samplers[name].how,
            "ratio": t.p50 / mine.p50 if mine else None,
            "bytes_per_second": case.moved_bytes / t.p50,
            "share_of_read": case.moved_bytes / t.p50 / read,
        }


def line(row: dict[str, Any]) -> str:
    size = f"{row['rows']} x {row['columns']}"
    start = f"{row['op']:26}{size:>15} {row['dtype']:9}{row['variant']:14}"
    if "error" in row:
        return f"{start}  left out: {row['error'][:60]}"
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return (
        f"{start}{row['us']:10.1f}{row['us_p20']:10.1f}{row['us_p80']:10.1f}{ratio:>8}"
        f"{row['bytes_per_second'] / 1e9:8.0f}{row['share_of_read']:9.1%}"
    )


def run(
    device: torch.device,
    clock: Clock,
    results: Results,
    found: Iterator[verify.Check],
    chosen: Sequence[cases.Case] = CASES,
    *,
    seconds: float = SECONDS,
    seconds_per_case: float = 3.0,
    bandwidth_bytes: int = 2 << 30,
) -> int:
    """The whole run on one device; the exit code."""
    start = time.perf_counter()
    print(f"{results.facts['machine']}, {results.facts['versions']}, {results.facts['commit']}")
    if not gate(results, found):
        print("A check failed: nothing was timed.", file=sys.stderr)
        return 1
    rates = bandwidth(clock, device, bandwidth_bytes)
    results.add(kind="bandwidth", **rates)
    print(f"bandwidth: copy {rates['copy'] / 1e9:.0f} GB/s, read {rates['read'] / 1e9:.0f} GB/s\n")
    print(HEADER)
    complete = True
    with use_backend("triton"):
        for k, case in enumerate(chosen):
            if time.perf_counter() - start > seconds:
                print(f"{len(chosen) - k} of {len(chosen)} cases were not begun: time is up")
                break
            for row in timed(case, clock, device, rates["read"], seconds_per_case):
                print(line(results.add(**row)), flush=True)
                complete &= row["variant"] != cases.OURS or "error" not in row
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
    print(f"\n{results.paths[-1].name}: {len(results.rows)} rows")
    return 0 if complete else 1


def main() -> int:
    reason = problem()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    device = torch.device("cuda", torch.cuda.current_device())
    results = Results(f"gpu-{slug(torch.cuda.get_device_name(device))}", device)
    return run(device, CudaClock(device), results, verify.checks(device))


if __name__ == "__main__":
    sys.exit(main())
