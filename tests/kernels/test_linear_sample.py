"""linear_sample: draws from hidden states are those from the model's own logits, to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from calib_kernels import Sample, linear_sample, reference, sample, tiles
from torch import Tensor
from torch.nn import functional

from tests.gate.agreement import same_bits
from tests.kernels.cases import DTYPES
from tests.kernels.heads import Head, head

OP = torch.ops.calib_kernels
# Of 17 rows.
OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.3, "top_k": 7},
    {"temperature": torch.linspace(0.4, 3.0, 17), "top_p": 0.9, "min_p": 0.01},
    {"greedy": True},
    {"vocab_size": 90},
    {"uniforms": torch.rand(17, 3, 2, dtype=torch.float64)},
]
ADDRESS: dict[str, Any] = {
    "seed": 2**64 - 1,
    "item": torch.arange(17) - 3,
    "sample": torch.arange(51).view(17, 3),
    "step": torch.arange(17) + 5,
}


def logits_of(given: Head) -> Tensor:
    """As the ops have them: a float16 head is widened."""
    wide = torch.float32 if given.hidden.dtype == torch.float16 else given.hidden.dtype
    hidden, weight, bias = (field.to(wide) for field in given[:3])
    return functional.linear(hidden, weight, bias)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ", ".join(options) or "plain")
def test_draws_are_those_of_sample(
    backend: str, chunks: str, dtype: torch.dtype, options: dict[str, Any]
) -> None:
    """R20, R27, R29: rows with addresses, temperatures and uniforms of their own."""
    given = head(dtype=dtype)
    found = linear_sample(*given[:2], bias=given.bias, **ADDRESS, **options)
    same_bits(found, sample(logits_of(given), **ADDRESS, **options))


def test_one_address_serves_all_rows(backend: str, chunks: str) -> None:
    given = head()
    address: dict[str, Any] = {"seed": 3, "item": 5, "sample": torch.arange(17), "step": 0}
    found = linear_sample(*given[:2], **address)
    assert found.token.shape == (17,)
    same_bits(found, sample(functional.linear(*given[:2]), **address))


def test_against_the_definition(backend: str) -> None:
    """In float64, of exact logits."""
    given = head(200, 16, 101)
    address = {"item": torch.arange(200), "sample": torch.zeros(200, 1).long(), "step": 7}
    found = linear_sample(*given[:2], bias=given.bias, seed=1, temperature=1.3, **address)
    wide = given.to(torch.float64)
    step = torch.tensor([7])
    wanted = Sample(
        *reference.linear_sample(
            *wide[:3], address["sample"], address["item"], step, None, 1, 1.3, 0, 1.0, 0.0, False
        )
    )
    assert torch.equal(found.token, wanted.token)
    for one, other in zip(found[1:4], wanted[1:4], strict=True):
        torch.testing.assert_close(one.double(), other, rtol=4e-6, atol=4e-6)


def test_the_logits_never_exist_whole(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    multiply = tiles.multiply

    def counted(hidden: Tensor, *others: Any) -> Tensor:
        rows.append(hidden.shape[0])
        return multiply(hidden, *others)

    monkeypatch.setattr(tiles, "multiply", counted)
    budget = tiles.BUDGETS["cpu"]._replace(logits=8 * 4 * 101 * 4)
    monkeypatch.setitem(tiles.BUDGETS, "cpu", budget)
    linear_sample(*head()[:2], **ADDRESS)
    assert sum(rows) == 17 and max(rows) <= 32 and (len(rows) > 1) == (backend == "reference")


@pytest.mark.parametrize("form", ["plain", "full"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck(backend: str, form: str, dtype: torch.dtype) -> None:
    """R30."""
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")
    given, full = head(6).to(dtype), form == "full"
    real = torch.float64 if dtype == torch.float64 else torch.float32
    t = torch.full((6,), 1.3, dtype=real) if full else None
    rows = (*given[:2], given.bias if full else None, None, 0.7, t, -100, 99, 0)
    address = (torch.arange(12).view(6, 2), torch.arange(6), torch.tensor([4]))
    u = torch.rand(6, 2, 2, dtype=torch.float64) if full else None
    filters = (5, 0.9, 0.01, True) if full else (0, 1.0, 0.0, False)
    torch.library.opcheck(OP.linear_sample.default, (*rows, *address, u, -5, *filters))


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30."""

    def step(h: Tensor, w: Tensor, places: Tensor) -> Sample:
        return linear_sample(h * 2, w, temperature=1.7, seed=5, item=3, sample=places, step=1)

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    for n, columns in ((8, 150), (5, 101)):
        given = head(n, 16, columns)
        same_bits(compiled(*given[:2], torch.arange(n)), step(*given[:2], torch.arange(n)))


def test_no_rows_and_no_gradient(backend: str) -> None:
    """R32."""
    leaves = head().leaves()
    found = linear_sample(
        leaves.hidden[:0], leaves.weight, seed=0, item=0, sample=torch.arange(0), step=0
    )
    assert found.token.shape == (0,)
    assert not any(f.requires_grad for f in linear_sample(*leaves[:2], **ADDRESS))


def test_what_is_refused(backend: str) -> None:
    given = head()
    with pytest.raises(ValueError, match=r"weight must be \(V, H=16\)"):
        linear_sample(given.hidden, given.weight[:, :3], **ADDRESS)
    with pytest.raises(ValueError, match="sample must be"):
        linear_sample(*given[:2], **{**ADDRESS, "sample": torch.arange(3)})
    with pytest.raises(ValueError, match="top_p must be"):
        linear_sample(*given[:2], **ADDRESS, top_p=-0.1)
