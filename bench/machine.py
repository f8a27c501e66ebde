"""What the machine can move: the rates that every row is held against."""

from __future__ import annotations

import torch

from bench.clock import Clock, Times, in_turns


def bandwidth(
    clock: Clock, device: torch.device, nbytes: int, *, seconds: float = 2.0
) -> dict[str, float]:
    """Bytes per second of a copy (read and written both counted) and of the fastest reduction.

    ``nbytes`` are allocated twice.
    """
    a = torch.randn(nbytes // (4 * 4096), 4096, device=device)
    b = torch.empty_like(a)
    one = torch.ones(4096, device=device)
    size = a.numel() * 4
    samplers = {
        "copy": clock.sampler([lambda: b.copy_(a)]),
        # On a GPU, where a copy is not a kernel, the faster one.
        "negative": clock.sampler([lambda: torch.neg(a, out=b)]),
        "sum": clock.sampler([a.sum]),
        "largest of each row": clock.sampler([lambda: a.amax(1)]),
        "matrix times vector": clock.sampler([lambda: torch.mv(a, one)]),
    }
    p50 = {k: Times.of(v).p50 for k, v in in_turns(samplers, rounds=20, seconds=seconds).items()}
    copy = min(p50.pop("copy"), p50.pop("negative"))
    return {"copy": 2 * size / copy, "read": size / min(p50.values())}
