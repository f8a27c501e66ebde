"""The loss with its gradient in one kernel: interpreted, against float64 and the two kernels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from calib_kernels.gpu import tuning
from calib_kernels.ops.logits_gradient import PLAIN, Saved, Upstream
from calib_kernels.rows import Launch
from torch import Tensor

from tests.gate.agreement import same_bits
from tests.gate.cross_entropy import SHAPES, disagreements, truth
from tests.gate.row_stats import LOG2_E, hard_rows, laid_out, row_labels
from tests.kernels.gpu.cases import BLOCK, COLUMNS, TUNE, some_rows

QUICK = {("plain", 837, torch.float16), ("everything", 100, torch.float32)}
# In bfloat16 the interpreter truncates, both times alike: only the bits are compared.
GRID = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product(SHAPES, COLUMNS, (torch.float32, torch.float16, torch.bfloat16))
]


@pytest.mark.parametrize(("shape", "columns", "dtype"), GRID, ids=str)
def test_hard_rows(interpreted: Any, shape: str, columns: int, dtype: torch.dtype) -> None:
    """R1-R4, R6, R9, R12, R13, R22, R37: the gradient of a sum, each row beside its own."""
    rows = hard_rows(columns, BLOCK)
    names, n = list(rows), len(rows)
    x = torch.stack(list(rows.values())).to(dtype)
    given = (x, row_labels(n, columns), torch.linspace(0.7, 2.0, n), None)
    options = {**SHAPES[shape], "reduction": "sum"}
    one, two = (
        interpreted("loss_outcome", given, TUNE, False, formed, **options)
        for formed in (True, False)
    )
    same_bits(one, two)
    if dtype != torch.bfloat16:
        want = truth(*given, **options)
        nothing = torch.zeros(n)  # the loss is NaN, of rows that are
        found, want = one._replace(loss=nothing), want._replace(loss=nothing)
        assert not list(disagreements(found, want, names, SHAPES[shape], 0.7))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("labels", [[5, 0, 99], [4, -100, 200], [-100, -100, -100]], ids=str)
def test_the_rows_that_count(interpreted: Any, reduction: str, labels: list[int]) -> None:
    """R12, R13: what the rows share is known before they are read."""
    given = (some_rows(3, 100), torch.tensor(labels), torch.tensor(1.3), None)
    one, two = (
        interpreted("loss_outcome", given, TUNE, False, formed, reduction=reduction)
        for formed in (True, False)
    )
    same_bits(one, two)
    want = truth(*given, reduction=reduction)
    for field, bound in (("loss", 2e-6), ("d_logits", 1e-5), ("d_temperature", 1e-5)):
        found = getattr(one, field).double()
        torch.testing.assert_close(found, getattr(want, field), rtol=1e-5, atol=bound)


def test_what_reaches_the_loss(interpreted: Any) -> None:
    """R14, R31: 1 first, later or never; 0, a part, NaN; each changed by whom it is given to."""
    x, labels = some_rows(6, 300), torch.tensor([5, -100, 300, 299, 0, 7])
    x[4, 3] = math.nan
    for sent in ([1.0, 1.0, 0.5], [0.25, 1.0], [0.0, 1.0], [math.nan], [1.0000001], [math.inf, 0]):
        for reduction in ("mean", "sum"):
            made, loss, found = interpreted(
                "loss_gradients", x, labels, TUNE, True, sent, reduction=reduction
            )
            other, same_loss, wanted = interpreted(
                "loss_gradients", x, labels, TUNE, False, sent, reduction=reduction
            )
            assert made == "_FormedBackward" != other
            same_bits((loss, *found), (same_loss, *wanted))


def test_one_leaves_what_is_there(interpreted: Any) -> None:
    """And anything else, also NaN, does not."""
    x = some_rows(2, 100)
    rows = Launch(x, torch.tensor([3, 4]), LOG2_E, None, -100, None, None)
    given = (rows, PLAIN, Saved(x.amax(1), torch.ones(2)), Upstream(torch.ones(2)))
    for number, untouched in ((1.0, True), (1.0000001, False), (0.0, False), (math.nan, False)):
        there = torch.full((2, 100), -77.0)
        found, _ = interpreted("gradient_of", given, there, None, TUNE, torch.tensor(number))
        assert (found == -77).any() == untouched == (found == -77).all()


@pytest.fixture(scope="module")
def elsewhere(interpreted: Any) -> dict[str, Any]:
    found: dict[str, Any] = interpreted("formed_elsewhere", TUNE)
    return found


CASES = (
    "as it is", "a quarter", "accumulated", "checkpointed", "checkpointed, reentrant", "offloaded",
    "compiled", "compiled backward", "traced", "transformed", "batched", "with everything",
    "counted", "temperature alone", "recorded",
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_whatever_training_does(elsewhere: dict[str, Any], name: str) -> None:
    """R30, R31: the bits, or the refusal, of two kernels."""
    assert set(elsewhere) == set(CASES)
    found, wanted = elsewhere[name]
    if isinstance(wanted, str):
        assert found == wanted != ""
    else:
        pair = (found, wanted) if isinstance(wanted, tuple) else ((found,), (wanted,))
        same_bits(*pair)


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (some_rows(3, 100), {"reduction": "none"}),
        (laid_out(some_rows(3, 100), 101, 0, "cpu"), {}),
        (laid_out(some_rows(3, 100), 100, 1, "cpu"), {}),
        (some_rows(100, 3).T, {}),
        (some_rows(3, 100)[:0], {}),
    ],
    ids=["each row", "odd stride", "no boundary", "columns apart", "no rows"],
)
def test_where_two_kernels_stay(interpreted: Any, x: Tensor, options: dict[str, Any]) -> None:
    """R9, R10, R15, R32: the gradient would lie otherwise than the logits, or has no one factor."""
    labels = torch.arange(x.shape[0])
    sent = [] if options else [1.0]
    made, *_ = interpreted("loss_gradients", x, labels, TUNE, True, sent, **options)
    assert made != "_FormedBackward"


def test_which_logits_are_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    """R34: few variants. None so far: no GPU has timed them."""
    assert not tuning.FORMED
    monkeypatch.setattr(tuning, "FORMED", (torch.bfloat16,))
    bfloat16 = torch.bfloat16
    assert tuning.forms(bfloat16, 1024, 128_256, True)
    assert tuning.forms(bfloat16, 1024, 151_936, False)
    assert tuning.forms(bfloat16, 1, 32_000, False)
    assert not tuning.forms(bfloat16, 1024, 151_936, True)
    assert not tuning.forms(bfloat16, 0, 32_000, False)
    assert not tuning.forms(bfloat16, tuning.SPLIT_ROWS, 128_256, False)
    assert not tuning.forms(bfloat16, 1024, tuning.FORMED_COLUMNS + 1, False)
    assert not tuning.forms(torch.float32, 1024, 128_256, False)
    counts = {tuning.together(columns) for columns in range(1, tuning.FORMED_COLUMNS, 1000)}
    assert counts == {1, 2, 4, 8}
    for count in counts:
        row = tuning.loss_formed(count, False)
        for loss in (tuning.LOSS, tuning.LOSS_CAPPED, tuning.loss_formed(count, True)):
            assert (row.block, row.partition) == (loss.block, loss.partition)
        assert row.warps == count * tuning.LOSS.warps == count * tuning.LOSS_CAPPED.warps
