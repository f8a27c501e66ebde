"""The decoding step as a CUDA graph: what the host says once, the device repeats.

The host takes longer to launch a step than a GPU to compute it. So the step is captured once, on
tensors that stay where they are, and replayed with new tokens in them. On other devices a replay is
a call, so that the same tensors and masks are used, and tested, without a GPU.

A graph repeats what was captured and misses what the host has computed since. So it is trusted only
after a replay without the host has given a step's logits. Where anything goes wrong, the step that
was computed without the graph stands.

Axis legend: R rows, V vocabulary.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from calib.hf.decoding.shared_cache import SharedCache

# Devices whose steps are replayed.
REPLAYING = {"cuda"}
# Own tokens that a graph has room for: captured anew, for twice as many, when they are used up.
LEAST_SPAN = 64
# How far logits of a replay may lie from those of the same kernels, as a share of the largest.
TOLERANCE = 1e-2


class CannotReplay(Exception):
    """A step takes something from the host that another step will want to be different."""


Run = Callable[[], Any]
"""A model's outputs, of inputs that stay where they are."""


class Graph:
    """A ``Run`` as it was captured. Every call passes the same ``Run``, so that the graph need not
    hold it, and with it the graph's owner."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.captured: Any = None
        self.outputs: Any = None
        if device.type == "cuda":
            # One stream, so that the product's workspace is there when it is captured.
            self.stream = torch.cuda.Stream(device)
            self.pool = torch.cuda.graph_pool_handle()

    def warm(self, run: Run) -> Any:
        """Call it where it will be captured: kernels are loaded and chosen by that."""
        if self.device.type != "cuda":
            return run()
        now = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(now)
        with torch.cuda.stream(self.stream):
            outputs = run()
        now.wait_stream(self.stream)
        outputs.logits.record_stream(now)
        return outputs

    def capture(self, run: Run) -> None:
        """Without running it. What was captured before is forgotten, and its memory used again."""
        self.outputs = None
        if self.device.type != "cuda":
            return
        captured = torch.cuda.CUDAGraph()
        # The former graph lives until this has ended: it holds the pool.
        here = torch.cuda.device(self.device)
        # What other threads ask of the device meanwhile is no error of this capture.
        capture = torch.cuda.graph(
            captured, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"
        )
        with here, capture:
            self.outputs = run()
        self.captured = captured

    def replay(self, run: Run) -> Any:
        """The outputs, in the same memory every time."""
        if self.device.type != "cuda":
            return run()
        with torch.cuda.device(self.device):
            self.captured.replay()
        return self.outputs


class Replayed:
    """Steps of R rows of a ``SharedCache``, captured anew when rows leave or room is used up."""

    def __init__(self, cache: SharedCache) -> None:
        self.cache = cache
        self.graph = Graph(cache.shared[0].own_keys.device)
        self.inputs: dict[str, Any] = {}
        self.ready = self.proved = False
        self.steps = 0  # that were replayed and not computed by the host as well

    def forget(self) -> None:
        """The cache's tensors, or their number of rows, are others now."""
        self.inputs, self.ready, self.proved = {}, False, False

    def __call__(self, inputs: dict[str, Any], forward: Callable[[dict[str, Any]], Any]) -> Any:
        """What ``forward(inputs)`` gives. Raises before the cache goes on, if at all."""
        if self.cache.place(LEAST_SPAN):
            self.forget()
        self.put(inputs)
        run = partial(forward, self.inputs)
        if self.proved:
            outputs = self.graph.replay(run)
            self.steps += 1
        elif self.ready:
            replayed = self.graph.replay(run).logits.float()
            outputs = self.graph.warm(run)  # behind the replay, whose keys it puts right
            logits = outputs.logits.float()
            if not bool((replayed - logits).abs().max() <= TOLERANCE * logits.abs().max()):
                raise CannotReplay("a replayed step's logits are not those of the step")
            self.proved = True
        else:
            outputs = self.graph.warm(run)
            self.graph.capture(run)
            self.ready = True
        self.cache.advance()
        return outputs

    def put(self, inputs: dict[str, Any]) -> None:
        """Copy a step's inputs to where the graph reads them."""
        # No layer attends by the mask, which grows: a row has positions and sees all its keys.
        step_inputs = {name: value for name, value in inputs.items() if name != "attention_mask"}
        if not isinstance(step_inputs.get("position_ids"), Tensor):
            raise CannotReplay("positions are reckoned by the model")
        if not self.inputs:
            self.inputs = {
                name: value.clone() if isinstance(value, Tensor) else value
                for name, value in step_inputs.items()
            }
            return
        if step_inputs.keys() != self.inputs.keys():
            raise CannotReplay("a step has other inputs than the one before")
        for name, value in step_inputs.items():
            there = self.inputs[name]
            if isinstance(value, Tensor) and isinstance(there, Tensor):
                if value.shape != there.shape or value.dtype != there.dtype:
                    raise CannotReplay(f"{name} has another shape than in the step before")
                there.copy_(value)
            elif value is not there and value != there:
                raise CannotReplay(f"{name} is another than in the step before")


def warn(error: Exception) -> None:
    """Say why steps are not replayed; Python shows a warning of one place once."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    warnings.warn(f"decoding continues without a CUDA graph: {reason}", stacklevel=2)
