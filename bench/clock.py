"""How a run is timed: variants in turns, inputs that no cache still holds, medians and quantiles.

One sample is the time of a variant over all its inputs, one call each, divided by their number.
The inputs together are larger than the cache, so every call reads memory. Variants take
turns within a round, in an order that rotates, so that a clock or temperature that drifts meets
all of them alike.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Call = Callable[[], Any]


@dataclass(frozen=True)
class Sampler:
    """Makes every call of a variant at least once and returns the seconds per call."""

    sample: Callable[[], float]
    how: str


@dataclass(frozen=True)
class Times:
    """Seconds per call over the samples of one variant."""

    least: float
    p20: float
    p50: float
    p80: float
    samples: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """``seconds`` holds at least one sample."""
        if len(seconds) == 1:
            return cls(*[seconds[0]] * 4, samples=1)
        cuts = statistics.quantiles(seconds, n=5, method="inclusive")
        return cls(min(seconds), cuts[0], statistics.median(seconds), cuts[3], len(seconds))


class Clock(Protocol):
    cache_bytes: int  # of the last-level cache

    def sampler(self, calls: Sequence[Call], *, waits: bool = False) -> Sampler:
        """Calls each of ``calls`` once itself, so that nothing is compiled while the clock runs.

        ``waits``: a call waits for its device.
        """

    def peak(self, call: Call) -> int | None:
        """Bytes a call holds at most beyond what was there before it; None if nobody counts."""


class CpuClock:
    """Wall time, each sample after a pause.

    Worker threads of the variant before spin for some milliseconds when its work is done, and
    would take the cores of the next one.
    """

    pause = 0.01

    def __init__(self, cache_bytes: int = 16 << 20) -> None:
        self.cache_bytes = cache_bytes

    def peak(self, call: Call) -> int | None:
        return None

    def sampler(self, calls: Sequence[Call], *, waits: bool = False) -> Sampler:
        for call in calls:
            call()

        def sample() -> float:
            time.sleep(self.pause)
            start = time.perf_counter()
            for call in calls:
                call()
            return (time.perf_counter() - start) / len(calls)

        return Sampler(sample, "wall time")


class CudaClock:
    """CUDA events around replays of one graph that holds every call.

    A graph leaves no gaps between launches, which at small sizes would be most of the time. What
    cannot be captured is launched as usual between the two events.
    """

    least_seconds = 2e-3  # of one sample, so that what surrounds it does not count

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cache_bytes = torch.cuda.get_device_properties(device).L2_cache_size

    def sampler(self, calls: Sequence[Call], *, waits: bool = False) -> Sampler:
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(2):
                for call in calls:
                    call()
        torch.cuda.current_stream(self.device).wait_stream(side)
        torch.cuda.synchronize(self.device)
        replay, reason = (None, "they wait") if waits else self._captured(calls)

        def launch() -> None:
            for call in calls:
                call()

        run = replay or launch
        self._seconds(run, 1)
        repeats = math.ceil(self.least_seconds / max(self._seconds(run, 1), 1e-6))
        how = "graph replay" if replay else f"launches: {reason}"
        return Sampler(lambda: self._seconds(run, repeats) / (repeats * len(calls)), how)

    def peak(self, call: Call) -> int | None:
        call()
        torch.cuda.synchronize(self.device)
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        call()
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_allocated(self.device) - before

    def _seconds(self, run: Call, repeats: int) -> float:
        start = torch.cuda.Event(enable_timing=True)
        stop = torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            run()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) * 1e-3

    def _captured(self, calls: Sequence[Call]) -> tuple[Call | None, str]:
        """What replays the calls, or None and why not."""
        graph = torch.cuda.CUDAGraph()
        generator = torch.cuda.default_generators[self.device.index or 0]
        state = generator.clone_state()
        try:
            with torch.cuda.graph(graph):
                for call in calls:
                    call()
        except RuntimeError as error:  # something in a call waits for the device
            torch.cuda.synchronize(self.device)
            # It would go on as if it were captured, and refuse the next number.
            generator.graphsafe_set_state(state)
            return None, str(error).strip().partition("\n")[0]
        return graph.replay, ""


def in_turns(
    samplers: dict[str, Sampler], *, rounds: int, seconds: float, least: int = 3
) -> dict[str, list[float]]:
    """Samples of every variant, interleaved: ``rounds`` of each.

    A variant that has used its share of ``seconds`` rests, but no sooner than after ``least``
    samples, so that a slow rival does not take the samples of a fast one.
    """
    names = list(samplers)
    found: dict[str, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    for i in range(rounds):
        for k in range(len(names)):
            name = names[(i + k) % len(names)]
            if i >= least and spent[name] >= seconds / len(names):
                continue
            start = time.perf_counter()
            found[name].append(samplers[name].sample())
            spent[name] += time.perf_counter() - start
    return found
