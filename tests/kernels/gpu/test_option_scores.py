"""option_scores in Triton's interpreter against the float64 reference, on rows made to break it.

Blocks are shrunk to 64 logits and partitions to 256, so that a row of a few hundred logits walks
through every part of the kernel: a masked head, whole blocks, a masked tail, several partitions.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from calib_kernels import OptionScores, reference
from calib_kernels.gpu import tuning

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import LOG2_E, hard_rows, laid_out, option_sets
from tests.gate.truth import truth_of
from tests.kernels.cases import permuted_spellings
from tests.kernels.gpu.cases import BLOCK, COLUMNS, TUNE, some_rows

KINDS = ("letters", "spellings", "sets per row")
# The quick tier takes one of each; the interpreter needs about 50 ms a row.
QUICK = {
    (torch.float32, 837, "sets per row", False),
    (torch.bfloat16, 837, "letters", True),
    (torch.float16, 100, "spellings", False),
}
GRID = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product(
        (torch.float32, torch.bfloat16, torch.float16), COLUMNS, KINDS, (False, True)
    )
]


def labels_for(n: int, options: int) -> torch.Tensor:
    """Right and wrong ones, ignored ones, one that names no option."""
    labels = torch.arange(n) % options
    labels[3::7] = -100
    labels[5::11] = options
    return labels


def histogram_of(out: OptionScores, labels: torch.Tensor) -> torch.Tensor:
    assert out.correct is not None
    return reference.histogram_delta(out.confidence, out.correct, None, 15, labels != -100)


@pytest.mark.parametrize(("dtype", "columns", "kind", "split"), GRID, ids=str)
def test_hard_rows(
    interpreted: Any, dtype: torch.dtype, columns: int, kind: str, split: bool
) -> None:
    rows = hard_rows(columns, BLOCK)
    x = torch.stack(list(rows.values())).to(dtype)
    ids = option_sets(len(x), columns)[kind]
    labels = labels_for(len(x), ids.shape[1])
    result = interpreted("option_scores", x, ids, labels, 1.0, False, TUNE, split)
    want = truth_of(x, ids, labels, 1.0, False)
    assert not list(compare(result.out, want, list(rows)))
    assert torch.equal(result.seen, histogram_of(result.out, labels))


def test_the_second_reading_is_taken_where_it_is_needed(interpreted: Any) -> None:
    """R1, R6: rows whose maximum lies far above the first block and the options, no others."""
    names = [
        "plain", "late spike", "15.9 bits above", "16.1 bits above", "101.0 bits above",
        "first block -inf", "first block -inf, rest far below 0", "all -inf", "NaN late",
        "+inf, no option", "confident option",
    ]  # fmt: skip
    rows = hard_rows(837, BLOCK)
    x = torch.stack([rows[name] for name in names])
    ids = torch.tensor([[[0], [1]]])
    first = x[:, :BLOCK]
    reference_logit = torch.where(first.isnan(), -float("inf"), first).amax(1)
    reference_logit = torch.where(reference_logit.isfinite(), reference_logit, 0.0)
    bits = (x.amax(1) - reference_logit).double() * LOG2_E
    needed = x.amax(1).isfinite() & ((bits > 16) | (bits < -1))
    assert needed.tolist() == [False, True, False, True, True, False, True] + [False] * 4
    for split in (False, True):
        result = interpreted("option_scores", x, ids, None, 1.0, False, TUNE, split)
        assert result.slow.tolist() == needed.int().tolist()


def test_one_program_per_row_or_per_partition_gives_the_same_bits(interpreted: Any) -> None:
    """R20, and every path through a row: plain, second reading, NaN, infinities."""
    names = ("plain", "offset +1e4", "late spike", "NaN late", "+inf, an option", "uniform")
    rows = hard_rows(837, BLOCK)
    x = torch.stack([rows[name] for name in names]).bfloat16()
    ids = option_sets(len(x), 837)["sets per row"]
    labels = labels_for(len(x), 3)
    one, many = (
        interpreted("option_scores", x, ids, labels, 1.0, True, TUNE, split)
        for split in (False, True)
    )
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
    starts = {shifted[i].data_ptr() % 16 for i in range(8)}
    assert len(starts) == 16 // dtype.itemsize
    ids = torch.tensor([[[0], [columns - 1], [300]]])
    out = interpreted("option_scores", shifted, ids, None, 1.0, False, TUNE, False).out
    alone = interpreted("option_scores", x[:1].clone(), ids, None, 1.0, False, TUNE, True).out
    for field, values in zip(OptionScores._fields, out, strict=True):
        if values is not None:
            expected = getattr(alone, field).expand_as(values)
            assert torch.equal(values, expected), field
    assert not list(compare(alone, truth_of(x[:1], ids, None, 1.0, False), ["row"]))


@pytest.mark.parametrize("columns", [1, BLOCK - 1, BLOCK, BLOCK + 1, 255, 256, 257, 513])
def test_sizes_around_the_seams(interpreted: Any, columns: int) -> None:
    """R9: one logit; a block, a partition, two partitions, and their neighbours."""
    x = some_rows(2, columns, seed=columns)
    ids = torch.tensor([[[0], [columns - 1]]]) if columns > 1 else torch.tensor([[[0]]])
    for split in (False, True):
        out = interpreted("option_scores", x, ids, None, 1.0, False, TUNE, split).out
        want = truth_of(x, ids, None, 1.0, False)
        assert not list(compare(out, want, ["a", "b"]))


def test_rows_that_are_one_row(interpreted: Any) -> None:
    """R10: stride 0."""
    x = some_rows(1, 300).expand(3, -1)
    ids = torch.tensor([[[0], [1]]])
    out = interpreted("option_scores", x, ids, None, 1.0, False, TUNE, False).out
    want = truth_of(x, ids, None, 1.0, False)
    assert not list(compare(out, want, ["row"] * 3))


def test_a_temperature_for_each_row(interpreted: Any) -> None:
    """R17: tiny, huge, and those that make a row invalid."""
    temperatures = torch.tensor([1e-3, 1e3, 1.0, 0.7, 0.0, -1.0, float("nan"), float("inf")])
    names = [f"T = {t}" for t in temperatures.tolist()]
    x = some_rows(len(names), 500)
    ids = torch.tensor([[[3], [4], [400]]])
    labels = torch.arange(len(names)) % 3
    want = truth_of(x, ids, labels, temperatures, False)
    assert want.valid.tolist() == [True] * 4 + [False] * 4
    result = interpreted("option_scores", x, ids, labels, temperatures, False, TUNE, False)
    assert not list(compare(result.out, want, names))
    assert result.seen[-1] == 4


@pytest.mark.parametrize("temperature", [0.05, 20.0])
def test_one_temperature_for_all(interpreted: Any, temperature: float) -> None:
    x = some_rows(3, 400)
    ids = torch.tensor([[[3], [4], [300]]])
    for t in (temperature, torch.tensor([temperature])):
        out = interpreted("option_scores", x, ids, None, t, True, TUNE, False).out
        want = truth_of(x, ids, None, temperature, True)
        assert not list(compare(out, want, ["a", "b", "c"]))


def test_more_options_and_spellings_than_fit_a_tile(interpreted: Any) -> None:
    columns = 2000
    x = some_rows(2, columns)
    tile_o, tile_m = tuning.option_tile(1)
    many = torch.randperm(columns, generator=torch.Generator().manual_seed(1))
    spelled = many[: 20 * 40].view(1, 20, 40).clone()
    spelled[0, 3, 30:] = spelled[0, 3, :10]  # repeats in another tile
    assert tuning.option_tile(40)[1] < 40
    for ids in (many[None, : tile_o * tile_m + 44, None], spelled):
        out = interpreted("option_scores", x, ids, None, 1.0, False, TUNE, False).out
        want = truth_of(x, ids, None, 1.0, False)
        assert not list(compare(out, want, ["a", "b"]))


def test_labels_at_odd_addresses(interpreted: Any) -> None:
    """R11, R12: one element past a boundary; a positive ignore_index; every row ignored."""
    x = some_rows(4, 100)
    ids = torch.tensor([0, 1, 2])
    truth = [0, 1, 2, 1]
    for dtype in (torch.int32, torch.int64):
        labels = torch.tensor([9, *truth]).to(dtype)[1:]
        scores, count = interpreted(
            "public_option_scores", x, ids, labels, ignore_index=1, bin_count=10
        )
        want = truth_of(x, ids[None, :, None], torch.tensor([0, -100, 2, -100]), 1.0, False)
        assert not list(compare(OptionScores(*scores), want, ["a", "b", "c", "d"]))
        assert int(count.sum()) == 2
    _scores, count = interpreted(
        "public_option_scores", x, ids, torch.ones(4).long(), ignore_index=1, bin_count=10
    )
    assert int(count.sum()) == 0


def test_the_public_op(interpreted: Any) -> None:
    """R29, R32: at the tuning that a GPU runs, with padding columns and with no rows at all."""
    x = some_rows(3, 2100)
    x[:, 2049:] = 1e4  # padding
    ids = torch.tensor([[5, 6], [7, -1]])
    (*fields,), _ = interpreted("public_option_scores", x, ids, vocab_size=2049, confidence="vocab")
    want = truth_of(x[:, :2049], ids[None], None, 1.0, True)
    assert not list(compare(OptionScores(*fields), want, ["a", "b", "c"]))
    (*empty,), _ = interpreted("public_option_scores", x[:0], ids)
    assert empty[0].shape == (0, 2) and empty[9].shape == (0,)


def test_ties_in_the_options_go_to_the_first(interpreted: Any) -> None:
    """R22, and options far apart in their logits but equal in float32 probability."""
    x = torch.full((2, 300), -5.0)
    x[0, [10, 290]] = 2.0
    x[1, 10], x[1, 290] = 1.0, 1.0 + 2**-20
    ids = torch.tensor([[[290], [10]], [[10], [290]]])
    out = interpreted(
        "option_scores", x, ids, None, torch.tensor([1.0, 1e6]), False, TUNE, False
    ).out
    assert out.prediction.tolist() == [0, 1]
    assert out.token.tolist() == [10, 290]


@pytest.mark.parametrize("spellings", [5, 17])
def test_the_order_of_spellings_breaks_no_tie(interpreted: Any, spellings: int) -> None:
    """R22: options with the same logits, inside a tile and beyond one."""
    x, ids = permuted_spellings(40, spellings)
    (_, prob, *_, prediction, _, _, _, _, _), _ = interpreted("public_option_scores", x, ids)
    assert (prediction == 0).all()
    assert (prob == prob[:, :1]).all()
