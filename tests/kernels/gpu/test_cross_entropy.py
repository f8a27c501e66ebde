"""cross_entropy in Triton's interpreter against the float64 reference, forward and backward.

Blocks and partitions are shrunk as in ``test_options``. Gradients that leave in bfloat16 are left
to GPUs: the interpreter truncates what it should round.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from calib_kernels.ops.logits_gradient import PLAIN, Saved, Upstream
from calib_kernels.rows import Launch
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.gate.cross_entropy import SHAPES, disagreements, truth
from tests.gate.row_stats import LOG2_E, hard_rows, laid_out, row_labels
from tests.kernels.gpu.cases import BLOCK, COLUMNS, TUNE, some_rows

ROW = {"reduction": "none"}
# The quick tier takes some; the interpreter needs about 100 ms a row.
QUICK = {("plain", 837, False), ("everything", 100, False)}
GRID = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product(SHAPES, COLUMNS, (False, True))
]


def given_rows(columns: int, names: tuple[str, ...] = ()) -> tuple[list[str], tuple[Tensor, ...]]:
    rows = hard_rows(columns, BLOCK)
    chosen = list(names or rows)
    x = torch.stack([rows[name] for name in chosen])
    n = len(chosen)
    upstream = torch.randn(n, generator=torch.Generator().manual_seed(1))
    return chosen, (x, row_labels(n, columns), torch.linspace(0.7, 2.0, n), upstream)


@pytest.mark.parametrize(("shape", "columns", "split"), GRID, ids=str)
def test_hard_rows(interpreted: Any, shape: str, columns: int, split: bool) -> None:
    """R1-R4, R6, R9, R12, R13, R15, R37: loss, both gradients, the rows that are invalid."""
    names, given = given_rows(columns)
    options = SHAPES[shape]
    found = interpreted("loss_outcome", given, TUNE, split, **ROW, **options)
    want = truth(*given, **ROW, **options)
    assert not list(disagreements(found, want, names, options, 0.7))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions(interpreted: Any, reduction: str) -> None:
    """R12, R14: over the rows that count; one upstream number for all; none that count."""
    names, (x, labels, *_rest) = given_rows(100, ("plain", "late spike", "ties of the maximum"))
    t = torch.tensor(1.3)
    for wanted in (labels, torch.tensor([4, -100, 200]), torch.full((3,), -100)):
        found = interpreted("loss_outcome", (x, wanted, t, None), TUNE, False, reduction=reduction)
        want = truth(x, wanted, t, None, reduction=reduction)
        torch.testing.assert_close(found.loss.double(), want.loss, rtol=1e-6, atol=2e-6)
        torch.testing.assert_close(found.d_logits.double(), want.d_logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            found.d_temperature.double(), want.d_temperature, rtol=1e-5, atol=1e-5
        )
    assert len(names) == 3


def test_one_program_per_row_or_per_partition_gives_the_same_bits(interpreted: Any) -> None:
    """R20: every path through a row, with a sum of each kind."""
    names = ("plain", "offset +1e4", "late spike", "NaN late", "+inf, an option", "uniform")
    _names, given = given_rows(837, names)
    for options in ({}, SHAPES["everything"]):
        one, many = (
            interpreted("loss_outcome", given, TUNE, split, **ROW, **options)
            for split in (False, True)
        )
        same_bits(one, many)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("columns", [700, 129])
def test_gradients_wherever_both_lie(interpreted: Any, dtype: torch.dtype, columns: int) -> None:
    """R9, R14, R20: eight copies of a row at eight distances from a 16-byte boundary, and their
    gradients at others: the same bits, variance included, and nothing written beside them.
    """
    n = 8
    x = some_rows(1, columns).to(dtype)
    shifted = laid_out(x.expand(n, -1), columns + 1, 3, "cpu")
    p = x.double().softmax(1)
    entropy = -(p * p.log()).sum(1)
    top = x.double().amax(1)
    log2_d = (x.double().logsumexp(1) - top) / 0.6931471805599453
    d_loss, d_lse, d_entropy = 0.7, -0.3, 0.4
    surprise = p.log() + entropy[:, None]
    want = d_loss * p + d_lse * p - d_entropy * p * surprise
    want[0, columns - 1] -= d_loss

    def repeated(value: Any) -> Tensor:
        return torch.as_tensor(value).float().reshape(-1).expand(n).contiguous()

    bits = set()
    for stride, offset in ((columns, 0), (columns + 3, 5)):
        memory = torch.full((offset + n * stride,), -77.0, dtype=dtype)
        rows = Launch(shifted, torch.full((n,), columns - 1), LOG2_E, None, -100, None, None)
        given = (
            rows, PLAIN, Saved(repeated(top), repeated(log2_d), repeated(entropy)),
            Upstream(torch.tensor(d_loss).expand(n), repeated(d_lse), repeated(d_entropy)),
        )  # fmt: skip
        view = memory.as_strided((n, columns), (stride, 1), offset)
        found, variance = interpreted("gradient_of", given, view, torch.empty(n), TUNE)
        error = (found.double() - want).abs()
        assert (error <= 2e-6 + torch.finfo(dtype).eps * want.abs()).all()
        torch.testing.assert_close(variance[0].double(), (p * surprise**2).sum(), rtol=2e-6, atol=0)
        bits |= {row.numpy().tobytes() for row in found} | {v.numpy().tobytes() for v in variance}
        between = found.as_strided((n - 1, stride - columns), (stride, 1), offset + columns)
        assert (between == -77).all()
    assert len(bits) == 2


def test_silent_rows_are_not_read(interpreted: Any) -> None:
    """R12: gradients of exactly 0 for NaN that an ignored label, or no gradient, leaves out."""
    x = some_rows(4, 300)
    x[:3] = float("nan")
    labels = torch.tensor([-100, 300, 5, 5])
    upstream = torch.tensor([1.0, 1.0, 0.0, 1.0])
    found = interpreted("loss_outcome", (x, labels, torch.ones(4), upstream), TUNE, False, **ROW)
    assert (found.d_logits[:3] == 0).all() and (found.d_temperature[:3] == 0).all()
    assert found.d_logits[3].abs().sum() > 0


def test_a_temperature_for_each_row(interpreted: Any) -> None:
    """R17: tiny, huge, and those that make a row invalid."""
    t = torch.tensor([1e-2, 1e3, 1.0, 0.0, float("nan")])
    x, labels = some_rows(5, 300), torch.arange(5) * 60
    given = (x, labels, t, torch.ones(5))
    found = interpreted("loss_outcome", given, TUNE, False, **ROW)
    want = truth(*given, **ROW)
    names = [f"T = {value}" for value in t.tolist()]
    assert not list(disagreements(found, want, names, ROW, 1e-2))
    assert found.sums[-1] == 2


def test_the_largest_finite_logits_are_below_infinity(interpreted: Any) -> None:
    """R4. Their probabilities are 0 beside the one of +inf, in the loss and in the gradient."""
    largest = torch.finfo(torch.float32).max
    x = torch.tensor([[largest, math.inf, 1.0, 3.2e38, 3.0e38, -largest, -math.inf]]).expand(2, -1)
    given = (x, torch.tensor([0, 1]), torch.ones(2), torch.ones(2))
    found = interpreted("loss_outcome", given, TUNE, False, **ROW)
    assert not list(disagreements(found, truth(*given, **ROW), ["that", "itself"], ROW))
    assert found.d_logits.tolist() == [[-1.0, 1.0, *[0.0] * 5], [0.0] * 7]


def test_labels_at_odd_addresses_and_padding(interpreted: Any) -> None:
    """R11, R29: int32 one element past a boundary; a positive ignore_index; columns of padding."""
    x = some_rows(4, 110)
    x[:, 100:] = 1e4
    labels = torch.tensor([9, 0, 1, 2, 1]).to(torch.int32)[1:]
    given = (x, labels, torch.ones(4), torch.ones(4))
    options = {**ROW, "ignore_index": 1, "vocab_size": 100}
    found = interpreted("loss_outcome", given, TUNE, False, **options)
    assert not list(disagreements(found, truth(*given, **options), list("abcd"), options))
    assert (found.d_logits[:, 100:] == 0).all() and (found.loss[[1, 3]] == 0).all()


def test_no_rows(interpreted: Any) -> None:
    """R32."""
    given = (torch.empty(0, 9), torch.empty(0, dtype=torch.int64), torch.tensor(1.0), None)
    found = interpreted("loss_outcome", given, TUNE, False)
    assert found.loss == 0 and found.d_logits.shape == (0, 9)
