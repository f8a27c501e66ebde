"""linear_cross_entropy where rows do not count, and on NaN, infinities and offsets."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from calib_kernels import linear_cross_entropy, tiles

from tests.kernels.cases import DTYPES
from tests.kernels.heads import SIZES, Head, head, near, true_gradients, truth


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [-100, 7])
def test_rows_that_do_not_count(
    backend: str, chunks: str, reduction: str, ignore_index: int
) -> None:
    given = head()
    labels = given.labels.clone()
    labels[labels == ignore_index] = 8
    labels[[0, 4, 5, 6, 7, 8]] = ignore_index
    labels[[1, 9]] = torch.tensor([101, -1])
    given = given._replace(labels=labels)
    leaves = given.leaves()
    found = linear_cross_entropy(
        *leaves[:2], labels, bias=leaves.bias, ignore_index=ignore_index, reduction=reduction
    )
    each = truth(given, ignore_index=ignore_index)
    kept = (labels != ignore_index) & (labels >= 0) & (labels < 101)
    if reduction == "none":
        near(found.detach(), each)
        assert found[[1, 9]].isnan().all() and (found[[0, 8]] == 0).all()
        found = found.where(kept, 0.0).sum()
    else:
        near(found.detach(), each[kept].mean() if reduction == "mean" else each[kept].sum())
    found.backward()
    sent = kept / kept.sum() if reduction == "mean" else kept.double()
    wanted = true_gradients(given, sent, ignore_index=ignore_index)
    for leaf, gradient in zip(leaves[:3], wanted, strict=False):
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad.double(), gradient, rtol=1e-5, atol=1e-6)
    assert leaves.hidden.grad is not None and (leaves.hidden.grad[~kept] == 0).all()


@pytest.mark.parametrize("n", [0, 17])
def test_nothing_counts(backend: str, n: int) -> None:
    given = head(n)
    leaves = given.leaves()
    t = torch.ones((), requires_grad=True)
    labels = torch.full((n,), -100)
    loss = linear_cross_entropy(*leaves[:2], labels, bias=leaves.bias, temperature=t)
    assert loss == 0
    loss.backward()
    for leaf in (*leaves[:3], t):
        assert leaf.grad is not None and (leaf.grad == 0).all()


@pytest.mark.parametrize("waits", [False, True])
def test_what_does_not_count_poisons_nothing(
    backend: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN in an ignored row's hidden states; where rows are dropped, and where that would wait."""
    monkeypatch.setattr(tiles, "waits", lambda x: waits)
    given = head()
    given.hidden[3] = math.nan
    given.labels[3] = -100
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias)
    loss.backward()
    rest = torch.arange(17) != 3
    clean = Head(given.hidden[rest], *given[1:3], given.labels[rest]).leaves()
    same = linear_cross_entropy(*clean[:2], clean.labels, bias=clean.bias)
    same.backward()
    torch.testing.assert_close(loss, same)
    for leaf, other in zip(leaves[1:3], clean[1:3], strict=True):
        torch.testing.assert_close(leaf.grad, other.grad)
    assert leaves.hidden.grad is not None and leaves.hidden.grad.isfinite().all()


@pytest.fixture
def memory_of_nan() -> Iterator[None]:
    """Memory that was given out and not yet written is NaN."""
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("memory_of_nan")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("n", "hidden", "columns"), [*SIZES, (17, 33, 101)], ids=str)
def test_what_memory_held_shows_nowhere(
    backend: str, chunks: str, dtype: torch.dtype, n: int, hidden: int, columns: int
) -> None:
    """GEMM kernels read on behind the last column, and 0 times a NaN there is NaN."""
    given = head(n, hidden, columns, dtype)
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    loss.sum().backward()
    for x in (loss, *(leaf.grad for leaf in leaves[:3])):
        assert x is not None and x.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_of_nan_that_counts_shows(backend: str, dtype: torch.dtype) -> None:
    """R3."""
    given = head(dtype=dtype)
    given.hidden[3, 2] = math.nan
    leaves = given.leaves()
    each = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    assert each.isnan().tolist() == [i == 3 for i in range(17)]
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias)
    assert loss.isnan()
    loss.backward()
    assert leaves.hidden.grad is not None
    assert leaves.hidden.grad.isnan().all(1).tolist() == [i == 3 for i in range(17)]


def test_tokens_that_a_bias_forbids(backend: str, chunks: str) -> None:
    """A bias of -inf takes a column away; one of +inf leaves no other."""
    given = head()
    given.bias[::2] = -math.inf
    given.labels.copy_(given.labels // 2 * 2 - 1).clamp_(min=1)
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    near(loss.detach(), truth(given))
    loss.sum().backward()
    for leaf, wanted in zip(leaves[:3], true_gradients(given, torch.ones(17)), strict=False):
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad.double(), wanted, rtol=1e-5, atol=1e-5)
    given.bias[5] = math.inf
    given.labels[:] = 5
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias)
    assert loss == 0
    loss.backward()
    assert leaves.bias.grad is not None and (leaves.bias.grad == 0).all()


def test_infinities_in_one_tile_of_many(backend: str, chunks: str) -> None:
    """R4: p is 1 in the column of one, 0 in every other tile; of two nothing can be said."""
    given = head()
    given.bias[5] = math.inf
    given.labels.fill_(90)
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    assert (loss == math.inf).all()
    loss.sum().backward()
    wanted = torch.zeros(101)
    wanted[5], wanted[90] = 17.0, -17.0
    assert leaves.bias.grad is not None
    torch.testing.assert_close(leaves.bias.grad, wanted, rtol=1e-6, atol=0)
    given.bias[90] = math.inf
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias)
    loss.backward()
    assert loss.isnan() and leaves.bias.grad is not None and leaves.bias.grad.isnan().all()


def test_the_largest_finite_logit_is_below_infinity(backend: str, chunks: str) -> None:
    """R4. As in cross_entropy, also where +inf is in another tile."""
    given = head()
    given.weight.zero_()
    given.bias[5], given.bias[90] = math.inf, torch.finfo(torch.float32).max
    given.labels.fill_(90)
    leaves = given.leaves()
    loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias, reduction="none")
    assert (loss == math.inf).all()
    loss.sum().backward()
    wanted = torch.zeros(101)
    wanted[5], wanted[90] = 17.0, -17.0
    assert leaves.bias.grad is not None and torch.equal(leaves.bias.grad, wanted)


def test_an_offset_common_to_all_columns(backend: str) -> None:
    """R5. Neither the loss nor a gradient loses digits to it, where the logits lose none."""
    given = head()
    moved = given._replace(bias=given.bias + 2**14)
    found, wanted = given.leaves(), moved.leaves()
    for leaves in (found, wanted):
        loss = linear_cross_entropy(*leaves[:2], given.labels, bias=leaves.bias)
        loss.backward()
    for a, b in zip(found[:3], wanted[:3], strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=2e-6, atol=1e-8)
