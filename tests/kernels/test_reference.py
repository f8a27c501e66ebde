"""The definition itself: against plain Python, and its answer for every special row spelled out."""

from __future__ import annotations

import math

import pytest
import torch
from calib_kernels import OptionScores, option_scores, use_backend

from tests.kernels.oracle import close, option_row

INF = math.inf
NAN = math.nan


def score(rows: list[list[float]], ids: object, **options: object) -> OptionScores:
    with use_backend("reference"):
        return option_scores(torch.tensor(rows, dtype=torch.float64), ids, **options)


@pytest.mark.parametrize("temperature", [0.01, 0.7, 1.0, 30.0])
@pytest.mark.parametrize("spread", [0.5, 5.0, 40.0])
def test_agrees_with_plain_python(temperature: float, spread: float) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(20, 300, dtype=torch.float64, generator=generator) * spread
    x[3, 20:200] = -INF
    x[4, 7] = 90.0
    options = [[7, 11], [13], [200, 201, 299]]
    ids = torch.tensor([[7, 11, -1, 7], [-1, 13, -1, -1], [200, 201, 299, 200]])
    found = score(x.tolist(), ids, temperature=temperature)
    for n, row in enumerate(x.tolist()):
        expected = option_row(row, options, temperature)
        close(found.logprob[n], expected.logprob)
        close(found.prob[n], expected.prob)
        close(found.confidence[n], max(expected.prob))
        assert found.prediction[n] == expected.prediction
        close(found.entropy[n], expected.entropy)
        close(found.mass[n], expected.mass)
        close(found.vocab_entropy[n], expected.vocab_entropy)
        assert found.token[n] == expected.token


def test_a_tiny_mass_costs_no_digits() -> None:
    found = score([[1000.0, 1.0, 0.0]], [1, 2])
    close(found.prob[0], [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))])
    close(found.logprob[0], [-999.0, -1000.0])
    assert found.mass[0] == 0.0
    assert found.valid[0]


def test_confidence_in_the_vocabulary_is_prob_times_mass() -> None:
    x = [[2.0, 1.0, 0.5, 3.0]]
    plain, vocab = score(x, [0, 1]), score(x, [0, 1], confidence="vocab")
    close(vocab.confidence, [float(plain.prob[0, 0] * plain.mass[0])])
    close(plain.confidence, [float(plain.prob[0, 0])])


@pytest.mark.parametrize(
    ("row", "token"),
    [
        ([0.0, NAN, 5.0, NAN], 1),
        ([INF, 0.0, INF, 1.0], 0),
        ([-INF, -INF, -INF, -INF], 0),
        ([NAN, INF, INF, -INF], 0),
    ],
)
def test_rows_that_say_nothing(row: list[float], token: int) -> None:
    found = score([row], [0, 1], labels=torch.tensor([0]))
    for field in ("logprob", "prob", "mass", "confidence", "entropy", "vocab_entropy"):
        assert getattr(found, field).isnan().all(), field
    assert (found.token[0], found.prediction[0]) == (token, 0)
    assert not found.valid[0]
    assert found.correct is not None and not found.correct[0]


def test_one_infinite_logit_is_the_limit() -> None:
    inside = score([[1.0, INF, 0.0]], [0, 1])
    close(inside.logprob[0], [-INF, 0.0])
    close(inside.prob[0], [0.0, 1.0])
    close(
        torch.stack((inside.mass[0], inside.vocab_entropy[0], inside.entropy[0])), [1.0, 0.0, 0.0]
    )
    assert inside.valid[0] and inside.prediction[0] == 1
    outside = score([[1.0, INF, 0.0]], [0, 2])
    close(outside.logprob[0], [-INF, -INF])
    close(outside.prob[0], [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))])
    assert outside.mass[0] == 0.0 and outside.valid[0] and outside.token[0] == 1


def test_options_that_are_all_impossible() -> None:
    found = score([[-INF, -INF, 1.0, 2.0]], [0, 1])
    assert found.prob.isnan().all() and found.confidence.isnan() and found.entropy.isnan()
    close(found.logprob[0], [-INF, -INF])
    assert (float(found.mass), int(found.prediction), bool(found.valid)) == (0.0, 0, False)
    assert found.token[0] == 3 and found.vocab_entropy.isfinite()


def test_an_option_of_padding_only_has_probability_zero() -> None:
    found = score([[1.0, 2.0, 3.0]], torch.tensor([[0, 1], [-1, -1]]))
    close(found.prob[0], [1.0, 0.0])
    close(found.entropy, [0.0])
    assert found.logprob[0, 1] == -INF and found.valid[0]


def test_ties_go_to_the_first() -> None:
    found = score([[0.0, -0.0, 4.0, 4.0]], torch.tensor([3, 2]))
    assert (int(found.prediction), int(found.token)) == (0, 2)
    signed = score([[-0.0, 0.0]], torch.tensor([1, 0]))
    assert (int(signed.prediction), int(signed.token)) == (0, 0)


def test_labels() -> None:
    x = [[3.0, 1.0, 0.0]] * 6
    labels = torch.tensor([0, 1, -100, 2, -1, 2**62])
    found = score(x, [0, 1], labels=labels)
    assert found.correct is not None
    assert found.correct.tolist() == [True, False, False, False, False, False]
    assert found.valid.tolist() == [True, True, True, False, False, False]
    assert found.confidence.isnan().tolist() == [False, False, False, True, True, True]
    assert found.prob.isfinite().all()


def test_ignore_index_may_be_a_class() -> None:
    found = score([[3.0, 1.0]] * 2, [0, 1], labels=torch.tensor([0, 1]), ignore_index=0)
    assert found.correct is not None
    assert found.correct.tolist() == [False, False]
    assert found.valid.tolist() == [True, True]


@pytest.mark.parametrize("bad", [0.0, -1.0, NAN, INF, 1e-40])
def test_a_bad_temperature_on_the_device_loses_its_row(bad: float) -> None:
    found = score([[3.0, 1.0, 4.0]] * 2, [0, 1], temperature=torch.tensor([bad, 1.0]))
    assert found.valid.tolist() == [False, True]
    assert found.confidence.isnan().tolist() == [True, False]
    assert found.vocab_entropy.isnan().tolist() == [True, False]
    assert found.token.tolist() == [2, 2]
