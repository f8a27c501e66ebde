"""Every op of the C++ core, called on rows of any dtype, on as many threads as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from calib_kernels import (
    Sample,
    option_scores,
    row_stats,
    sample,
    temperature_sweep,
    use_backend,
)
from torch import Tensor

from tests.gate.cross_entropy import outcome
from tests.gate.row_stats import hard_rows, option_sets, row_labels

# Three chunks, the last of them no multiple of anything; for 16 bits a few blocks, whose loops
# differ in their loads alone.
COLUMNS = {torch.float32: 70001, torch.bfloat16: 9001, torch.float16: 9001}
DTYPES = list(COLUMNS)
# Every op of the core, on rows (N, V) of any dtype: its results hold to every instruction set and
# to every number of threads.
OPS: dict[str, Callable[[Tensor], Any]] = {
    "option_scores": lambda x: option_scores(x, options_of(x), torch.arange(len(x)) % 3),
    "row_stats": lambda x: row_stats(x, row_labels(*x.shape), temperature=0.7),
    "sample": lambda x: draws_of(x),
}
# Further results, whose agreement with float64 has tests of its own: here, only their bits.
BITS: dict[str, Callable[[Tensor], Any]] = {
    **OPS,
    "cross_entropy": lambda x: losses_of(x),
    "temperature_sweep": lambda x: sweeps_of(x),
}
LOSS: dict[str, Any] = {"label_smoothing": 0.1, "softcap": 30.0, "z_loss": 1e-3}
LEAST = 0.7  # temperature of a loss


def loss_arguments(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    n = len(x)
    return x, row_labels(*x.shape), torch.full((n,), LEAST), torch.linspace(-1.0, 2.0, n)


def losses_of(x: Tensor) -> list[Tensor]:
    """Losses with everything switched on, their gradients and the histogram."""
    return list(outcome(*loss_arguments(x), reduction="none", **LOSS))


# On a grid in 1/T, on none, and so many that a row is counted first, unless it is of float16.
TEMPERATURES = ([4.0, 2.0, 4 / 3, 1.0], [0.7, 3.1], [0.3 * 1.05**k for k in range(48)])


def sweeps_of(x: Tensor) -> list[Tensor]:
    """Of every third row, then of all together: nll, both derivatives, count."""
    labels = row_labels(*x.shape)
    rows = [*(slice(i, i + 1) for i in range(0, len(x), 3)), slice(None)]
    swept = (
        temperature_sweep(x[own], labels[own], t, derivatives=2)
        for t in TEMPERATURES
        for own in rows
    )
    return [field for s in swept for field in (s.nll, s.grad, s.hess, s.count) if field is not None]


def draws_of(x: Tensor) -> Sample:
    """Without filters and with them."""
    indices = torch.arange(2 * len(x)).view(-1, 2)
    plain = sample(x, seed=1, item=2, sample=indices, step=3)
    cut = sample(
        x, seed=1, item=2, sample=indices, step=3, top_k=3000, top_p=0.9, min_p=1e-3
    )  # fmt: skip
    return Sample(*(torch.cat(fields, 1) for fields in zip(plain, cut, strict=True)))


def options_of(x: Tensor) -> Tensor:
    return option_sets(*x.shape)["spellings"]


ROWS = list(hard_rows(9001, 4096))


def example(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.stack(list(hard_rows(COLUMNS[dtype], 4096).values())).to(dtype)


@contextmanager
def core(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with use_backend("native"):
            yield
    finally:
        torch.set_num_threads(before)


def native(op: str, x: Tensor, threads: int = 1) -> Any:
    with core(threads):
        return BITS[op](x)
