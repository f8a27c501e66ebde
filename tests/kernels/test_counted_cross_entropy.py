"""counted_cross_entropy: the loss to the bit, the histogram, and the entropies of row_stats."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    counted_cross_entropy,
    cross_entropy,
    entropy_sums,
    row_stats,
)
from torch import Tensor

SHAPES: list[dict[str, Any]] = [
    {},
    {"label_smoothing": 0.1},
    {"label_smoothing": 1.0, "softcap": 5.0},
    {"z_loss": 1e-2, "softcap": 30.0, "label_smoothing": 0.2},
    {"temperature": 0.7, "vocab_size": 90},
    {"temperature": torch.tensor(1.7), "z_loss": 1e-3},
    {"temperature": torch.linspace(0.5, 3.0, 64)},
]


def drawn(n: int = 64, columns: int = 101) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, columns, generator=generator) * 3
    labels = torch.randint(80, (n,), generator=generator)
    labels[::9] = -100
    return x, labels


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_the_loss_its_histogram_and_the_entropies(
    backend: str, reduction: str, shape: dict[str, Any]
) -> None:
    x, labels = drawn()
    histogram = CalibrationHistogram(15)
    wanted = cross_entropy(x, labels, reduction=reduction, histogram=histogram, **shape)
    found = counted_cross_entropy(x, labels, bins=15, reduction=reduction, **shape)
    if reduction == "none" or backend != "reference":
        assert torch.equal(found.loss, wanted)
    else:  # which sums float32; this sums in float64
        torch.testing.assert_close(found.loss, wanted, rtol=1e-6, atol=0)
    assert torch.equal(found.delta, histogram.state_dict()["sums"])
    cap = shape.get("softcap")
    u = x if cap is None else cap * torch.tanh(x / cap)
    t, size = shape.get("temperature", 1.0), shape.get("vocab_size")
    entropy = row_stats(u, temperature=t, vocab_size=size).entropy[labels != -100]
    total, unknown = found.entropies.tolist()
    # Of each row a sum of three terms of some nats, each rounded to float32.
    assert total / 2**24 == pytest.approx(float(entropy.double().sum()), abs=64 * 2e-6)
    assert unknown == 0


def test_gradients_are_those_of_the_loss(backend: str) -> None:
    x, labels = drawn()
    for reduction in ("mean", "sum"):
        slopes = []
        for run in (
            lambda x, r=reduction: cross_entropy(x, labels, reduction=r),
            lambda x, r=reduction: counted_cross_entropy(x, labels, bins=5, reduction=r).loss,
        ):
            leaf = x.clone().requires_grad_()
            (run(leaf) * 0.37).backward()
            slopes.append(leaf.grad)
        assert torch.equal(*slopes)


def test_rows_in_no_bin_and_rows_that_cannot_be_known(backend: str) -> None:
    x, _ = drawn(7)
    x[1, 5] = torch.nan
    x[3, 5], x[4, 5], x[5, 5] = -torch.inf, torch.inf, torch.inf
    # Ignored, lost, no column, of probability 0, the one +inf, another than the +inf, plain.
    labels = torch.tensor([-100, 5, 101, 5, 5, 6, 6])

    def entropies(rows: slice, shift: float = 0.0, **how: float) -> list[int]:
        x_some, some = x[rows] + shift, labels[rows]
        found: list[int] = counted_cross_entropy(x_some, some, bins=5, **how).entropies.tolist()
        return found

    assert [entropies(slice(i, i + 1)) for i in range(6)] == [[0, 0]] * 3 + [[0, 1], [0, 0], [0, 1]]
    total, unknown = entropies(slice(0, 7))
    assert total == entropies(slice(6, 7))[0] > 0 and unknown == 2
    delta = counted_cross_entropy(x, labels, bins=5).delta
    assert int(delta[:5].sum()) == 4 and int(delta[-1]) == 2
    # The divisor 1 + 2 z lse has no digits left where lse is about -1 / 2z.
    assert entropies(slice(6, 7), z_loss=9.0)[1] == 0
    assert entropies(slice(6, 7), -90.0, z_loss=9.0)[1] == 1


def test_entropies_are_added_as_integers() -> None:
    h = torch.tensor([0.5, 0.0, torch.nan, 2.0**-24, 11.0], dtype=torch.float64)
    assert entropy_sums(h).tolist() == [23 * 2**23 + 1, 1]
    assert entropy_sums(h[:0]).tolist() == [0, 0]


def test_misuse_is_named() -> None:
    x, labels = drawn()
    with pytest.raises(ValueError, match="reduction must be"):
        counted_cross_entropy(x, labels, bins=5, reduction="median")
    with pytest.raises(ValueError, match="bins must be"):
        counted_cross_entropy(x, labels, bins=0)


def test_it_compiles_as_one_graph(backend: str) -> None:
    x, labels = drawn()

    def step(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(counted_cross_entropy(x, labels, bins=5, z_loss=1e-3))

    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    results = [run(leaf) for run, leaf in zip((step, compiled), leaves, strict=True)]
    for eager, found in zip(*results, strict=True):
        assert torch.equal(eager, found)
    for result in results:
        result[0].backward()
    assert leaves[0].grad is not None and leaves[1].grad is not None
    assert torch.equal(leaves[0].grad, leaves[1].grad)
