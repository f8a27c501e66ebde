"""What a benchmark of an op consists of; ``bench/ops`` has one file for each op.

Axis legend, here and there: N rows, V vocabulary, O options, H hidden size, K temperatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Given = tuple[Any, ...]
"""The arguments of one call."""
Run = Callable[..., Any]
"""What is timed: called with ``*given``."""

OURS = "calib_kernels"
BINS = 15


@dataclass(frozen=True)
class Case:
    """One size of one op. ``rows`` and ``columns`` are N and V where the op has logits."""

    op: str
    rows: int
    columns: int
    dtype: torch.dtype
    mode: str = ""  # a form of the op, by the name its file gives it
    hidden: int = 0  # H of the ops that multiply
    threads: int = 0  # of PyTorch and of the C++ core; 0: as they are

    @property
    def name(self) -> str:
        return f"{self.op}, {self.mode}" if self.mode else self.op

    @property
    def size(self) -> str:
        return " x ".join(str(n) for n in (self.rows, self.columns, self.hidden) if n)

    @property
    def label(self) -> str:
        threads = f", {self.threads} threads" if self.threads else ""
        return f"{self.name} {self.size} {str(self.dtype).removeprefix('torch.')}{threads}"

    @property
    def logit_bytes(self) -> int:
        return self.rows * self.columns * self.dtype.itemsize


Build = Callable[[Case], Run]
"""Imports what it needs and returns what is timed; raising gives the variant a row saying why."""
Compiler = Callable[[Run], Run]


def as_it_is(run: Run) -> Run:
    return run


# What makes Inductor compute a head and its loss in chunks of rows. By itself it takes on none with
# logits of less than eight times its inputs, which no head here has. Code from its caches does not
# say whether it was chunked.
CHUNKED = {
    "auto_chunker.enable": True,
    "auto_chunker.amplify_ratio_threshold": 0,
    "fx_graph_cache": False,
}


def compiler(case: Case, *, chunked: bool = False) -> Compiler:
    """``torch.compile`` for one size alone; ``chunked``: with Inductor's auto-chunker."""
    # Inductor writes the number of threads into its code, and keeps code by its options.
    options = {"cpp.threads": case.threads} if case.threads else {}

    def compiled(run: Run) -> Run:
        made = torch.compile(
            run, dynamic=False, fullgraph=True, options=options | CHUNKED if chunked else options
        )
        return only_chunked(made) if chunked else made

    return compiled


def only_chunked(run: Run) -> Run:
    """``run``, which raises RuntimeError where the compiler has left it whole."""
    from torch._inductor import metrics

    before = metrics.num_auto_chunking

    def checked(*given: Any) -> Any:
        found = run(*given)
        if metrics.num_auto_chunking == before:
            raise RuntimeError("the compiler found nothing to chunk")
        return found

    return checked


@dataclass(frozen=True)
class Rival:
    """Another way to the same results, or to part of them."""

    build: Build
    devices: tuple[str, ...] = ("cpu", "cuda")
    modes: tuple[str, ...] | None = None  # None: all of the op's
    in_place: bool = False  # it writes over its inputs, and gets copies of its own
    checked: bool = True  # False where it computes something else
    package: str = ""  # the distribution it comes from, whose version its rows name


@dataclass(frozen=True)
class Op:
    """How an op is benched.

    ``plain(case, compiled)`` is the op in plain PyTorch as one would write it, with ``compiled``
    applied to what a compiler can take whole: eager and ``torch.compile`` run the same function.
    ``agree(case, given, found, expected)`` raises AssertionError where a variant's result is not
    ours. ``moved_bytes`` is what any implementation has to read and write at the least, ``flops``
    what the matrix products need. ``notes`` are further columns of a variant's row.
    """

    inputs: Callable[[Case, torch.device, torch.Generator], Given]
    ours: Build
    plain: Callable[[Case, Compiler], Run]
    agree: Callable[[Case, Given, Any, Any], None]
    moved_bytes: Callable[[Case], int] | None = None
    flops: Callable[[Case], int] | None = None
    rivals: Mapping[str, Rival] = field(default_factory=dict)
    modes: tuple[str, ...] = ("",)
    compiles: bool = True
    copies: int | None = None  # inputs to rotate through; None: enough to outgrow the cache
    notes: Callable[[Case, Run, Given], dict[str, Any]] | None = None
    waits: bool = False  # a call waits for the device, so it cannot be captured in a CUDA graph
    once: bool = False  # a call takes many seconds, and the one whose result is checked is timed

    def variants(self, case: Case, device: torch.device) -> dict[str, Rival]:
        """Everything to be timed, ours first."""
        found = {OURS: Rival(self.ours), "eager": Rival(lambda case: self.plain(case, as_it_is))}
        if self.compiles:
            found["compile"] = Rival(lambda case: self.plain(case, compiler(case)))
        for name, rival in self.rivals.items():
            if device.type in rival.devices and case.mode in (rival.modes or self.modes):
                found[name] = rival
        return found


def normal_logits(case: Case, device: torch.device, generator: torch.Generator) -> Tensor:
    """(N, V) independent 3 N(0, 1)."""
    logits = torch.empty(case.rows, case.columns, dtype=case.dtype, device=device)
    return logits.normal_(0.0, 3.0, generator=generator)


def random_labels(case: Case, device: torch.device, generator: torch.Generator) -> Tensor:
    """(N,) tokens."""
    return torch.randint(case.columns, (case.rows,), generator=generator, device=device)


def close(found: Any, expected: Any, *, rtol: float = 0.0, atol: float = 1e-4) -> None:
    """Raise AssertionError unless two tensors, of whatever dtypes, are near each other."""
    torch.testing.assert_close(
        torch.as_tensor(found).detach().float(),
        torch.as_tensor(expected).detach().float(),
        rtol=rtol,
        atol=atol,
    )
