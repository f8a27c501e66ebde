"""One case measured: its variants made ready, checked against ours, timed in turns; its rows."""

from __future__ import annotations

import gc
import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.cases import OURS, Case, Given, Op, Rival, Run
from bench.clock import Call, Clock, Sampler, Times, in_turns
from bench.ops import OPS
from bench.results import version

MOST_COPIES = 64
READY_SECONDS = 60.0  # a variant that takes longer to compile and agree is left out
ONCE_SECONDS = 300.0  # the same for one that is timed by a single call
ROOM = {"cpu": 8, "cuda": 4}  # times the logits: what the rivals' temporaries take


@dataclass
class Measured:
    """The samples of every variant of a case, or why it has none."""

    case: Case
    copies: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)  # of every round, by variant
    how: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # why a variant was left out


def sentence(error: BaseException) -> str:
    """The first line of what an exception says, with its kind."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        found = None
    return int(found[1]) << 10 if found else 1 << 62


def lack_of_room(case: Case, device: torch.device) -> str | None:
    """Why a case is not even begun here, or None."""
    needed = ROOM.get(device.type, 8) * case.logit_bytes
    free = free_bytes(device)
    if needed <= free:
        return None
    return f"skipped: needs about {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block when it has run for longer, where a signal can do that."""
    if seconds <= 0:
        raise TimeoutError("not begun: time is up")
    if threading.current_thread() is not threading.main_thread() or os.name != "posix":
        yield
        return

    def late(number: int, frame: Any) -> None:
        raise TimeoutError(f"not ready after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def size_of(given: Given) -> int:
    return sum(x.numel() * x.element_size() for x in given if isinstance(x, Tensor))


def inputs(op: Op, case: Case, device: torch.device, cache_bytes: int) -> list[Given]:
    """Independent inputs, together four times the cache or more where the op asks for that."""
    generator = torch.Generator(device).manual_seed(case.columns)
    made = [op.inputs(case, device, generator)]
    copies = op.copies or math.ceil(4 * cache_bytes / max(size_of(made[0]), 1))
    least = 1 if device.type == "cpu" or op.copies else 2
    for _ in range(max(least, min(copies, MOST_COPIES)) - 1):
        made.append(op.inputs(case, device, generator))
    return made


def copied(given: Given) -> Given:
    """The same inputs in memory of their own."""
    return tuple(
        x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x
        for x in given
    )


def bound(run: Run, given: Given) -> Call:
    return lambda: run(*given)


def made_ready(
    op: Op, case: Case, rival: Rival, given: Sequence[Given], clock: Clock, expected: Any
) -> tuple[Any, Sampler, dict[str, Any]]:
    """A variant's result on the first input, what samples it, and its notes.

    ``expected``: the result of ours, None for ours itself.
    """
    if rival.in_place:
        given = [copied(x) for x in given]
    run = rival.build(case)
    found = run(*given[0])
    if expected is not None and rival.checked:
        op.agree(case, given[0], found, expected)
    notes = op.notes(case, run, given[0]) if op.notes else {}
    peak = clock.peak(bound(run, given[0]))
    if peak is not None:
        notes["peak_bytes"] = peak
    return found, clock.sampler([bound(run, x) for x in given], waits=op.waits), notes


def called_once(
    op: Op, case: Case, rival: Rival, given: Given, expected: Any
) -> tuple[Any, float, dict[str, Any]]:
    """A variant's result, the seconds of its only call, and its notes.

    Its results are on the host, so nothing is left to wait for. Ours is called twice: it is the
    first, and what all variants have in common is warm behind it.
    """
    run = rival.build(case)
    if expected is None:
        run(*given)
    start = time.perf_counter()
    found = run(*given)
    seconds = time.perf_counter() - start
    if expected is not None and rival.checked:
        op.agree(case, given, found, expected)
    return found, seconds, op.notes(case, run, given) if op.notes else {}


def measure(
    case: Case,
    device: torch.device,
    clock: Clock,
    *,
    rounds: int,
    seconds: float,
    deadline: float = math.inf,
) -> Measured:
    """Time every variant of one case in turns; none is made ready after ``deadline``, which is a
    time of ``time.perf_counter``."""
    op = OPS[case.op]
    measured = Measured(case)
    variants = op.variants(case, device)
    reason = lack_of_room(case, device)
    if reason is None:
        try:
            given = inputs(op, case, device, clock.cache_bytes)
        except torch.OutOfMemoryError as error:
            reason = f"skipped: {sentence(error)}"
        except RuntimeError as error:
            reason = f"no inputs: {sentence(error)}"
    if reason is not None:
        measured.missing = dict.fromkeys(variants, reason)
        return measured
    measured.copies = len(given)
    samplers: dict[str, Sampler] = {}
    expected = None
    torch.compiler.reset()  # nothing it learnt from another size, nor its limit of recompilations
    for name, rival in variants.items():
        left = deadline - time.perf_counter()
        try:
            if op.once:
                with time_limit(min(ONCE_SECONDS, left)):
                    found, seconds_once, measured.notes[name] = called_once(
                        op, case, rival, given[0], expected
                    )
                measured.seconds[name], measured.how[name] = [seconds_once], "one call"
            else:
                with time_limit(min(READY_SECONDS, left)):
                    found, samplers[name], measured.notes[name] = made_ready(
                        op, case, rival, given, clock, expected
                    )
            expected = found if name == OURS else expected
        except Exception as error:  # noqa: BLE001  (a rival may fail in any way; ours is reported)
            measured.missing[name] = sentence(error)
        gc.collect()
    measured.seconds |= in_turns(samplers, rounds=rounds, seconds=seconds)
    measured.how |= {name: sampler.how for name, sampler in samplers.items()}
    return measured


def rows_of(measured: Measured, device: torch.device, read: float) -> Iterator[dict[str, Any]]:
    """One row per variant, ours first. ``read``: the bytes per second the device can read."""
    case, op = measured.case, OPS[measured.case.op]
    times = {name: Times.of(samples) for name, samples in measured.seconds.items()}
    mine = times.get(OURS)
    base = {
        "kind": "timing",
        "op": case.op,
        "mode": case.mode,
        "rows": case.rows,
        "columns": case.columns,
        "hidden": case.hidden,
        "dtype": str(case.dtype).removeprefix("torch."),
        "threads": case.threads,
        "inputs": measured.copies,
    }
    for name, rival in op.variants(case, device).items():
        named = {**base, "variant": name}
        if rival.package and (release := version(rival.package)):
            named["release"] = release
        if name in measured.missing:
            yield {**named, "error": measured.missing[name]}
            continue
        t = times[name]
        row = {
            **named,
            "us": t.p50 * 1e6,
            "us_p20": t.p20 * 1e6,
            "us_p80": t.p80 * 1e6,
            "us_least": t.least * 1e6,
            "samples": t.samples,
            "how": measured.how[name],
            "ratio": t.p50 / mine.p50 if mine else None,
            "ratio_of_minima": t.least / mine.least if mine else None,
            "rows_per_second": case.rows / t.p50,
        }
        if op.moved_bytes:
            rate = op.moved_bytes(case) / t.p50
            row |= {"bytes_per_second": rate, "share_of_read": rate / read}
        if op.flops:
            row["flops_per_second"] = op.flops(case) / t.p50
        yield {**row, **measured.notes[name]}
