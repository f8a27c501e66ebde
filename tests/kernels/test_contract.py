"""The contract, on every backend that can run here, against the float64 reference.

The rows are those that break kernels; tolerances and comparison are the gate's, which also runs
before anything is timed.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, OptionScores, option_scores, use_backend
from torch import Tensor

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import laid_out, option_sets
from tests.kernels.cases import COLUMNS, DTYPES, permuted_spellings, rows_of


def truth(
    logits: Tensor, ids: Tensor, labels: Tensor | None = None, **options: Any
) -> OptionScores:
    with use_backend("reference"):
        return option_scores(logits.double(), ids, labels, **options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", COLUMNS)
def test_hard_rows(backend: str, dtype: torch.dtype, columns: int) -> None:
    """R2, R3, R4, R37: nothing but -inf, NaN, +inf once and twice, confident rows; R9: odd V."""
    names, x = rows_of(columns, dtype)
    mode = "vocab" if columns % 2 else "options"
    labels = torch.arange(len(names)) % 5 - 1
    for what, ids in option_sets(len(names), columns).items():
        ids = ids.where(ids < columns, -1)  # out of range: on the host that raises
        found = option_scores(x, ids, labels, confidence=mode)
        expected = truth(x, ids, labels, confidence=mode)
        assert not list(compare(found, expected, [f"{name}, {what}" for name in names]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1.7, 1e3])
def test_temperatures(backend: str, dtype: torch.dtype, temperature: float) -> None:
    """R17."""
    names, x = rows_of(500, dtype)
    ids = option_sets(len(names), 500)["spellings"]
    found = option_scores(x, ids, temperature=temperature)
    assert not list(compare(found, truth(x, ids, temperature=temperature), names))


def test_a_temperature_per_row(backend: str) -> None:
    """R17."""
    names, x = rows_of(500, torch.float32)
    ids = option_sets(len(names), 500)["spellings"]
    t = torch.logspace(-3, 3, len(names))
    t[3], t[5], t[7] = 0.0, -1.0, math.nan
    found = option_scores(x, ids, temperature=t)
    assert not list(compare(found, truth(x, ids, temperature=t), names))
    scalar = option_scores(x[:4], ids, temperature=torch.tensor(0.3))
    same_bits(scalar, option_scores(x[:4], ids, temperature=torch.full((4,), 0.3)))


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_a_common_offset_changes_no_logprob(backend: str, offset: float) -> None:
    """R5. Logits on a grid that survives the offset in float32, so that the truth is the same."""
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(16, 3000, generator=generator) * 4 * 256).round() / 256
    ids = torch.arange(6)
    plain, moved = option_scores(x, ids), option_scores(x + offset, ids)
    # Twice the contract's tolerance of one result: 2e-6 and two units in the last place.
    torch.testing.assert_close(moved.logprob, plain.logprob, rtol=5e-7, atol=4e-6)
    torch.testing.assert_close(moved.vocab_entropy, plain.vocab_entropy, rtol=5e-7, atol=8e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("stride", "offset"), [(4097, 0), (5001, 1), (4099, 3), (4096, 7)])
def test_any_row_stride_and_offset(
    backend: str, dtype: torch.dtype, stride: int, offset: int
) -> None:
    """R9."""
    _, x = rows_of(4096, dtype)
    ids = torch.arange(4)
    view = laid_out(x, stride, offset, "cpu")
    same_bits(option_scores(view, ids), option_scores(x, ids))


def test_a_last_stride_that_is_not_one_and_a_row_stride_of_zero(backend: str) -> None:
    """R10."""
    _, x = rows_of(300, torch.float32)
    ids = torch.arange(4)
    plain = option_scores(x, ids)
    same_bits(option_scores(x.T.contiguous().T, ids), plain)
    one = option_scores(x[:1], ids)
    same_bits(option_scores(x[:1].expand(5, -1), ids), OptionScores(*(_repeat(f, 5) for f in one)))


def _repeat(field: Tensor | None, n: int) -> Tensor | None:
    return None if field is None else field.expand(n, *field.shape[1:])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_labels_at_an_unaligned_address(backend: str, dtype: torch.dtype) -> None:
    """R11."""
    _, x = rows_of(70, torch.float32)
    labels = (torch.arange(len(x)) % 5 - 1).to(dtype)
    raw = bytearray(b"\0" + labels.numpy().tobytes())
    shifted = torch.frombuffer(raw, dtype=dtype, offset=1)
    ids = torch.arange(4)
    same_bits(option_scores(x, ids, shifted), option_scores(x, ids, labels.long()))


@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_and_impossible_labels(backend: str, ignore_index: int) -> None:
    """R12, R13: labels that are ignored, labels out of range."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(8, 40, generator=generator)
    labels = torch.tensor([0, 1, 2, ignore_index, 4, -1, 2**40, -(2**40)])
    ids = torch.arange(4)
    h = CalibrationHistogram(10)
    found = option_scores(x, ids, labels, ignore_index=ignore_index, histogram=h)
    expected = truth(x, ids, labels, ignore_index=ignore_index)
    assert not list(compare(found, expected, [str(n) for n in labels.tolist()]))
    ignored = int((labels == ignore_index).sum())
    assert (int(h.count.sum()), int(h.invalid)) == (4 - ignored, 4)
    assert expected.correct is not None and h.correct.sum() == expected.correct.sum()
    h.reset()
    nothing = torch.full((8,), ignore_index)
    found = option_scores(x, ids, nothing, ignore_index=ignore_index, histogram=h)
    assert h.count.sum() == 0 and h.invalid == 0 and found.valid.all()


def test_padding_columns_are_absent(backend: str) -> None:
    """R29."""
    _, x = rows_of(500, torch.float32)
    padded = torch.cat((x, torch.full((len(x), 12), 50.0)), 1)
    padded[:, -1] = math.nan
    ids = torch.arange(4)
    same_bits(option_scores(padded, ids, vocab_size=500), option_scores(x, ids))


def test_no_rows(backend: str) -> None:
    """R32."""
    h = CalibrationHistogram(5)
    none = torch.empty(0, dtype=torch.int64)
    found = option_scores(torch.empty(0, 9), torch.arange(3), none, histogram=h)
    assert found.logprob.shape == (0, 3) and found.token.shape == (0,)
    assert h.count.sum() == 0


def test_a_row_alone_is_the_row_in_a_batch(backend: str) -> None:
    """R20. Its bits, that is: at any place in the batch, for any number of rows."""
    _, x = rows_of(5000, torch.float32)
    ids = option_sets(len(x), 5000)["spellings"]
    together = option_scores(x, ids)
    for i in range(len(x)):
        alone = option_scores(x[i : i + 1], ids)
        same_bits(alone, OptionScores(*(None if f is None else f[i : i + 1] for f in together)))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    shuffled = option_scores(x[order], ids)
    same_bits(shuffled, OptionScores(*(None if f is None else f[order] for f in together)))


def test_the_first_of_equal_maxima(backend: str) -> None:
    """Ties within a lane group, across lanes, blocks and chunks."""
    columns = 40000
    base = torch.randn(1, columns, generator=torch.Generator().manual_seed(2))
    pairs = [(0, 1), (3, 67), (63, 64), (100, 4100), (4095, 4096), (32767, 32768), (5, 39999)]
    for first, second in pairs:
        x = base.clone()
        x[0, [first, second]] = 9.0
        assert option_scores(x, torch.tensor([second, first])).token.item() == first
        assert option_scores(x, torch.tensor([second, first])).prediction.item() == 0


def test_prediction_compares_raw_logits(backend: str) -> None:
    """Options far below the row's maximum that differ by less than a shifted float32 can hold."""
    x = torch.zeros(1, 50)
    x[0, 0], x[0, 1], x[0, 2] = 1e-7, 2e-7, 3000.0
    assert option_scores(x, torch.tensor([0, 1])).prediction.item() == 1


def test_histogram_of_the_same_pass(backend: str) -> None:
    """Equal to adding the returned rows afterwards, and to the reference's for them."""
    _, x = rows_of(700, torch.float32)
    x = torch.cat((x, torch.randn(400, 700, generator=torch.Generator().manual_seed(4)) * 3))
    labels = torch.arange(len(x)) % 4
    fused, after = CalibrationHistogram(15), CalibrationHistogram(15)
    found = option_scores(x, torch.arange(4), labels, histogram=fused)
    after.update(found.confidence, found.correct)
    assert torch.equal(fused.state_dict()["sums"], after.state_dict()["sums"])
    with use_backend("reference"):
        defined = CalibrationHistogram(15)
        defined.update(found.confidence, found.correct)
    assert torch.equal(fused.state_dict()["sums"], defined.state_dict()["sums"])
    assert fused.invalid == (~found.valid).sum() > 0


def test_two_runs_give_equal_bits(backend: str) -> None:
    """R21."""
    _, x = rows_of(5000, torch.bfloat16)
    ids = option_sets(len(x), 5000)["sets per row"]
    ids = ids.where(ids < 5000, -1)
    same_bits(option_scores(x, ids), option_scores(x, ids))


@pytest.mark.parametrize("lowest", [torch.finfo(torch.float32).min, -3.0e38])
def test_masks_of_the_lowest_float(backend: str, lowest: float) -> None:
    """As masks are often written; times log2(e) it leaves float32."""
    if backend == "triton":
        pytest.skip("c * x must stay in float32 there")
    x = torch.full((3, 40000), lowest)
    x[0, [5, 39000]] = torch.tensor([2.0, 3.0])
    x[1, 33000] = -7.0
    ids = torch.tensor([5, 39000])
    found, expected = option_scores(x, ids), truth(x, ids)
    assert not list(compare(found, expected, ["two", "one elsewhere", "none"]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spellings", [5, 17])
def test_the_order_of_spellings_breaks_no_tie(
    backend: str, dtype: torch.dtype, spellings: int
) -> None:
    """R22. Options with the same logits tie, and the lowest is the prediction."""
    if backend != "reference" and dtype == torch.float64:
        pytest.skip("float64 is for the reference")
    x, ids = permuted_spellings(200, spellings, dtype)
    found = option_scores(x, ids)
    assert (found.prediction == 0).all()
    assert (found.prob == found.prob[:, :1]).all()
