"""The registered sample: torch.library, torch.compile, and what the public op refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from calib_kernels import Sample, sample
from torch import Tensor

from tests.gate.agreement import same_bits

X = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
FIRST = torch.arange(3)


@pytest.mark.parametrize("form", ["plain", "uniforms", "filters"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck(backend: str, form: str, dtype: torch.dtype) -> None:
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    u = torch.rand(3, 2, 2, dtype=torch.float64) if form == "uniforms" else None
    t = torch.full((3,), 1.3) if form == "filters" else None
    filters = (5, 0.9, 0.01, True) if form == "filters" else (0, 1.0, 0.0, False)
    indices, step = torch.arange(6).view(3, 2), torch.tensor([4])
    torch.library.opcheck(
        torch.ops.calib_kernels.sample.default,
        (X.to(dtype), None, 0.7, t, -100, 49, 0, indices, FIRST, step, u, -5, *filters),
    )


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30. Whole, for changing N, S and V, to the same bits."""

    def step(x: Tensor, indices: Tensor) -> Sample:
        return sample(
            x * 2, temperature=1.7, top_p=0.9, seed=2**64 - 1, item=3, sample=indices, step=1
        )

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, draws, columns in ((3, 4, 50), (2, 4, 50), (3, 5, 33)):
        rows, indices = X[:n, :columns].contiguous(), torch.arange(n * draws).view(n, draws)
        same_bits(compiled(rows, indices), step(rows, indices))


@pytest.mark.slow
def test_compiles_with_inductor(backend: str) -> None:
    def step(x: Tensor) -> Sample:
        return sample(x + 0.0, seed=1, item=FIRST, sample=FIRST, step=FIRST)

    torch._dynamo.reset()
    same_bits(torch.compile(step, fullgraph=True)(X), step(X))


def test_fake_tensors_have_the_real_shapes(backend: str) -> None:
    for indices in (FIRST, torch.arange(6).view(3, 2)):
        real = sample(X, seed=1, item=0, sample=indices, step=0)
        with torch._subclasses.FakeTensorMode() as mode:
            x, index = mode.from_tensor(X), mode.from_tensor(indices)
            fake = sample(x, seed=1, item=0, sample=index, step=0)
        for a, b in zip(real, fake, strict=True):
            assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())
            assert a.shape == indices.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": torch.zeros(5)}, r"logits must be \(N, V\), got shape \(5,\)"),
        ({"seed": -1}, r"seed must be in 0..18446744073709551615, got -1"),
        ({"seed": 2**64}, "seed must be in"),
        ({"seed": 1.0}, "seed must be an integer, got float"),
        ({"item": 2**63}, "item must be in"),
        ({"item": torch.zeros(2).long()}, r"item must be an integer or \(N=3,\), got \(2,\)"),
        ({"item": torch.zeros(3)}, "item must be integers, got torch.float32"),
        ({"step": 2**28}, r"step must be in 0..268435455, got 268435456"),
        ({"step": torch.tensor([0, 1, -1])}, r"step must be in 0..268435455, got -1"),
        ({"sample": 3}, "sample must be an integer tensor, got int"),
        ({"sample": torch.zeros(2).long()}, r"sample must be \(N=3,\) or \(N=3, S\), got \(2,\)"),
        ({"sample": torch.tensor([0, 1, 2**32])}, r"sample must be in 0..4294967295, got 42949672"),
        ({"sample": torch.tensor([0, 1, -1])}, "got -1"),
        ({"uniforms": torch.zeros(3, 2)}, "uniforms must be a float64 tensor, got torch.float32"),
        ({"uniforms": torch.zeros(3).double()}, r"uniforms must be \(3, 2\), got \(3,\)"),
        ({"top_k": 1.5}, "top_k must be an integer, got float"),
        ({"top_p": -0.1}, r"top_p must be in \[0, inf\], got -0.1"),
        ({"top_p": float("nan")}, "got nan"),
        ({"min_p": 1.1}, r"min_p must be in \[0, 1\], got 1.1"),
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
        ({"vocab_size": 51}, "vocab_size must be in 1..50"),
    ],
)
def test_refuses(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "logits": X, "seed": 0, "item": 0, "sample": FIRST, "step": 0, **change
    }  # fmt: skip
    with pytest.raises((ValueError, TypeError), match=message):
        sample(arguments.pop("logits"), **arguments)


def test_no_gradient_flows() -> None:
    x = X.clone().requires_grad_()
    assert not sample(x, seed=0, item=0, sample=FIRST, step=0).logprob.requires_grad
