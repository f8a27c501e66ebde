"""The registered cross_entropy: torch.library, torch.compile, gradients, what training wraps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, cross_entropy, use_backend
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from tests.kernels.cases import example

SHAPE = (30.0, 0.1, 1e-3)  # softcap, smoothing, z_loss


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck(backend: str, reduction: str, dtype: torch.dtype) -> None:
    """R30."""
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    x, labels = example()
    real = torch.float64 if dtype == torch.float64 else torch.float32
    t = torch.full((6,), 1.3, dtype=real) if reduction == "none" else None
    arguments = (x.to(dtype), labels, 0.7, t, -100, 99)
    op, backward = (
        torch.ops.calib_kernels.cross_entropy.default,
        torch.ops.calib_kernels.cross_entropy_backward.default,
    )
    torch.library.opcheck(op, (*arguments, 10, *SHAPE, reduction, False))
    _loss, _kept, top, log2_d, _slope, _seen = op(*arguments, 0, *SHAPE, reduction, False)
    torch.library.opcheck(backward, (*arguments, 0, *SHAPE, top, log2_d, torch.rand(6, dtype=real)))


def test_opcheck_with_gradients(backend: str) -> None:
    """R30."""
    x, labels = example()
    t = torch.full((6,), 1.3, requires_grad=True)
    arguments = (x.requires_grad_(), labels, 1.0, t, -100, 99, 0, *SHAPE, "mean", False)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(
        torch.ops.calib_kernels.cross_entropy.default, arguments, test_utils=tests
    )


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30: whole, with histogram, gradients and host floats, for changing N, V and floats."""

    def step(x: Tensor, labels: Tensor, t: Tensor, s: float, h: CalibrationHistogram) -> Tensor:
        hot = cross_entropy(x, labels, temperature=1.0 + s)
        return hot + cross_entropy(x, labels, temperature=t, label_smoothing=s, histogram=h)

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, columns, s in ((8, 150, 0.1), (5, 150, 0.2), (7, 83, 0.3)):
        results = []
        for run in (step, compiled):
            x, labels = example(n, columns)
            t, h = torch.tensor(1.3, requires_grad=True), CalibrationHistogram(10)
            loss = run(x.requires_grad_(), labels, t, s, h)
            loss.backward()
            results.append((loss.detach(), x.grad, t.grad, h.state_dict()["sums"]))
        for eager, found in zip(*results, strict=True):
            assert eager is not None and found is not None and torch.equal(eager, found)


@pytest.mark.slow
def test_compiles_with_inductor(backend: str) -> None:
    x, labels = example()
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: cross_entropy(x + 0.0, labels), fullgraph=True)
    assert torch.equal(compiled(x), cross_entropy(x, labels))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(), (1,), (5,)], ids=str)
def test_gradcheck(reduction: str, shape: tuple[int, ...]) -> None:
    """R16: in logits and temperature at once, with everything on."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 9, dtype=torch.float64, generator=generator) * 3
    t = torch.rand(shape, dtype=torch.float64, generator=generator) + 0.5
    labels = torch.tensor([0, -100, 8, 3, 3])

    def run(x: Tensor, t: Tensor, **options: Any) -> Tensor:
        return cross_entropy(x, labels, temperature=t, reduction=reduction, **options)

    def everything(x: Tensor, t: Tensor) -> Tensor:
        return run(x, t, softcap=5.0, label_smoothing=0.1, z_loss=0.01)

    assert torch.autograd.gradcheck(run, (x.requires_grad_(), t.requires_grad_()))
    assert torch.autograd.gradcheck(everything, (x, t))


def test_backward_twice_and_expanded_upstream(backend: str) -> None:
    """R14, R15, R31: nothing is overwritten; a scalar's gradient, expanded, is that of each row."""
    x, labels = example()
    kept = x.clone()
    x.requires_grad_()
    rows = cross_entropy(x, labels, reduction="none")
    (first,) = torch.autograd.grad(rows.sum(), x, retain_graph=True)
    (again,) = torch.autograd.grad(rows.sum(), x, retain_graph=True)
    (ones,) = torch.autograd.grad(rows, x, torch.ones(6), retain_graph=True)
    (spread,) = torch.autograd.grad(rows, x, torch.ones(12)[::2])
    assert torch.equal(first, again) and torch.equal(first, ones) and torch.equal(first, spread)
    assert torch.equal(x.detach(), kept)
    total = cross_entropy(x, labels, reduction="sum")
    assert torch.equal(torch.autograd.grad(total, x)[0], first)


def test_only_the_temperature_wants_a_gradient(backend: str) -> None:
    x, labels = example()
    t = torch.tensor(1.5, requires_grad=True)
    cross_entropy(x, labels, temperature=t).backward()
    u = torch.tensor(1.5, requires_grad=True)
    functional.cross_entropy(x / u, labels).backward()
    assert t.grad is not None and u.grad is not None
    torch.testing.assert_close(t.grad, u.grad, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert not cross_entropy(x, labels, temperature=t).requires_grad


def test_under_autocast(backend: str) -> None:
    """Logits of a matrix product in bfloat16, the loss in float32, gradients where they belong."""
    torch.manual_seed(0)
    head, h = nn.Linear(16, 101), torch.randn(6, 16)
    labels = torch.arange(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(h)
        loss = cross_entropy(logits, labels)
    assert logits.dtype == torch.bfloat16 and loss.dtype == torch.float32
    loss.backward()
    found = head.weight.grad
    head.zero_grad()
    functional.cross_entropy(head(h), labels).backward()
    assert found is not None and head.weight.grad is not None
    torch.testing.assert_close(found, head.weight.grad, rtol=0.05, atol=5e-3)


def test_under_gradient_checkpointing(backend: str) -> None:
    torch.manual_seed(0)
    head, h = nn.Linear(16, 101), torch.randn(6, 16)
    labels = torch.arange(6)

    def run(h: Tensor) -> Tensor:
        return cross_entropy(head(h), labels, label_smoothing=0.1)

    run(h).backward()
    plain = head.weight.grad
    head.zero_grad()
    loss: Any = checkpoint(run, h, use_reentrant=False)
    loss.backward()
    assert plain is not None and head.weight.grad is not None
    assert torch.equal(plain, head.weight.grad)


def _train(rank: int, store: str, results: str) -> None:
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(16, 50))
    h, labels = torch.randn(8, 16), torch.arange(8) * 6
    mine = slice(4 * rank, 4 * rank + 4)
    histogram = CalibrationHistogram(5)
    with use_backend("native"):
        cross_entropy(model(h[mine]), labels[mine], histogram=histogram).backward()
    histogram.all_reduce()
    if rank == 0:
        gradient = model.module.weight.grad
        torch.save((gradient, histogram.state_dict()["sums"]), results)
    torch.distributed.barrier()  # ranks leave together
    torch.distributed.destroy_process_group()


def test_under_distributed_data_parallel(tmp_path: Path) -> None:
    """Two processes: the gradient of the whole batch, and its histogram."""
    results = str(tmp_path / "results")
    torch.multiprocessing.spawn(_train, (str(tmp_path / "store"), results), nprocs=2)
    gradient, sums = torch.load(results)
    torch.manual_seed(0)
    model = nn.Linear(16, 50)
    h, labels = torch.randn(8, 16), torch.arange(8) * 6
    histogram = CalibrationHistogram(5)
    with use_backend("native"):
        cross_entropy(model(h), labels, histogram=histogram).backward()
    assert model.weight.grad is not None
    torch.testing.assert_close(gradient, model.weight.grad)
    assert torch.equal(sums[:10], histogram.state_dict()["sums"][:10])
