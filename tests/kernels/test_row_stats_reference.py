"""The definition of row_stats: against plain Python, and its answer for every special row."""

from __future__ import annotations

import math

import pytest
import torch
from calib_kernels import RowStats, row_stats, use_backend

from tests.kernels.oracle import close, stats_row

INF = math.inf
NAN = math.nan
REAL = ("lse", "confidence", "entropy", "sum_p2", "label_logprob")


def stats_of(rows: list[list[float]], labels: list[int], **options: object) -> RowStats:
    with use_backend("reference"):
        x = torch.tensor(rows, dtype=torch.float64)
        return row_stats(x, torch.tensor(labels), **options)


def real(stats: RowStats, row: int = 0) -> list[float]:
    return [float(getattr(stats, field)[row]) for field in REAL]


@pytest.mark.parametrize("temperature", [0.01, 0.7, 1.0, 30.0])
@pytest.mark.parametrize("spread", [0.5, 5.0, 40.0])
def test_agrees_with_plain_python(temperature: float, spread: float) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(20, 300, dtype=torch.float64, generator=generator) * spread
    x[3, 20:200] = -INF
    x[4, 7] = 900.0
    labels = [*range(19), 100]
    labels[3], labels[4] = 30, 7
    found = stats_of(x.tolist(), labels, temperature=temperature)
    assert found.label_logprob is not None and found.correct is not None
    for n, row in enumerate(x.tolist()):
        expected = stats_row(row, temperature)
        close(found.lse[n], expected.lse)
        close(found.confidence[n], expected.confidence)
        close(found.entropy[n], expected.entropy)
        close(found.sum_p2[n], expected.sum_p2)
        close(found.label_logprob[n], expected.logprob[labels[n]])
        assert found.prediction[n] == row.index(max(row))
        assert found.correct[n] == (found.prediction[n] == labels[n])
    assert found.valid.all() and found.correct[4]


@pytest.mark.parametrize(
    ("row", "prediction", "lse"),
    [
        ([0.0, NAN, 5.0, NAN], 1, NAN),
        ([INF, 0.0, INF, 1.0], 0, NAN),
        ([1.0, INF, INF, 1.0], 1, NAN),
        ([-INF, -INF, -INF, -INF], 0, -INF),
        ([-INF, -INF, NAN, -INF], 2, NAN),
        ([NAN, INF, INF, -INF], 0, NAN),
    ],
)
def test_rows_that_say_nothing(row: list[float], prediction: int, lse: float) -> None:
    found = stats_of([row], [prediction])
    close(found.lse[0], lse)
    assert all(math.isnan(value) for value in real(found)[1:])
    assert found.prediction[0] == prediction
    assert not found.valid[0]
    assert found.correct is not None and not found.correct[0]


def test_one_infinite_logit_is_the_limit() -> None:
    found = stats_of([[1.0, INF, 0.0]] * 2, [1, 0])
    assert real(found, 0) == [INF, 1.0, 0.0, 1.0, 0.0]
    assert real(found, 1) == [INF, 1.0, 0.0, 1.0, -INF]
    assert found.prediction.tolist() == [1, 1] and found.valid.all()
    assert found.correct is not None and found.correct.tolist() == [True, False]


def test_a_label_that_is_impossible() -> None:
    found = stats_of([[-INF, 2.0]], [0])
    assert real(found) == [2.0, 1.0, 0.0, 1.0, -INF] and found.valid[0]


def test_an_offset_and_a_tiny_probability_cost_no_digits() -> None:
    found = stats_of([[1000.0, 1.0]], [1])
    assert real(found)[4] == -999.0


def test_ties_go_to_the_first() -> None:
    found = stats_of([[0.0, 4.0, 4.0], [-0.0, 0.0, -1.0]], [2, 1])
    assert found.prediction.tolist() == [1, 0]


def test_labels() -> None:
    found = stats_of([[3.0, 1.0, 0.0]] * 6, [0, 1, -100, 3, -1, 2**62])
    assert found.correct is not None and found.label_logprob is not None
    assert found.correct.tolist() == [True, False, False, False, False, False]
    assert found.valid.tolist() == [True, True, True, False, False, False]
    assert found.confidence.isnan().tolist() == [False, False, False, True, True, True]
    assert found.label_logprob.isnan().tolist() == [False, False, True, True, True, True]
    assert all(getattr(found, f).isfinite().all() for f in ("lse", "entropy", "sum_p2"))


def test_ignore_index_may_be_a_class() -> None:
    found = stats_of([[3.0, 1.0]] * 2, [0, 1], ignore_index=0)
    assert found.correct is not None and found.label_logprob is not None
    assert found.correct.tolist() == [False, False]
    assert found.label_logprob.isnan().tolist() == [True, False]
    assert found.valid.tolist() == [True, True]


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN, INF, 1e-40])
@pytest.mark.parametrize("row", [[3.0, 1.0, 4.0], [-INF, -INF, -INF]])
def test_a_bad_temperature_on_the_device_loses_its_row(bad: float, row: list[float]) -> None:
    found = stats_of([row, [3.0, 1.0, 4.0]], [2, 2], temperature=torch.tensor([bad, 1.0]))
    assert found.valid.tolist() == [False, True]
    assert all(math.isnan(value) for value in real(found))
    assert found.prediction.tolist() == [row.index(max(row)), 2]
