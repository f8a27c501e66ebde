"""torch.vmap, torch.func and forward mode: which op does what, as the README's table says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    counted_cross_entropy,
    cross_entropy,
    histogram_delta,
    linear_cross_entropy,
    linear_option_scores,
    linear_sample,
    option_scores,
    row_stats,
    sample,
    temperature_sweep,
)
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional

B, N, V, H = 3, 5, 9, 4
LABELS = torch.tensor([0, -100, 8, 3, 3])
WEIGHT = torch.randn(V, H, generator=torch.Generator().manual_seed(1))


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 3


DIFFERENTIABLE: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, int]]] = {
    "cross_entropy": (lambda x: cross_entropy(x, LABELS, label_smoothing=0.1), (N, V)),
    "counted_cross_entropy": (
        lambda x: counted_cross_entropy(x, LABELS, bins=5, z_loss=1e-3).loss,
        (N, V),
    ),
    "row_stats": (lambda x: (r := row_stats(x)).entropy.sum() + r.lse.sum(), (N, V)),
    "linear_cross_entropy": (lambda x: linear_cross_entropy(x, WEIGHT, LABELS), (N, H)),
}
CONSTANT: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "option_scores": (lambda x: option_scores(x, [1, 2]).prob, (N, V)),
    "linear_option_scores": (lambda x: linear_option_scores(x, WEIGHT, [1, 2]).prob, (N, H)),
    "linear_sample": (
        lambda x: linear_sample(x, WEIGHT, seed=0, item=1, sample=torch.arange(N), step=0).logprob,
        (N, H),
    ),
    "temperature_sweep": (lambda x: temperature_sweep(x, LABELS, [1.0, 2.0]).nll, (N, V)),
    "sample": (
        lambda x: sample(x, seed=0, item=1, sample=torch.arange(N), step=0).logprob,
        (N, V),
    ),
    "histogram_delta": (
        lambda x: histogram_delta(x.sigmoid()[:, 0], LABELS > 1, bins=3).double(),
        (N, V),
    ),
}


@pytest.mark.parametrize("name", [*DIFFERENTIABLE, *CONSTANT])
@pytest.mark.parametrize("dim", [0, 1])
def test_vmap_is_a_loop(backend: str, name: str, dim: int) -> None:
    run, shape = {**DIFFERENTIABLE, **CONSTANT}[name]
    x = drawn(B, *shape)
    together = torch.vmap(run, in_dims=dim)(x.movedim(0, dim))
    assert torch.equal(together, torch.stack([run(element) for element in x]))


def test_vmap_nests_and_says_what_it_cannot_do(backend: str) -> None:
    def run(x: Tensor) -> Tensor:
        return cross_entropy(x, LABELS)

    x = drawn(2, B, N, V)
    alone = torch.stack([torch.stack([run(e) for e in some]) for some in x])
    assert torch.equal(torch.vmap(torch.vmap(run))(x), alone)
    with pytest.raises(ValueError, match="nothing to call cross_entropy for"):
        torch.vmap(run)(x[0, :0])


def test_vmap_over_labels_and_temperatures(backend: str) -> None:
    x, labels, t = drawn(N, V), torch.stack([LABELS, LABELS.flip(0)]), torch.tensor([0.5, 2.0])

    def run(labels: Tensor, t: Tensor) -> Tensor:
        return cross_entropy(x, labels, temperature=t, reduction="none")

    alone = [run(labels[i], t[i]) for i in range(2)]
    assert torch.equal(torch.vmap(run)(labels, t), torch.stack(alone))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_reverse_mode_is_backward(backend: str, name: str) -> None:
    run, shape = DIFFERENTIABLE[name]
    x = drawn(B, *shape)

    def slope(element: Tensor) -> Tensor:
        leaf = element.clone().requires_grad_()
        return torch.autograd.grad(run(leaf), leaf)[0]

    slopes = torch.stack([slope(element) for element in x])
    assert slopes.any()
    assert torch.equal(torch.func.grad(run)(x[0]), slopes[0])
    assert torch.equal(torch.func.vjp(run, x[0])[1](torch.tensor(1.0))[0], slopes[0])
    assert torch.equal(torch.func.jacrev(run)(x[0]), slopes[0])
    # Of each element by itself, in either order, and of all through plain autograd.
    assert torch.equal(torch.vmap(torch.func.grad(run))(x), slopes)
    assert torch.equal(torch.func.grad(lambda x: torch.vmap(run)(x).sum())(x), slopes)
    leaf = x.clone().requires_grad_()
    torch.vmap(run)(leaf).sum().backward()
    assert leaf.grad is not None and torch.equal(leaf.grad, slopes)


def test_reverse_mode_in_the_temperature(backend: str) -> None:
    x, t = drawn(N, V), torch.tensor(1.3)
    found = torch.func.grad(lambda t: cross_entropy(x, LABELS, temperature=t))(t)
    plain = torch.func.grad(lambda t: functional.cross_entropy(x / t, LABELS))(t)
    torch.testing.assert_close(found, plain)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_no_forward_mode_and_no_second_derivative(backend: str, name: str) -> None:
    run, shape = DIFFERENTIABLE[name]
    x, op = drawn(*shape), name.removeprefix("counted_")
    with pytest.raises(RuntimeError, match=f"^{op} has no forward-mode derivative"):
        torch.func.jvp(run, (x,), (x,))
    with pytest.raises(RuntimeError, match=f"^{op} has no forward-mode derivative"):
        torch.func.jacfwd(run)(x)
    with pytest.raises(RuntimeError, match=f"^{op} has no forward-mode derivative"):
        torch.func.hessian(run)(x)
    with (
        forward_ad.dual_level(),
        pytest.raises(RuntimeError, match=f"^{op} has no forward-mode derivative"),
    ):
        run(forward_ad.make_dual(x, x))
    with pytest.raises(RuntimeError, match=f"^{op} has a first derivative and no second"):
        torch.func.grad(lambda x: torch.func.grad(run)(x).square().sum())(x)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(run(leaf), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match=f"^{op} has a first derivative and no second"):
        slope.square().sum().backward()


@pytest.mark.parametrize("name", CONSTANT)
def test_the_others_are_constants(backend: str, name: str) -> None:
    run, shape = CONSTANT[name]
    x = drawn(*shape)

    def with_a_slope(x: Tensor) -> Tensor:
        return run(x).nansum() + x.sum()

    assert torch.equal(torch.func.grad(with_a_slope)(x), torch.ones_like(x))
    _, tangent = torch.func.jvp(with_a_slope, (x,), (torch.ones_like(x),))
    assert float(tangent) == x.numel()


@pytest.mark.parametrize("transform", [torch.vmap, torch.func.grad], ids=["vmap", "grad"])
def test_no_histogram_is_filled_inside(transform: Callable[..., Any]) -> None:
    histogram = CalibrationHistogram(5)
    run = transform(lambda x: cross_entropy(x, LABELS, histogram=histogram))
    with pytest.raises(RuntimeError, match=r"cannot be filled inside torch\.vmap or torch\.func"):
        run(drawn(B, N, V) if transform is torch.vmap else drawn(N, V))
    assert int(histogram.count.sum()) == 0
