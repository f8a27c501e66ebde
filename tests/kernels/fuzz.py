"""What hypothesis draws for calls of any op: logits in any layout, labels, temperatures, options.

``fuzz_calls`` makes calls of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from calib_kernels import use_backend
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.gate.row_stats import laid_out

INF = math.inf
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# Mostly few columns; then the seams of the C++ core's lanes, blocks and chunks.
COLUMNS = st.one_of(
    st.integers(1, 200),
    st.sampled_from([63, 64, 65, 127, 128, 129, 512, 513]),
    st.sampled_from([4095, 4096, 4097, 8191, 8193, 32767, 32768, 32769, 36865]),
)
FEW_COLUMNS = st.one_of(st.integers(1, 20), st.sampled_from([63, 64, 65, 100, 257]))
SPECIAL = (0.0, -0.0, INF, -INF, math.nan, 1e-40, -1e-40, 20.0, 90.0, 300.0, -300.0, 6e4, -6e4)
# Times log2(e) these leave float32, which Triton kernels do not promise to bear.
LOWEST = (torch.finfo(torch.float32).min, torch.finfo(torch.float32).max, 3e38, -3e38)
TEMPERATURES = (1.0, 0.5, 1.7, 1e-3, 1e3, 0.05)
BAD_TEMPERATURES = (0.0, -0.0, -1.0, math.nan, INF, 1e-39)


@dataclass(frozen=True)
class Case:
    """One call: ``logits`` is a view whose surroundings hold NaN."""

    logits: Tensor
    arguments: dict[str, Any]
    layout: str

    def __repr__(self) -> str:  # what hypothesis prints of a failure
        shape, strides = tuple(self.logits.shape), self.logits.stride()
        values = self.logits.tolist() if self.logits.numel() <= 60 else "..."
        return (
            f"Case({self.layout}, {self.logits.dtype}, {shape}, strides {strides}, "
            f"{self.arguments}, {values})"
        )

    def on_its_own(self) -> Tensor:
        """The same logits, contiguous and aligned."""
        return self.logits.clone(memory_format=torch.contiguous_format)


@st.composite
def any_rows(draw: st.DrawFn, columns: int, special: tuple[float, ...]) -> Tensor:
    """(N, V) float32: random rows, some of them with a few values that break kernels."""
    n = draw(st.integers(0, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 0.1, 3.0, 3.0, 30.0, 1e3]))
    x = torch.randn(n, columns, generator=generator) * spread
    x += draw(st.sampled_from([0.0, 0.0, 0.0, 1e4, -1e4, 7.5]))
    for row in x:
        if draw(st.integers(0, 3)) == 0:
            start = draw(st.integers(0, columns))
            row[start : start + draw(st.integers(0, columns))] = draw(st.sampled_from(special))
        edits = st.tuples(st.integers(0, columns - 1), st.sampled_from(special))
        for where, value in draw(st.lists(edits, max_size=3)):
            row[where] = value
    return x


@st.composite
def any_layout(draw: st.DrawFn, values: Tensor) -> tuple[str, Tensor]:
    n, columns = values.shape
    kind = draw(st.sampled_from(["contiguous", "strided", "strided", "expanded", "transposed"]))
    if kind == "contiguous" or n == 0:
        return "contiguous", values
    if kind == "strided":
        stride = columns + draw(st.integers(0, 9))
        return kind, laid_out(values, stride, draw(st.integers(0, 9)), "cpu")
    if kind == "expanded":
        return kind, laid_out(values[:1], columns, draw(st.integers(0, 9)), "cpu").expand(n, -1)
    return kind, values.T.contiguous().T


@st.composite
def present_labels(draw: st.DrawFn, n: int, classes: int) -> Tensor:
    """Of 32 or 64 bits, also one element past an aligned address."""
    some = st.one_of(
        st.integers(0, classes - 1), st.sampled_from([-100, -1, classes, 2**31 - 1, -(2**31)])
    )
    dtype = draw(st.sampled_from([torch.int32, torch.int64]))
    found = torch.tensor([7, *draw(st.lists(some, min_size=n, max_size=n))]).to(dtype)
    return found[1:] if draw(st.booleans()) else found[1:].clone()


def any_labels(n: int, classes: int) -> st.SearchStrategy[Tensor | None]:
    return st.one_of(st.none(), present_labels(n, classes))


@st.composite
def any_temperature(draw: st.DrawFn, n: int) -> float | Tensor:
    good, any_ = st.sampled_from(TEMPERATURES), st.sampled_from(TEMPERATURES + BAD_TEMPERATURES)
    kind = draw(st.sampled_from(["number", "number", "scalar", "one", "per row"]))
    if kind == "number":
        return draw(good)
    if kind == "per row":
        return torch.tensor(draw(st.lists(any_, min_size=n, max_size=n)))
    t = torch.tensor(draw(any_))
    return t if kind == "scalar" else t[None]


@st.composite
def any_option_ids(draw: st.DrawFn, columns: int, n: int) -> Tensor:
    """(O,), (O, M) or (N, O, M): no token in two options; paddings and repeats in some."""
    options = draw(st.integers(1, min(6, columns)))
    spellings = draw(st.integers(1, max(1, min(4, columns // options))))
    kind = draw(st.sampled_from(["single", "spelled", "per row"]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))

    def one() -> Tensor:
        chosen = torch.randperm(columns, generator=generator)[: options * spellings]
        ids = chosen.view(options, spellings)
        for option in ids:
            if spellings > 1 and draw(st.integers(0, 2)) == 0:
                option[-1] = draw(st.sampled_from([-1, int(option[0])]))
        return ids

    if kind == "per row" and n:
        return torch.stack([one() for _ in range(n)])
    return one() if kind == "spelled" else one()[:, 0]


def repeatable(examples: int) -> Any:
    """The same cases every time, unless CALIB_FUZZ is set: then others in each run."""
    return settings(
        max_examples=examples,
        derandomize="CALIB_FUZZ" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def names_of(case: Case) -> list[str]:
    return [f"row {i}" for i in range(len(case.logits))]


def in_float64(case: Case, run: Callable[..., Any]) -> Any:
    """The same call of the reference, on float64."""
    wide = {
        name: value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in case.arguments.items()
    }
    with use_backend("reference"):
        return run(case.logits.double(), **wide)


@st.composite
def any_size(draw: st.DrawFn, columns: int) -> int | None:
    """A ``vocab_size``."""
    return draw(st.one_of(st.none(), st.integers(1, columns)))


@st.composite
def any_upstream(draw: st.DrawFn, n: int) -> Tensor:
    """A gradient for each row's loss; one number expanded to them all; every second of many."""
    sizes = st.sampled_from([1.0, -1.0, 0.25, 0.0])
    if draw(st.booleans()):
        return torch.tensor(draw(sizes)).expand(n)
    return torch.tensor(draw(st.lists(sizes, min_size=2 * n, max_size=2 * n)))[::2]


def least_temperature(case: Case) -> float:
    """The smallest temperature that is one."""
    t = torch.as_tensor(case.arguments["temperature"])
    good = t[(t >= 1e-38) & t.isfinite()]
    return float(good.min()) if good.numel() else 1.0
