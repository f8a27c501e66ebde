"""The registered row_stats: torch.library, torch.compile, and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from calib_kernels import CalibrationHistogram, RowStats, row_stats, use_backend
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.kernels.cases import example

DIFFERENTIABLE = ("lse", "entropy", "label_logprob")


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck(backend: str, labelled: bool, dtype: torch.dtype) -> None:
    """R30."""
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    x, labels = example()
    real = torch.float64 if dtype == torch.float64 else torch.float32
    t = torch.full((6,), 1.3, dtype=real) if labelled else None
    arguments = (x.to(dtype), labels if labelled else None, 0.7, t, -100, 99)
    torch.library.opcheck(
        torch.ops.calib_kernels.row_stats.default, (*arguments, 10 if labelled else 0)
    )
    with use_backend("reference"):
        found = torch.ops.calib_kernels.row_stats(*arguments, 0)
    saved = found[0], found[2], found[3], found[5], found[9]
    gradients = torch.rand(6, dtype=real), torch.rand(6, dtype=real)
    last = torch.rand(6, dtype=real) if labelled else None
    torch.library.opcheck(
        torch.ops.calib_kernels.row_stats_backward.default,
        (*arguments, 0, *saved, *gradients, last, labelled),
    )


def test_opcheck_with_gradients(backend: str) -> None:
    """R30."""
    x, labels = example()
    t = torch.full((6,), 1.3, requires_grad=True)
    arguments = (x.requires_grad_(), labels, 1.0, t, -100, 99, 0)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.calib_kernels.row_stats.default, arguments, test_utils=tests)


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30. Whole, with the histogram, for changing N and V, to the same bits."""
    x, labels = example(8, 150)
    seen, eager = CalibrationHistogram(10), CalibrationHistogram(10)

    def step(x: Tensor, labels: Tensor, h: CalibrationHistogram) -> RowStats:
        return row_stats(x * 2, labels, temperature=1.7, histogram=h)

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, columns in ((8, 150), (5, 150), (7, 83)):
        rows, wanted = x[:n, :columns].contiguous(), labels[:n]
        same_bits(compiled(rows, wanted, seen), step(rows, wanted, eager))
    assert torch.equal(seen.state_dict()["sums"], eager.state_dict()["sums"])


def loss(x: Tensor, labels: Tensor, t: Tensor) -> Tensor:
    stats = row_stats(x, labels, temperature=t)
    assert stats.label_logprob is not None
    return (stats.lse - 0.3 * stats.entropy).sum() - stats.label_logprob.nan_to_num(0.0).sum()


def test_gradients_under_compile(backend: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    results = []
    for run in (loss, compiled):
        x, labels = example()
        t = torch.full((6,), 1.3, requires_grad=True)
        run(x.requires_grad_(), labels, t).backward()
        results.append((x.grad, t.grad))
    for eager, found in zip(*results, strict=True):
        assert eager is not None and torch.equal(eager, found)


@pytest.mark.slow
def test_compiles_with_inductor(backend: str) -> None:
    """R18, R30. Temperatures of the host reach the op as they are, whatever the compiler holds."""
    x, labels = example()
    torch._dynamo.reset()

    def run(x: Tensor, t: float) -> RowStats:
        return row_stats(x + 0.0, labels, temperature=t)

    compiled = torch.compile(run, fullgraph=True)
    for t in (1.0, 0.7, 1.3):
        same_bits(compiled(x, t), run(x, t))


def test_fake_tensors_have_the_real_shapes(backend: str) -> None:
    x, labels = example()
    real = row_stats(x, labels)
    with torch._subclasses.FakeTensorMode() as mode:
        fake = row_stats(mode.from_tensor(x), mode.from_tensor(labels))
    for a, b in zip(real, fake, strict=True):
        assert a is not None and b is not None
        assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())


# Gradients: R16 for the definition, and every backend against it.


@pytest.mark.parametrize("field", DIFFERENTIABLE)
@pytest.mark.parametrize("shape", [(), (1,), (5,)], ids=str)
def test_gradcheck(field: str, shape: tuple[int, ...]) -> None:
    """R16."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 9, dtype=torch.float64, generator=generator) * 3
    x[1, 2:4] = -30.0
    t = torch.rand(shape, dtype=torch.float64, generator=generator) + 0.5
    labels = torch.tensor([0, 2, 8, 3, 3])

    def run(x: Tensor, t: Tensor) -> Tensor:
        found: Tensor = getattr(row_stats(x, labels, temperature=t, vocab_size=9), field)
        return found

    assert torch.autograd.gradcheck(run, (x.requires_grad_(), t.requires_grad_()))


def gradients(x: Tensor, labels: Tensor, t: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    x, t = x.detach().clone().requires_grad_(), t.detach().clone().requires_grad_()
    stats = row_stats(x, labels, temperature=t)
    assert stats.label_logprob is not None
    parts = torch.stack((stats.lse, stats.entropy, stats.label_logprob))
    (parts.where(parts.isfinite(), 0.0) * weights.to(parts.dtype)).sum().backward()
    assert x.grad is not None and t.grad is not None
    return x.grad, t.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_gradients_against_float64(backend: str, dtype: torch.dtype) -> None:
    x, labels = example(12, 301)
    x[2, 4] = 25.0  # confident, and right
    labels[2] = 4
    x[3, 5:200] = -math.inf
    x[4] += 100.0
    labels[5], labels[6] = -100, 301
    x = x.to(dtype)
    t = torch.linspace(0.5, 2.0, 12)
    weights = torch.randn(3, 12, generator=torch.Generator().manual_seed(1))
    found = gradients(x, labels, t, weights)
    assert found[0].dtype == dtype and found[1].dtype == torch.float32
    with use_backend("reference"):
        wanted = gradients(x.double(), labels, t.double(), weights)
    # The gradient of the logits leaves in their dtype: one rounding.
    half_ulp = torch.finfo(dtype).eps / 2
    least = 2.0**-24 if dtype == torch.float16 else 0.0  # float16's smallest number
    error = (found[0].double() - wanted[0]).abs()
    assert (error <= 1e-5 + least + half_ulp * wanted[0].abs()).all()
    torch.testing.assert_close(found[1].double(), wanted[1], rtol=2e-5, atol=2e-5)


def test_rows_that_say_nothing_send_nothing_back(backend: str) -> None:
    """A result that is NaN has no gradient, so a loss over the valid rows is not poisoned."""
    x, _ = example(6, 20)
    x[0, 3] = math.nan
    x[1] = -math.inf
    x[2, [4, 5]] = math.inf
    labels = torch.tensor([1, 1, 1, -100, 20, 7])
    t = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
    x, t = x.requires_grad_(), t.requires_grad_()
    stats = row_stats(x, labels, temperature=t)
    assert stats.label_logprob is not None
    (stats.lse + stats.entropy + stats.label_logprob).sum().backward()
    assert x.grad is not None and t.grad is not None
    assert (x.grad[[0, 1, 2, 5]] == 0).all() and (t.grad[[0, 1, 2, 5]] == 0).all()
    assert x.grad[[3, 4]].abs().sum() > 0


def test_padding_columns_get_no_gradient(backend: str) -> None:
    x, labels = example(6, 30)
    x[:, 20:] = math.nan
    x.requires_grad_()
    row_stats(x, labels, vocab_size=20).lse.sum().backward()
    assert x.grad is not None
    assert (x.grad[:, 20:] == 0).all()
    torch.testing.assert_close(x.grad.sum(1), torch.ones(6))


def test_expanded_and_repeated_upstream_gradients(backend: str) -> None:
    """R14, R15, R31."""
    x, labels = example()
    x.requires_grad_()
    stats = row_stats(x, labels)
    assert stats.label_logprob is not None
    total = stats.label_logprob.sum()  # its gradient is one number, expanded
    (first,) = torch.autograd.grad(total, x, retain_graph=True)
    (again,) = torch.autograd.grad(total, x)
    assert torch.equal(first, again)
    by_hand = torch.nn.functional.one_hot(labels, x.shape[1]) - x.detach().softmax(1)
    torch.testing.assert_close(first, by_hand)


def test_only_three_results_have_gradients(backend: str) -> None:
    x, labels = example()
    found = row_stats(x.requires_grad_(), labels)
    flags = {name: f.requires_grad for name, f in found._asdict().items()}
    assert {name for name, flag in flags.items() if flag} == set(DIFFERENTIABLE)
    with torch.no_grad():
        assert not any(f.requires_grad for f in row_stats(x, labels) if f is not None)


def test_only_the_temperature_wants_a_gradient(backend: str) -> None:
    x, labels = example()
    t = torch.tensor(1.5, requires_grad=True)
    stats = row_stats(x, labels, temperature=t)
    assert stats.label_logprob is not None
    stats.label_logprob.sum().backward()
    p = (x / 1.5).softmax(1)
    picked = x.gather(1, labels[:, None])[:, 0]
    wanted = (((p * x).sum(1) - picked) / 1.5**2).sum()
    assert t.grad is not None
    torch.testing.assert_close(t.grad, wanted, rtol=1e-4, atol=1e-5)


def test_no_rows_have_no_gradient(backend: str) -> None:
    x = torch.empty(0, 7, requires_grad=True)
    row_stats(x, torch.empty(0, dtype=torch.int64)).lse.sum().backward()
    assert x.grad is not None and x.grad.shape == (0, 7)
