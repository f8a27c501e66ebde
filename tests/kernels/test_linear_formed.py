"""linear_cross_entropy of one number: gradients that are formed in the forward pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from calib_kernels import linear_cross_entropy, tiles
from torch import Tensor

from tests.kernels.heads import Head, gradients_near, head, near, true_gradients, truth

DTYPES = [torch.float32, torch.bfloat16]
MEMORY = 2**28


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The rows of each product of hidden states and weight."""
    rows: list[int] = []
    multiply = tiles.multiply

    def counted(hidden: Tensor, *others: Any) -> Tensor:
        rows.append(hidden.shape[0])
        return multiply(hidden, *others)

    monkeypatch.setattr(tiles, "multiply", counted)
    return rows


def of(leaves: Head, **options: Any) -> Tensor:
    return linear_cross_entropy(*leaves[:2], leaves.labels, bias=leaves.bias, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("own", [False, True])
def test_gradients(
    backend: str, chunks: str, dtype: torch.dtype, reduction: str, own: bool
) -> None:
    """R7, R16, R37: of the loss, and of the temperature of each row."""
    given = head(23, 13, 101, dtype)
    leaves = given.leaves()
    t = (torch.linspace(0.4, 3.0, 23) if own else torch.tensor(1.3)).requires_grad_()
    loss = of(leaves, reduction=reduction, temperature=t)
    rows = t.detach().expand(23)
    losses = truth(given, rows)
    near(loss.detach(), losses.sum() if reduction == "sum" else losses.mean())
    (3.0 * loss).backward()
    sent = torch.full((23,), 3.0 if reduction == "sum" else 3.0 / 23)
    gradients_near(leaves, given, sent, rows)
    slopes = true_gradients(given, sent, rows)[3]
    assert t.grad is not None and t.grad.shape == t.shape
    wanted = slopes if own else slopes.sum()
    torch.testing.assert_close(t.grad.double(), wanted, rtol=1e-5, atol=1e-5)


def test_each_chunk_of_logits_is_multiplied_once(
    backend: str, chunks: str, products: list[int]
) -> None:
    """And again where the upstream may differ from row to row."""
    leaves = head(17).leaves()
    of(leaves).backward()
    assert sum(products) == 17
    assert (len(products) == 1) == (chunks == "whole")
    products.clear()
    of(leaves, reduction="none").sum().backward()
    assert sum(products) >= (17 if chunks == "whole" else 34)


def test_what_is_multiplied_again_is_the_same(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for formed in (True, False):
        if not formed:
            monkeypatch.setattr(tiles, "rows_to_form", lambda *_: 0)
        leaves = head(40).leaves()
        leaves.labels[:5], leaves.labels[7] = -100, 400
        of(leaves).backward()
        found.append([leaf.grad for leaf in leaves[:3]])
    for one, other in zip(*found, strict=True):
        assert one is not None and other is not None
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_twice_and_scaled(backend: str, chunks: str, dtype: torch.dtype) -> None:
    """R14, R31: nothing is overwritten; a factor of two changes no digit."""
    leaves = head(dtype=dtype).leaves()
    loss = of(leaves)
    first, again, twice = (
        torch.autograd.grad(loss, leaves[:3], torch.tensor(scale), retain_graph=True)
        for scale in (1.0, 1.0, 2.0)
    )
    for a, b, c in zip(first, again, twice, strict=True):
        assert torch.equal(a, b) and torch.equal(2 * a, c)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_pass_that_is_the_last_hands_on_what_was_formed(
    backend: str, chunks: str, dtype: torch.dtype, scale: float
) -> None:
    """The same digits as a pass that may be followed by another, in memory of one's own."""
    leaves = head(dtype=dtype).leaves()
    loss = of(leaves)
    kept = torch.autograd.grad(loss, leaves[:3], torch.tensor(scale), retain_graph=True)
    copies = [g.clone() for g in kept]
    for g in kept:
        g.zero_()
    for leaf in leaves[:3]:
        leaf.grad = torch.ones_like(leaf)
    (scale * loss).backward()
    for leaf, copy in zip(leaves[:3], copies, strict=True):
        assert leaf.grad is not None and leaf.grad.grad_fn is None
        assert torch.equal(leaf.grad, copy + 1)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_nothing_that_reaches_the_loss_sends_nothing(backend: str, chunks: str) -> None:
    """As of rows: 0 times a gradient of NaN is 0."""
    given = head()
    given.hidden[2] = math.nan
    for reduction in ("sum", "none"):
        leaves = given.leaves()
        loss = of(leaves, reduction=reduction).sum()
        loss.backward(torch.zeros(()))
        for leaf in leaves[:3]:
            assert leaf.grad is not None and (leaf.grad == 0).all(), reduction


@pytest.mark.parametrize("wanted", list(itertools.product([False, True], repeat=3))[1:], ids=str)
def test_of_what_learns_alone(backend: str, chunks: str, wanted: tuple[bool, ...]) -> None:
    whole, part = head().leaves(), head().leaves()
    of(whole).backward()
    for leaf, learns in zip(part[:3], wanted, strict=True):
        leaf.requires_grad_(learns)
    of(part).backward()
    for leaf, all_learn, learns in zip(part[:3], whole[:3], wanted, strict=True):
        assert (leaf.grad is not None) == learns
        if learns:
            assert torch.equal(leaf.grad, all_learn.grad)


@pytest.mark.parametrize("waits", [False, True])
def test_rows_that_do_not_count(
    backend: str, chunks: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12, R13: NaN in their hidden states reaches nothing; a NaN of the weight none of them."""
    monkeypatch.setattr(tiles, "waits", lambda x: waits)
    given = head()
    given.labels[3], given.labels[9] = -100, 101
    given.hidden[3] = given.hidden[9] = math.nan
    leaves = given.leaves()
    loss = of(leaves)
    loss.backward()
    counts = (torch.arange(17) != 3) & (torch.arange(17) != 9)
    clean = Head(given.hidden[counts], *given[1:3], given.labels[counts]).leaves()
    same = of(clean)
    same.backward()
    torch.testing.assert_close(loss, same)
    for leaf, other in zip(leaves[1:3], clean[1:3], strict=True):
        torch.testing.assert_close(leaf.grad, other.grad)
    assert leaves.hidden.grad is not None and clean.hidden.grad is not None
    assert (leaves.hidden.grad[~counts] == 0).all()
    torch.testing.assert_close(leaves.hidden.grad[counts], clean.hidden.grad)


def test_no_row_counts(backend: str) -> None:
    """R12, R32."""
    for n in (0, 6):
        leaves = head(6).leaves()
        t = torch.ones((), requires_grad=True)
        labels = torch.full((n,), -100)
        loss = linear_cross_entropy(leaves.hidden[:n], leaves.weight, labels, temperature=t)
        loss.backward()
        assert loss == 0
        for leaf in (*leaves[:2], t):
            assert leaf.grad is not None and (leaf.grad == 0).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_of_nan_that_counts_shows(backend: str, dtype: torch.dtype) -> None:
    """R3."""
    given = head(dtype=dtype)
    given.hidden[2] = math.nan
    leaves = given.leaves()
    loss = of(leaves)
    loss.backward()
    assert loss.isnan()
    assert leaves.hidden.grad is not None and leaves.weight.grad is not None
    assert leaves.hidden.grad[2].isnan().all() and leaves.weight.grad.isnan().all()
    assert leaves.hidden.grad[torch.arange(17) != 2].isfinite().all()


def test_padding(backend: str, chunks: str) -> None:
    """R29: the padding's rows have gradients of 0, whatever they hold."""
    leaves = head().leaves()
    with torch.no_grad():
        leaves.weight[90:], leaves.bias[90:] = math.nan, math.nan
    leaves.labels.clamp_(max=89)
    of(leaves, vocab_size=90).backward()
    assert leaves.weight.grad is not None and leaves.bias.grad is not None
    assert (leaves.weight.grad[90:] == 0).all() and (leaves.bias.grad[90:] == 0).all()
    assert leaves.weight.grad[:90].isfinite().all() and leaves.weight.grad[:90].any()


def test_sums_over_many_chunks(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R19: a thousand chunks whose sums would stall in bfloat16."""
    if backend == "triton":
        pytest.skip("the sums are not the backend's, and a thousand launches take long")
    monkeypatch.setitem(tiles.FORMED_BYTES, "cpu, bfloat16", 1)  # a row at a time
    h = torch.ones(1000, 1, dtype=torch.bfloat16)
    w = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    labels = torch.zeros(1000, dtype=torch.int64)
    linear_cross_entropy(h, w, labels, reduction="sum").backward()
    assert w.grad is not None and w.grad.tolist() == [[-500.0], [500.0]]


def test_memory_decides(products: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients wait where they fit, with as many logits as fit beside them."""
    monkeypatch.setattr(tiles, "_BESIDE", MEMORY - 50_000)
    monkeypatch.setattr(tiles, "LEAST_MEMORY", 1)
    monkeypatch.setattr(tiles, "STORED_BYTES", 0)
    leaves = head(40, 16, 101).leaves()  # 2,560 and 6,464 bytes of gradients, 512 of a row
    of(leaves, memory=MEMORY).backward()
    assert products == [40]
    products.clear()
    of(leaves, memory=MEMORY - 30_000).backward()  # as if 20,000 were left
    assert products == [21, 19]
    products.clear()
    of(leaves, memory=MEMORY - 41_000).backward()
    assert products == [40, 40]


def test_too_little_memory_is_refused() -> None:
    given = head()
    for wrong, error in ((2**20, ValueError), (0, ValueError), (3e8, TypeError)):
        with pytest.raises(error, match="memory must be"):
            of(given, memory=wrong)
