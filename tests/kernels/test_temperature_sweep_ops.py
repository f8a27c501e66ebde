"""The registered temperature_sweep: torch.library and torch.compile."""

from __future__ import annotations

import pytest
import torch
from calib_kernels import grid, temperature_sweep
from torch import Tensor

from tests.kernels.cases import example


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize("order", [0, 2])
def test_opcheck(backend: str, options: bool, order: int) -> None:
    x, labels = example()
    ids = torch.tensor([[[0], [3], [5]]]) if options else None
    t = torch.tensor([1.0, 2.0]) if options else None
    numbers = [] if options else [1.0, 0.5, 3.0]
    rows = (x, labels, 1.0, None, -100, 99, 10 if options else 0)
    arguments = (*rows, ids, numbers, t, order)
    torch.library.opcheck(torch.ops.calib_kernels.temperature_sweep.default, arguments)


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30."""
    x, labels = example(8, 150)

    def step(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        found = temperature_sweep(x * 2, labels, [1.0, 0.5, 0.25], derivatives=1)
        return found.nll, found.grad, found.count

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, columns in ((8, 150), (5, 150), (7, 83)):
        rows, wanted = x[:n, :columns].contiguous(), labels[:n]
        for a, b in zip(compiled(rows, wanted), step(rows, wanted), strict=True):
            assert a is not None and b is not None and torch.equal(a, b)


def test_grids_are_found() -> None:
    spans = (range(1, 9),)
    scales = grid.scales([1 / (0.3 * k) for k in (1, 2, 5, 8)])
    (group,) = grid.groups(scales, spans)
    assert sorted(group.multiples) == [1, 2, 5, 8] and len(group.places) == 4
    rounded = torch.tensor([1 / (0.3 * k) for k in range(1, 9)]).tolist()
    assert len(grid.groups(grid.scales(rounded), spans)) == 1
    apart = grid.scales([0.4, 0.55, 0.7, 0.93])
    assert grid.groups(apart, spans) == (grid.Group(0.0, (), (0, 1, 2, 3)),)
    assert grid.groups(grid.scales([0.0, float("nan")]), spans) == ()
