"""linear_cross_entropy: values and gradients on every backend, against the float64 reference."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    linear_cross_entropy,
    reference,
    row_stats,
    tiles,
    use_backend,
)
from torch import Tensor

from tests.kernels.cases import DTYPES
from tests.kernels.heads import (
    SIZES,
    Head,
    few_at_once,
    gradients_near,
    head,
    near,
    true_gradients,
    truth,
)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("n", "hidden", "columns"), SIZES, ids=str)
def test_sizes(
    backend: str, chunks: str, dtype: torch.dtype, n: int, hidden: int, columns: int
) -> None:
    given = head(n, hidden, columns, dtype)
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    near(loss.detach(), truth(given))
    sent = torch.linspace(-1.0, 2.0, n)
    (loss * sent).sum().backward()
    gradients_near(leaves, given, sent)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (17,)], ids=str)
def test_temperature(backend: str, chunks: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """R17."""
    given = head(dtype=dtype)
    leaves = given.leaves()
    t = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 3 + 0.2
    t.requires_grad_()
    loss = linear_cross_entropy(
        *leaves[:2], given.labels, bias=leaves.bias, temperature=t, reduction="none"
    )
    own = t.detach().expand(17)
    near(loss.detach(), truth(given, own))
    sent = torch.linspace(-1.0, 2.0, 17)
    (loss * sent).sum().backward()
    gradients_near(leaves, given, sent, own)
    wanted = true_gradients(given, sent, own)[3]
    assert t.grad is not None and t.grad.shape == shape
    wanted = wanted if shape == (17,) else wanted.sum().expand(shape)
    torch.testing.assert_close(t.grad.double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1e3])
def test_a_number_as_temperature(backend: str, temperature: float) -> None:
    given = head()
    leaves = given.leaves()
    loss = linear_cross_entropy(
        *leaves[:2], given.labels, bias=leaves.bias, temperature=temperature, reduction="none"
    )
    near(loss.detach(), truth(given, temperature))
    loss.sum().backward()
    gradients_near(leaves, given, torch.ones(17), temperature)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_products_that_round(backend: str, dtype: torch.dtype) -> None:
    """Ordinary numbers. bfloat16 logits are rounded as the model's own are, by half a unit."""
    g = torch.Generator().manual_seed(2)
    h, w = (torch.randn(s, generator=g).to(dtype) for s in ((40, 96), (500, 96)))
    b = torch.randn(500, generator=g).to(dtype)
    given = Head(h, w / 4, b, torch.randint(0, 500, (40,), generator=g))
    found = linear_cross_entropy(*given[:2], given.labels, bias=given.bias, reduction="none")
    logits = reference.head_logits(*(f.double() for f in given[:3]))
    half = torch.finfo(torch.bfloat16).eps / 2 if dtype == torch.bfloat16 else 2.0**-22
    bound = 2 * half * logits.abs().amax(1) + 4e-6
    assert ((found.double() - truth(given)).abs() <= bound).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_logits_are_those_of_the_model(backend: str, dtype: torch.dtype) -> None:
    """To the bit: what row_stats says of F.linear's logits."""
    g = torch.Generator().manual_seed(3)
    h, w = (torch.randn(s, generator=g).to(dtype) for s in ((9, 64), (333, 64)))
    labels = torch.arange(9) * 30
    stats = row_stats(torch.nn.functional.linear(h, w), labels)
    assert stats.label_logprob is not None
    found = linear_cross_entropy(h, w, labels, reduction="none")
    assert torch.equal(found, -stats.label_logprob)


def test_float16_logits_beyond_its_range(backend: str) -> None:
    h = torch.full((2, 8), 200.0, dtype=torch.float16)
    w = torch.full((3, 8), 100.0, dtype=torch.float16)
    w[1, 0] = 99.5
    loss = linear_cross_entropy(h, w, torch.tensor([0, 1]), reduction="none")
    near(loss, torch.tensor([math.log(2), 100.0 + math.log(2)], dtype=torch.float64))


def test_layouts(backend: str, chunks: str) -> None:
    """Rows of stride 0, columns that are not adjacent, a weight stored transposed: same numbers."""
    given = head()
    wanted = linear_cross_entropy(*given[:2], given.labels, reduction="none")
    sparse = torch.zeros(17, 32)[:, ::2].copy_(given.hidden)
    turned = given.weight.T.contiguous().T
    assert torch.equal(linear_cross_entropy(sparse, turned, given.labels, reduction="none"), wanted)
    one = given.hidden[:1].expand(17, -1)
    leaf = given.weight.clone().requires_grad_()
    found = linear_cross_entropy(one, leaf, given.labels[:1].expand(17), reduction="none")
    torch.testing.assert_close(found.detach(), found[0].detach().expand(17))
    found.sum().backward()
    again = given.weight.clone().requires_grad_()
    linear_cross_entropy(given.hidden[:1], again, given.labels[:1]).backward()
    assert leaf.grad is not None and again.grad is not None
    torch.testing.assert_close(leaf.grad, 17 * again.grad, rtol=1e-5, atol=1e-6)


def test_padding_columns(backend: str, chunks: str) -> None:
    """R29."""
    given = head()
    leaves = given.leaves()
    with torch.no_grad():
        leaves.weight[90:] = math.nan
    labels = given.labels.clamp(max=89)
    loss = linear_cross_entropy(*leaves[:2], labels, bias=leaves.bias, vocab_size=90)
    loss.backward()
    cut = Head(given.hidden, given.weight[:90], given.bias[:90], labels)
    near(loss.detach(), truth(cut).mean())
    wanted = true_gradients(cut, torch.full((17,), 1 / 17))
    for leaf, gradient in zip(leaves[:3], wanted, strict=False):
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad.double()[:90], gradient, rtol=1e-5, atol=1e-6)
    assert leaves.weight.grad is not None and (leaves.weight.grad[90:] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_histogram(backend: str, chunks: str, dtype: torch.dtype) -> None:
    """The integers that row_stats fills in for the logits."""
    given = head(200, dtype=dtype)
    labels = given.labels.clone()
    labels[::9], labels[4] = -100, 101
    fused, apart = CalibrationHistogram(15), CalibrationHistogram(15)
    linear_cross_entropy(*given[:2], labels, bias=given.bias, histogram=fused)
    row_stats((given.hidden.float() @ given.weight.float().T + given.bias).to(dtype), labels,
              histogram=apart)  # fmt: skip
    assert torch.equal(fused.state_dict()["sums"], apart.state_dict()["sums"])
    assert fused.count.sum() == 200 - 23 - 1 and fused.invalid == 1 and fused.correct.sum() > 50


def test_how_many_rows_at_once_changes_no_bit(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where products are exact, so that the GEMM's own order of summation cannot show."""
    given = head(50)
    whole = linear_cross_entropy(*given[:2], given.labels, bias=given.bias, reduction="none")
    few_at_once(monkeypatch)
    few = linear_cross_entropy(*given[:2], given.labels, bias=given.bias, reduction="none")
    alone = linear_cross_entropy(
        given.hidden[7:8], given.weight, given.labels[7:8], bias=given.bias, reduction="none"
    )
    assert torch.equal(whole, few) and torch.equal(alone, whole[7:8])


def test_two_runs_give_equal_bits(backend: str) -> None:
    results = []
    for _ in range(2):
        leaves = head(40, 24, 301).leaves()
        loss = linear_cross_entropy(*leaves[:2], leaves.labels, bias=leaves.bias)
        loss.backward()
        results.append((loss.detach(), *(leaf.grad for leaf in leaves[:3])))
    for a, b in zip(*results, strict=True):
        assert a is not None and b is not None and torch.equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sums_over_many_parts(
    backend: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R19: a thousand parts whose sums would stall in sixteen bits (256 + 1 is 256 in bfloat16)."""
    if backend == "triton":
        pytest.skip("the sums are not the backend's, and a thousand launches take long")
    budget = tiles.BUDGETS["cpu"]._replace(hidden=2 * 4)  # a row at a time
    monkeypatch.setitem(tiles.BUDGETS, "cpu", budget)
    n = 1000
    h = torch.ones(n, 1, dtype=dtype, requires_grad=True)
    w = torch.zeros(2, 1, dtype=dtype, requires_grad=True)
    b = torch.zeros(2, dtype=dtype, requires_grad=True)
    labels = torch.zeros(n, dtype=torch.int64)
    linear_cross_entropy(h, w, labels, bias=b, reduction="sum").backward()
    assert w.grad is not None and b.grad is not None
    assert w.grad.tolist() == [[-500.0], [500.0]] and b.grad.tolist() == [-500.0, 500.0]
    # And a thousand tiles for the hidden states, each of which adds 2^-10.
    budget = budget._replace(logits=4, tile=4, weight=4)
    monkeypatch.setitem(tiles.BUDGETS, "cpu", budget)
    w = torch.ones(1024, 1, dtype=dtype)
    w[0] = 0.0
    h = torch.zeros(1, 1, dtype=dtype, requires_grad=True)
    linear_cross_entropy(h, w, torch.tensor([0])).backward()
    assert h.grad is not None
    # Itself less than one by a thousandth, which bfloat16 rounds to one.
    torch.testing.assert_close(h.grad.item(), 1023 / 1024, rtol=1e-3, atol=0)


def test_tied_weights_and_several_calls(backend: str) -> None:
    """A weight that is also the embedding, used by two losses: its gradients add up."""
    given = head()
    tokens = torch.arange(17) % 101

    def loss(weight: Tensor, each: Any) -> Tensor:
        hidden = torch.nn.functional.embedding(tokens, weight)
        return each(hidden, weight, given.labels) + each(given.hidden, weight, given.labels)

    def plain(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(hidden @ weight.T, labels)

    found, wanted = (given.weight.clone().requires_grad_() for _ in range(2))
    loss(found, linear_cross_entropy).backward()
    loss(wanted, plain).backward()
    assert found.grad is not None and wanted.grad is not None
    torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-5, atol=1e-6)


def test_no_worse_than_pytorch_in_bfloat16(backend: str) -> None:
    """R7, R37: confident rows included; both errors against float64."""
    g = torch.Generator().manual_seed(4)
    w = torch.randn(800, 64, generator=g) / 2
    labels = torch.randint(0, 800, (120,), generator=g)
    h = torch.randn(120, 64, generator=g)
    h[::2] += w[labels[::2]]
    given = Head(h, w, torch.zeros(800), labels).to(torch.bfloat16)
    ours, plain = given.leaves(), given.leaves()
    linear_cross_entropy(*ours[:2], labels).backward()
    logits = torch.nn.functional.linear(*plain[:2]).float()
    torch.nn.functional.cross_entropy(logits, labels).backward()
    for a, b, wanted in zip(
        ours[:2], plain[:2], true_gradients(given, torch.full((120,), 1 / 120)), strict=False
    ):
        assert a.grad is not None and b.grad is not None
        own, other = ((x.double() - wanted).norm() for x in (a.grad, b.grad))
        assert own <= 1.05 * other, (own, other)


@pytest.mark.parametrize("wanted", ["hidden", "weight", "bias", "temperature"])
def test_one_gradient_alone(backend: str, chunks: str, wanted: str) -> None:
    given = head(dtype=torch.bfloat16)
    everything, one = given.leaves(), given.leaves()
    t = [torch.tensor(1.3, requires_grad=True) for _ in range(2)]
    linear_cross_entropy(
        *everything[:2], given.labels, bias=everything.bias, temperature=t[0]
    ).backward()
    for name, leaf in zip(("hidden", "weight", "bias"), one[:3], strict=True):
        leaf.requires_grad_(name == wanted)
    t[1].requires_grad_(wanted == "temperature")
    linear_cross_entropy(*one[:2], given.labels, bias=one.bias, temperature=t[1]).backward()
    a, b = (t[i] if wanted == "temperature" else getattr((everything, one)[i], wanted)
            for i in range(2))  # fmt: skip
    assert a.grad is not None and torch.equal(a.grad, b.grad)
    others = [leaf for leaf in (*one[:3], t[1]) if leaf is not b]
    assert all(leaf.grad is None for leaf in others)


def test_gradcheck(monkeypatch: pytest.MonkeyPatch) -> None:
    """R16. In float64, over tiles and chunks, for hidden, weight, bias and temperature."""
    few_at_once(monkeypatch)
    g = torch.Generator().manual_seed(0)
    h, w = (torch.randn(s, dtype=torch.float64, generator=g) for s in ((7, 5), (11, 5)))
    b = torch.randn(11, dtype=torch.float64, generator=g)
    labels = torch.tensor([0, 10, 3, -100, 5, 11, 6])

    for shape in ((), (7,)):
        t = torch.rand(shape, dtype=torch.float64, generator=g) + 0.5
        leaves = tuple(x.clone().requires_grad_() for x in (h, w, b, t))
        for reduction in ("mean", "none"):

            def run(h: Tensor, w: Tensor, b: Tensor, t: Tensor, r: str = reduction) -> Tensor:
                found = linear_cross_entropy(h, w, labels, bias=b, temperature=t, reduction=r)
                return found[labels < 11] if r == "none" else found

            with use_backend("reference"):
                assert torch.autograd.gradcheck(run, leaves)
