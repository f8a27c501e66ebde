"""row_stats in Triton's interpreter against the float64 reference, on rows made to break it.

Blocks and partitions are shrunk as in ``test_options``.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from calib_kernels import RowStats, reference

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import hard_rows, laid_out, row_labels
from tests.gate.truth import row_truth_of
from tests.kernels.gpu.cases import BLOCK, COLUMNS, TUNE, some_rows

# The quick tier takes one of each; the interpreter needs about 50 ms a row.
QUICK = {
    (torch.float32, 837, False),
    (torch.bfloat16, 837, True),
    (torch.float16, 100, False),
}
GRID = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product(
        (torch.float32, torch.bfloat16, torch.float16), COLUMNS, (False, True)
    )
]


def histogram_of(out: RowStats, labels: torch.Tensor) -> torch.Tensor:
    assert out.correct is not None
    return reference.histogram_delta(out.confidence, out.correct, None, 15, labels != -100)


@pytest.mark.parametrize(("dtype", "columns", "split"), GRID, ids=str)
def test_hard_rows(interpreted: Any, dtype: torch.dtype, columns: int, split: bool) -> None:
    rows = hard_rows(columns, BLOCK)
    x = torch.stack(list(rows.values())).to(dtype)
    labels = row_labels(len(x), columns)
    result = interpreted("row_stats", x, labels, 1.0, TUNE, split)
    want = row_truth_of(x, labels, 1.0)
    assert not list(compare(result.out, want, list(rows)))
    assert torch.equal(result.seen, histogram_of(result.out, labels))


def test_the_second_reading_is_taken_where_it_is_needed(interpreted: Any) -> None:
    """R1, R6: rows whose maximum lies far above the first block, no others."""
    names = [
        "plain", "late spike", "15.9 bits above", "16.1 bits above", "101.0 bits above",
        "first block -inf", "first block -inf, rest far below 0", "all -inf", "NaN late",
        "+inf, no option", "confident option",
    ]  # fmt: skip
    rows = hard_rows(837, BLOCK)
    x = torch.stack([rows[name] for name in names])
    needed = [False, True, False, True, True, False, True] + [False] * 4
    for split in (False, True):
        result = interpreted("row_stats", x, None, 1.0, TUNE, split)
        assert result.slow.tolist() == [int(slow) for slow in needed]
        assert not list(compare(result.out, row_truth_of(x, None, 1.0), names))


def test_one_program_per_row_or_per_partition_gives_the_same_bits(interpreted: Any) -> None:
    """R20, and every path through a row: plain, second reading, NaN, infinities."""
    names = ("plain", "offset +1e4", "late spike", "NaN late", "+inf, an option", "uniform")
    rows = hard_rows(837, BLOCK)
    x = torch.stack([rows[name] for name in names]).bfloat16()
    labels = torch.tensor([0, 1, 836, 3, 0, 0])
    one, many = (interpreted("row_stats", x, labels, 1.0, TUNE, split) for split in (False, True))
    same_bits(one.out, many.out)
    assert torch.equal(one.seen, many.seen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bits_do_not_depend_on_where_a_row_lies(interpreted: Any, dtype: torch.dtype) -> None:
    """R9, R20: eight copies of a row, each at another distance from a 16-byte boundary.

    Between the rows lies NaN, which would show if anything outside a row were used.
    """
    columns = 700
    x = some_rows(1, columns).to(dtype).expand(8, -1)
    shifted = laid_out(x, columns + 1, 3, "cpu")
    assert len({shifted[i].data_ptr() % 16 for i in range(8)}) == 16 // dtype.itemsize
    labels = torch.full((8,), columns - 1)
    out = interpreted("row_stats", shifted, labels, 1.0, TUNE, False).out
    alone = interpreted("row_stats", x[:1].clone(), labels[:1], 1.0, TUNE, True).out
    same_bits(out, RowStats(*(field.expand(8).contiguous() for field in alone)))
    assert not list(compare(alone, row_truth_of(x[:1], labels[:1], 1.0), ["row"]))


@pytest.mark.parametrize("columns", [1, BLOCK - 1, BLOCK, BLOCK + 1, 255, 256, 257, 513])
def test_sizes_around_the_seams(interpreted: Any, columns: int) -> None:
    """R9: one logit; a block, a partition, two partitions, and their neighbours."""
    x = some_rows(2, columns, seed=columns)
    labels = torch.tensor([0, columns - 1])
    for split in (False, True):
        out = interpreted("row_stats", x, labels, 1.0, TUNE, split).out
        assert not list(compare(out, row_truth_of(x, labels, 1.0), ["a", "b"]))


def test_rows_that_are_one_row(interpreted: Any) -> None:
    """R10: stride 0."""
    x = some_rows(1, 300).expand(3, -1)
    out = interpreted("row_stats", x, None, 1.0, TUNE, False).out
    assert not list(compare(out, row_truth_of(x, None, 1.0), ["row"] * 3))


def test_a_temperature_for_each_row(interpreted: Any) -> None:
    """R17: tiny, huge, and those that make a row invalid."""
    temperatures = torch.tensor([1e-3, 1e3, 1.0, 0.7, 0.0, -1.0, float("nan"), float("inf")])
    names = [f"T = {t}" for t in temperatures.tolist()]
    x = some_rows(len(names), 500)
    labels = torch.arange(len(names)) * 60
    want = row_truth_of(x, labels, temperatures)
    assert want.valid.tolist() == [True] * 4 + [False] * 4
    result = interpreted("row_stats", x, labels, temperatures, TUNE, False)
    assert not list(compare(result.out, want, names))
    assert result.seen[-1] == 4


@pytest.mark.parametrize("temperature", [0.05, 20.0])
def test_one_temperature_for_all(interpreted: Any, temperature: float) -> None:
    x = some_rows(3, 400)
    for t in (temperature, torch.tensor([temperature])):
        out = interpreted("row_stats", x, None, t, TUNE, False).out
        want = row_truth_of(x, None, temperature)
        assert not list(compare(out, want, ["a", "b", "c"]))


def test_labels_at_odd_addresses(interpreted: Any) -> None:
    """R11, R12: one element past a boundary; a positive ignore_index; every row ignored."""
    x = some_rows(4, 100)
    for dtype in (torch.int32, torch.int64):
        labels = torch.tensor([9, 0, 1, 2, 1]).to(dtype)[1:]
        stats, count = interpreted("public_row_stats", x, labels, ignore_index=1, bin_count=10)
        want = row_truth_of(x, torch.tensor([0, -100, 2, -100]), 1.0)
        assert not list(compare(RowStats(*stats), want, ["a", "b", "c", "d"]))
        assert int(count.sum()) == 2
    ones = torch.ones(4).long()
    _stats, count = interpreted("public_row_stats", x, ones, ignore_index=1, bin_count=10)
    assert int(count.sum()) == 0


def test_the_public_op(interpreted: Any) -> None:
    """R29, R32: at the tuning that a GPU runs, with padding columns and with no rows at all."""
    x = some_rows(3, 2100)
    x[:, 2049:] = 1e4  # padding
    (*fields,), _ = interpreted("public_row_stats", x, vocab_size=2049)
    want = row_truth_of(x[:, :2049], None, 1.0)
    assert not list(compare(RowStats(*fields), want, ["a", "b", "c"]))
    (*empty,), _ = interpreted("public_row_stats", x[:0])
    assert empty[0].shape == (0,) and empty[5] is None


def test_ties_of_the_maximum_go_to_the_first(interpreted: Any) -> None:
    """R22: inside a lane group, across lanes, blocks and partitions."""
    pairs = [(0, 1), (3, 67), (63, 64), (100, 300), (255, 256), (5, 599)]
    x = torch.full((len(pairs), 600), -5.0)
    for row, pair in zip(x, pairs, strict=True):
        row[list(pair)] = 2.0
    for split in (False, True):
        out = interpreted("row_stats", x, torch.tensor([p[1] for p in pairs]), 1.0, TUNE, split).out
        assert out.prediction.tolist() == [p[0] for p in pairs]
        assert not out.correct.any()
