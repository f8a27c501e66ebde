"""Samples in turns, their quantiles, and the CUDA clock on a device made up here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import MagicMock

import pytest
import torch

from bench.clock import CudaClock, Sampler, Times, in_turns


@pytest.mark.parametrize("capturable", [True, False])
def test_the_cuda_clock(monkeypatch: pytest.MonkeyPatch, capturable: bool) -> None:
    """A call takes a millisecond: what is captured, and how often it is replayed."""
    made = {"calls": 0, "replays": 0, "capturing": False}

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = made["calls"] + 2 * made["replays"]

        def synchronize(self) -> None:
            pass

        def elapsed_time(self, stop: Event) -> float:
            return stop.at - self.at

    class Graph:
        def replay(self) -> None:
            made["replays"] += 1

    @contextmanager
    def capture(graph: Graph) -> Iterator[None]:
        made["capturing"] = True
        yield
        made["capturing"] = False

    def call() -> None:
        if made["capturing"] and not capturable:
            made["capturing"] = False
            raise RuntimeError("operation not permitted when stream is capturing")
        made["calls"] += not made["capturing"]

    fake = MagicMock(Event=Event, CUDAGraph=Graph, graph=capture)
    fake.get_device_properties.return_value.L2_cache_size = 50 << 20
    monkeypatch.setattr(torch, "cuda", fake)
    clock = CudaClock(torch.device("cpu"))
    assert clock.cache_bytes == 50 << 20
    sampler = clock.sampler([call, call])
    reason = "launches: operation not permitted when stream is capturing"
    assert sampler.how == ("graph replay" if capturable else reason)
    made["calls"] = made["replays"] = 0
    assert sampler.sample() == pytest.approx(1e-3)
    assert made == {"calls": 0 if capturable else 2, "replays": int(capturable), "capturing": False}


def test_variants_take_turns() -> None:
    order: list[str] = []

    def sampler(name: str) -> Sampler:
        return Sampler(lambda: float(len(order) if order.append(name) is None else 0), "by hand")

    found = in_turns({name: sampler(name) for name in "abc"}, rounds=3, seconds=9)
    assert "".join(order) == "abcbcacab"
    assert found == {"a": [1.0, 6.0, 8.0], "b": [2.0, 4.0, 9.0], "c": [3.0, 5.0, 7.0]}
    assert len(in_turns({"a": sampler("a")}, rounds=50, seconds=0)["a"]) == 3
    assert Times.of([3.0, 1.0, 2.0, 4.0, 5.0]) == Times(1.0, 1.8, 3.0, 4.2, 5)
    assert Times.of([2.0]).p80 == 2.0
