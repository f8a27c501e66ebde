"""One rank of ``test_vocab_parallel``: calls on its slice of the rows; what came is saved.

vocab_parallel_worker.py RANK RANKS FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import calib_kernels
import torch
from calib_kernels import CalibrationHistogram, use_backend
from torch import Tensor, distributed


def losses(mine: slice, logits: Tensor, **options: Any) -> list[Tensor]:
    """Loss, gradients of the slice and of the temperature, histogram."""
    x = logits[:, mine].clone().requires_grad_()
    t, upstream = options.pop("temperature"), options.pop("upstream")
    t = t.clone().requires_grad_() if isinstance(t, Tensor) else t
    histogram = CalibrationHistogram(7)
    loss = calib_kernels.vocab_parallel_cross_entropy(
        x, temperature=t, first=mine.start, histogram=histogram, **options
    )
    loss.backward(upstream)
    assert x.grad is not None
    slope = t.grad if isinstance(t, Tensor) and t.grad is not None else torch.zeros(1)
    return [loss.detach(), x.grad, slope, histogram.state_dict()["sums"]]


def scores(mine: slice, logits: Tensor, **options: Any) -> list[Tensor]:
    histogram = None if options["labels"] is None else CalibrationHistogram(7)
    found = calib_kernels.vocab_parallel_option_scores(
        logits[:, mine], first=mine.start, histogram=histogram, **options
    )
    sums = [] if histogram is None else [histogram.state_dict()["sums"]]
    return [*(field for field in found if field is not None), *sums]


def refusals(logits: Tensor, rank: int, ranks: int) -> list[str]:
    """What is said of slices that are no whole, each of columns of the whole that all may have."""
    columns = logits.shape[1]
    cut = [round(columns * k / ranks) for k in range(ranks + 1)]
    mine, labels = slice(cut[rank], cut[rank + 1]), torch.zeros(len(logits), dtype=torch.int64)
    wrong: list[dict[str, Any]] = [
        {},  # equal slices, which these are not
        {"first": mine.start, "vocab_size": columns + 1},
        {"first": max(0, mine.start - 1), "vocab_size": columns},
        {"first": mine.start, "vocab_size": columns - rank},
    ]
    said = []
    for options in wrong:
        try:
            calib_kernels.vocab_parallel_cross_entropy(logits[:, mine], labels, **options)
            said.append("")
        except ValueError as error:
            said.append(str(error))
    return said


def others() -> list[str]:
    """What is said of calls that are refused for something else."""
    op = calib_kernels.vocab_parallel_cross_entropy
    x, labels = torch.randn(3, 8).requires_grad_(), torch.tensor([1, 2, 3])
    alone = distributed.new_group([0])

    def second() -> None:
        loss = op(x, labels)
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        (loss + slope.pow(2).sum()).backward()

    calls: list[Callable[[], Any]] = [
        second,
        lambda: torch.func.grad(lambda y: op(y, labels))(x),
        lambda: op(x, labels, group="all"),
        lambda: op(x, labels, group=alone),
    ]
    said = []
    for call in calls:
        try:
            call()
            said.append("")
        except (RuntimeError, TypeError, ValueError) as error:
            said.append(str(error))
    return said


def padded(rank: int, ranks: int) -> dict[str, float]:
    """The loss of 9 columns padded to 9 on each rank, beside that of the whole."""
    whole = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 8, 3, -100, 5])
    x = (whole.clone() if rank == 0 else torch.full((5, 9), torch.nan)).requires_grad_()
    loss = calib_kernels.vocab_parallel_cross_entropy(x, labels, vocab_size=9)
    loss.backward()
    assert x.grad is not None
    of_padding = 0.0 if rank == 0 else float(x.grad.abs().sum())
    plain = calib_kernels.cross_entropy(whole, labels)
    return {"padded": loss.item(), "whole": plain.item(), "of padding": of_padding}


def main(rank: int, ranks: int, folder: Path) -> None:
    distributed.init_process_group(
        "gloo", f"file://{folder / 'store'}", rank=rank, world_size=ranks
    )
    found = []
    for backend, op, bounds, arguments in torch.load(folder / "calls"):
        mine = slice(bounds[rank], bounds[rank + 1])
        with use_backend(backend):
            found.append({"losses": losses, "scores": scores}[op](mine, **arguments))
    torch.save(found, folder / f"found-{rank}")
    odd = torch.zeros(2, 16 * ranks + 1)
    said = {"pieces": refusals(odd, rank, ranks), "others": others(), **padded(rank, ranks)}
    (folder / f"refused-{rank}").write_text(json.dumps(said))
    distributed.barrier()  # ranks leave together
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
