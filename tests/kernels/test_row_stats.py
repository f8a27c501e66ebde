"""row_stats: the contract on every backend that can run here, against the float64 reference."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, RowStats, row_stats, use_backend
from torch import Tensor

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import laid_out, row_labels
from tests.kernels.cases import COLUMNS, DTYPES, rows_of


def truth(logits: Tensor, labels: Tensor | None = None, **options: Any) -> RowStats:
    with use_backend("reference"):
        return row_stats(logits.double(), labels, **options)


def some(stats: RowStats, rows: Any) -> RowStats:
    return RowStats(*(None if f is None else f[rows] for f in stats))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", COLUMNS)
def test_hard_rows(backend: str, dtype: torch.dtype, columns: int) -> None:
    """R2, R3, R4, R37: nothing but -inf, NaN, +inf once and twice, confident rows; R9: odd V."""
    names, x = rows_of(columns, dtype)
    labels = row_labels(len(names), columns)
    for wanted in (None, labels, labels.roll(1), labels.roll(2)):
        found = row_stats(x, wanted)
        assert not list(compare(found, truth(x, wanted), names))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1.7, 1e3])
def test_temperatures(backend: str, dtype: torch.dtype, temperature: float) -> None:
    """R17."""
    names, x = rows_of(500, dtype)
    labels = row_labels(len(names), 500)
    found = row_stats(x, labels, temperature=temperature)
    assert not list(compare(found, truth(x, labels, temperature=temperature), names))


def test_a_temperature_per_row(backend: str) -> None:
    """R17."""
    names, x = rows_of(500, torch.float32)
    labels = row_labels(len(names), 500)
    t = torch.logspace(-3, 3, len(names))
    t[3], t[5], t[7], t[10] = 0.0, -1.0, math.nan, math.inf
    found = row_stats(x, labels, temperature=t)
    expected = truth(x, labels, temperature=t)
    assert not list(compare(found, expected, names))
    assert not expected.valid[[3, 5, 7, 10]].any()
    scalar = row_stats(x[:4], temperature=torch.tensor(0.3))
    same_bits(scalar, row_stats(x[:4], temperature=torch.full((4,), 0.3)))


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_a_common_offset_changes_no_logprob(backend: str, offset: float) -> None:
    """R5. Logits on a grid that survives the offset in float32, so that the truth is the same."""
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(16, 3000, generator=generator) * 4 * 256).round() / 256
    labels = torch.arange(16) * 100
    plain, moved = row_stats(x, labels), row_stats(x + offset, labels)
    # Twice the contract's tolerance of one result: 2e-6 and two units in the last place.
    torch.testing.assert_close(moved.label_logprob, plain.label_logprob, rtol=5e-7, atol=4e-6)
    torch.testing.assert_close(moved.entropy, plain.entropy, rtol=5e-7, atol=8e-6)
    torch.testing.assert_close(moved.lse - offset, plain.lse, rtol=0, atol=4e-3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("stride", "offset"), [(4097, 0), (5001, 1), (4099, 3), (4096, 7)])
def test_any_row_stride_and_offset(
    backend: str, dtype: torch.dtype, stride: int, offset: int
) -> None:
    """R9."""
    names, x = rows_of(4096, dtype)
    labels = row_labels(len(names), 4096)
    view = laid_out(x, stride, offset, "cpu")
    same_bits(row_stats(view, labels), row_stats(x, labels))


def test_a_last_stride_that_is_not_one_and_a_row_stride_of_zero(backend: str) -> None:
    """R10."""
    names, x = rows_of(300, torch.float32)
    labels = row_labels(len(names), 300)
    same_bits(row_stats(x.T.contiguous().T, labels), row_stats(x, labels))
    one = row_stats(x[:1], labels[:1])
    repeated = row_stats(x[:1].expand(5, -1), labels[:1].expand(5))
    same_bits(repeated, some(one, torch.zeros(5, dtype=torch.int64)))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_labels_at_an_unaligned_address(backend: str, dtype: torch.dtype) -> None:
    """R11."""
    names, x = rows_of(70, torch.float32)
    labels = row_labels(len(names), 70).to(dtype)
    raw = bytearray(b"\0" + labels.numpy().tobytes())
    shifted = torch.frombuffer(raw, dtype=dtype, offset=1)
    same_bits(row_stats(x, shifted), row_stats(x, labels.long()))


@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_and_impossible_labels(backend: str, ignore_index: int) -> None:
    """R12, R13: labels that are ignored, labels out of range."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(8, 4, generator=generator)
    labels = torch.tensor([0, 1, 2, ignore_index, 4, -1, 2**40, -(2**40)])
    h = CalibrationHistogram(10)
    found = row_stats(x, labels, ignore_index=ignore_index, histogram=h)
    expected = truth(x, labels, ignore_index=ignore_index)
    assert not list(compare(found, expected, [str(n) for n in labels.tolist()]))
    ignored = int((labels == ignore_index).sum())
    assert (int(h.count.sum()), int(h.invalid)) == (4 - ignored, 4)
    assert expected.correct is not None and h.correct.sum() == expected.correct.sum()
    h.reset()
    nothing = torch.full((8,), ignore_index)
    found = row_stats(x, nothing, ignore_index=ignore_index, histogram=h)
    assert h.count.sum() == 0 and h.invalid == 0 and found.valid.all()
    assert found.label_logprob is not None and found.label_logprob.isnan().all()


def test_an_ignored_row_that_is_lost_is_counted_nowhere(backend: str) -> None:
    x = torch.tensor([[math.nan, 1.0], [-math.inf, -math.inf]])
    h = CalibrationHistogram(10)
    found = row_stats(x, torch.full((2,), -100), histogram=h)
    assert not found.valid.any() and h.count.sum() == 0 and h.invalid == 0


def test_padding_columns_are_absent(backend: str) -> None:
    """R29."""
    names, x = rows_of(500, torch.float32)
    labels = row_labels(len(names), 500)
    padded = torch.cat((x, torch.full((len(x), 12), 50.0)), 1)
    padded[:, -1] = math.nan
    same_bits(row_stats(padded, labels, vocab_size=500), row_stats(x, labels))


def test_no_rows(backend: str) -> None:
    """R32."""
    h = CalibrationHistogram(5)
    none = torch.empty(0, dtype=torch.int64)
    found = row_stats(torch.empty(0, 9), none, histogram=h)
    assert all(f is not None and f.shape == (0,) for f in found)
    assert h.count.sum() == 0 and h.invalid == 0


def test_a_row_alone_is_the_row_in_a_batch(backend: str) -> None:
    """R20. Its bits, that is: at any place in the batch, for any number of rows."""
    names, x = rows_of(5000, torch.float32)
    labels = row_labels(len(names), 5000)
    together = row_stats(x, labels)
    for i in range(len(x)):
        same_bits(row_stats(x[i : i + 1], labels[i : i + 1]), some(together, slice(i, i + 1)))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    same_bits(row_stats(x[order], labels[order]), some(together, order))


def test_the_first_of_equal_maxima(backend: str) -> None:
    """Ties within a lane group, across lanes, blocks and chunks."""
    columns = 40000
    base = torch.randn(1, columns, generator=torch.Generator().manual_seed(2))
    pairs = [(0, 1), (3, 67), (63, 64), (100, 4100), (4095, 4096), (32767, 32768), (5, 39999)]
    for first, second in pairs:
        x = base.clone()
        x[0, [first, second]] = 9.0
        found = row_stats(x, torch.tensor([second]))
        assert found.prediction.item() == first
        assert found.correct is not None and not found.correct.item()


def test_histogram_of_the_same_pass(backend: str) -> None:
    """Equal to adding the returned rows afterwards, and to the reference's for them."""
    _, x = rows_of(700, torch.float32)
    x = torch.cat((x, torch.randn(400, 700, generator=torch.Generator().manual_seed(4)) * 3))
    labels = x.nan_to_num(0.0).argmax(1)
    labels[::3] = 5
    fused, after = CalibrationHistogram(15), CalibrationHistogram(15)
    found = row_stats(x, labels, histogram=fused)
    after.update(found.confidence, found.correct)
    assert torch.equal(fused.state_dict()["sums"], after.state_dict()["sums"])
    with use_backend("reference"):
        defined = CalibrationHistogram(15)
        defined.update(found.confidence, found.correct)
    assert torch.equal(fused.state_dict()["sums"], defined.state_dict()["sums"])
    assert fused.invalid == (~found.valid).sum() > 0
    assert fused.correct.sum() > 200


def test_two_runs_give_equal_bits(backend: str) -> None:
    """R21."""
    names, x = rows_of(5000, torch.bfloat16)
    labels = row_labels(len(names), 5000)
    same_bits(row_stats(x, labels), row_stats(x, labels))


def test_without_labels_there_is_nothing_of_them(backend: str) -> None:
    _, x = rows_of(300, torch.float32)
    plain = row_stats(x)
    assert plain.label_logprob is None and plain.correct is None
    labelled = row_stats(x, torch.zeros(len(x), dtype=torch.int64))
    correct, logprob = labelled.correct, labelled.label_logprob
    same_bits(plain._replace(correct=correct, label_logprob=logprob), labelled)
    with pytest.raises(ValueError, match="histogram needs labels"):
        row_stats(x, histogram=CalibrationHistogram(5))


@pytest.mark.parametrize("lowest", [torch.finfo(torch.float32).min, -3.0e38])
def test_masks_of_the_lowest_float(backend: str, lowest: float) -> None:
    """As masks are often written; times log2(e) it leaves float32."""
    if backend == "triton":
        pytest.skip("c * x must stay in float32 there")
    x = torch.full((3, 40000), lowest)
    x[0, [5, 39000]] = torch.tensor([2.0, 3.0])
    x[1, 33000] = -7.0
    labels = torch.tensor([5, 33000, 7])
    assert not list(compare(row_stats(x, labels), truth(x, labels), ["two", "one", "none"]))
