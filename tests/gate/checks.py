"""Every check of ``verify`` on one device: one after the other, or shared among processes."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

import torch
from calib_kernels import use_backend

from tests.gate import verify
from tests.gate.cross_entropy import loss_checks

# Where the trouble of the smaller kernels' ``hard_rows`` is put: a seam of their blocks.
ROW_STATS_BLOCK = 1024


@dataclass(frozen=True)
class Selection:
    """What is checked. The widths: one column; less than a block; odd, so that no two rows start at
    the same alignment; real ones. ``block`` is the seam at which ``hard_rows`` have their trouble.
    ``many`` rows get a program each; of a few rows, several programs may share one."""

    widths: Sequence[int] = (1, 100, 32001, 128256, 151936)
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.bfloat16, torch.float16)
    block: int = 2048
    many: int = 300
    histogram_sizes: Sequence[int] = (1, 1000, 100_003)
    families: Sequence[str] | None = None  # of ``FAMILIES``, or all


ALL = Selection()

Family = Callable[[torch.device, torch.dtype, int, int], Iterator[verify.Check]]
FAMILIES: dict[str, Family] = {
    "option_scores": verify.hard_row_checks,
    "row_stats": lambda device, dtype, columns, block: verify.row_stats_checks(
        device, dtype, columns, min(block, ROW_STATS_BLOCK)
    ),
    "cross_entropy": lambda device, dtype, columns, block: loss_checks(
        device, dtype, columns, min(block, ROW_STATS_BLOCK)
    ),
    "head": lambda device, dtype, columns, block: verify.head_checks(device, dtype, columns),
    "temperature_sweep": lambda device, dtype, columns, block: verify.sweep_checks(
        device, dtype, columns, min(block, ROW_STATS_BLOCK)
    ),
    "sample": lambda device, dtype, columns, block: verify.sample_checks(device, dtype, columns),
}


# What a bench's op stands on, where that is not what it is called.
STANDS_ON = {
    "answers": ("sample",),
    "ece": (),
    "linear_cross_entropy": ("head",),
    "linear_option_scores": ("head",),
    "linear_sample": ("head", "sample"),
    "orders": ("option_scores",),
    "scoring": ("option_scores",),
    "temperature_fit": ("temperature_sweep",),
    "training_step": ("head", "cross_entropy"),
}


def of_ops(ops: Sequence[str]) -> Selection:
    """What benches of these ops stand on; all where there are none."""
    if not ops:
        return ALL
    names = {family for op in ops for family in STANDS_ON.get(op, (op,))}
    return replace(ALL, families=tuple(name for name in FAMILIES if name in names))


def families_of(chosen: Selection) -> list[tuple[str, torch.dtype]]:
    names = FAMILIES if chosen.families is None else chosen.families
    return list(itertools.product(names, chosen.dtypes))


def of_a_family(
    device: torch.device, chosen: Selection, name: str, dtype: torch.dtype
) -> Iterator[verify.Check]:
    """At every width."""
    for columns in chosen.widths:
        yield from FAMILIES[name](device, dtype, columns, chosen.block)


def of_batches(device: torch.device, chosen: Selection) -> Iterator[verify.Check]:
    """What is checked once, of no dtype in particular."""
    columns = max(chosen.widths)
    if device.type == "cuda":
        yield from verify.graph_checks(device, columns, chosen.many)
    yield from verify.invariance_checks(device, columns, chosen.many)
    yield from verify.histogram_checks(device, chosen.histogram_sizes)


def in_turn(device: torch.device, chosen: Selection = ALL) -> Iterator[verify.Check]:
    """Every check on the Triton backend."""
    with use_backend("triton"):
        for name, dtype in families_of(chosen):
            yield from of_a_family(device, chosen, name, dtype)
        yield from of_batches(device, chosen)


def share(
    device: torch.device, chosen: Selection, family: tuple[str, torch.dtype] | None
) -> list[verify.Check]:
    """One family's checks of one dtype, or those of batches."""
    torch.set_num_threads(1)
    with use_backend("triton"):
        found = of_a_family(device, chosen, *family) if family else of_batches(device, chosen)
        return list(found)


def in_parallel(
    device: torch.device, processes: int, chosen: Selection = ALL
) -> Iterator[verify.Check]:
    """The same in as many processes: most of the time goes into compiling, and what one of them
    has compiled stands in Triton's cache for whoever comes next."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            families = [None, *families_of(chosen)]
            shares = [pool.submit(share, device, chosen, family) for family in families]
            for done in as_completed(shares):
                yield from done.result()
        finally:
            pool.shutdown(cancel_futures=True)
