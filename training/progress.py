"""One training loop's clock: cosine learning rate with warm-up, clipping, a line now and then."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from statistics import fmean

import torch
from torch import Tensor, nn


class Schedule:
    """Iterate over ``steps``; call ``step(loss, parameters)`` once in each.

    ``on_keep`` is called after each of the steps ``keep_at``, to keep the state that is reached.
    ``on_pause`` is called every ``pause_every`` steps, to save what training goes on from; of a
    step that is both it comes last, so that what a run goes on from has all its kept states.
    """

    def __init__(
        self,
        name: str,
        optimizer: torch.optim.Optimizer,
        steps: int,
        *,
        warmup: int,
        start: int = 0,
        pause_every: int = 100,
        on_pause: Callable[[int], None] | None = None,
        keep_at: Collection[int] = (),
        on_keep: Callable[[int], None] | None = None,
    ) -> None:
        self.name, self.optimizer, self.steps, self.warmup = name, optimizer, steps, warmup
        self.start, self.pause_every, self.on_pause = start, pause_every, on_pause
        self.keep_at, self.on_keep = frozenset(keep_at), on_keep
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.losses: deque[float] = deque(maxlen=50)

    def __iter__(self) -> Iterator[int]:
        began = time.monotonic()
        for step in range(self.start, self.steps):
            rise = min(1.0, (step + 1) / self.warmup)
            fall = 0.5 * (1 + math.cos(math.pi * step / self.steps))
            for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
                group["lr"] = peak * rise * fall
            yield step
            done = step + 1
            if done % 20 == 0 or done == self.steps:
                rate = (time.monotonic() - began) / (done - self.start)
                left = rate * (self.steps - done) / 60
                print(
                    f"{self.name} {done}/{self.steps}  loss {self.recent_loss:.4f}"
                    f"  {rate:.2f} s/step  {left:.0f} min left",
                    flush=True,
                )
            if self.on_keep and done in self.keep_at:
                self.on_keep(done)
            if self.on_pause and done % self.pause_every == 0:
                self.on_pause(done)

    @property
    def recent_loss(self) -> float:
        return fmean(self.losses) if self.losses else math.nan

    def step(self, loss: Tensor, parameters: list[nn.Parameter]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimizer.step()
        self.losses.append(loss.item())
