"""Every refusal names the argument, what was expected and what came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    cross_entropy,
    histogram_delta,
    linear_cross_entropy,
    option_scores,
    row_stats,
    use_backend,
)

X = torch.zeros(2, 5)
IDS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": [[0.0]]}, "logits must be a torch.Tensor, got list"),
        ({"logits": torch.zeros(5)}, r"logits must be \(N, V\), got shape \(5,\)"),
        ({"logits": torch.zeros(2, 5).long()}, "got torch.int64"),
        ({"logits": torch.zeros(2, 0)}, "V = 0"),
        ({"vocab_size": 6}, r"vocab_size must be in 1..5 .*, got 6"),
        ({"vocab_size": 0}, "got 0"),
        ({"option_ids": torch.tensor([0.5])}, "option_ids must be integers, got torch.float32"),
        ({"option_ids": torch.zeros(3, 1, 1).long()}, r"N=2, O, M\), got \(3, 1, 1\)"),
        ({"option_ids": torch.zeros(0).long()}, "at least one option"),
        ({"option_ids": torch.tensor([0, 5])}, r"in 0..4 or -1 for padding, got 5"),
        ({"option_ids": torch.tensor([0, -2])}, "got -2"),
        ({"option_ids": torch.tensor([0, 4]), "vocab_size": 4}, r"in 0..3 .* got 4"),
        ({"option_ids": torch.tensor([3, 3])}, "id 3 is in options 0 and 1 of row 0"),
        ({"option_ids": torch.tensor([[1, 2, 1], [3, 2, -1]])}, "id 2 is in options 0 and 1"),
        ({"labels": torch.tensor([0.0, 1.0])}, "labels must be an integer tensor"),
        ({"labels": torch.tensor([0])}, r"labels must be \(N=2,\), got shape \(1,\)"),
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
        ({"temperature": 1e-40}, "temperature must be at least 1e-38, got 1e-40"),
        ({"temperature": "2"}, "temperature must be a number, got str"),
        ({"vocab_size": 4.5}, "vocab_size must be an integer, got float"),
        ({"vocab_size": torch.tensor(4)}, "vocab_size must be an integer, got Tensor"),
        ({"ignore_index": -100.0}, "ignore_index must be an integer, got float"),
        ({"ignore_index": 2**63}, r"ignore_index must be in .*, got 9223372036854775808"),
        ({"temperature": float("nan")}, "got nan"),
        ({"temperature": torch.ones(3)}, r"temperature must be a scalar or \(N=2,\), got \(3,\)"),
        ({"temperature": torch.tensor(1)}, "temperature must be floating point, got torch.int64"),
        ({"confidence": "top"}, "confidence must be 'options' or 'vocab', got 'top'"),
        ({"histogram": CalibrationHistogram()}, "histogram needs labels, got labels=None"),
    ],
)
def test_option_scores_refuses(change: dict[str, Any], message: str) -> None:
    arguments = {"logits": X, "option_ids": IDS, **change}
    with pytest.raises((ValueError, TypeError), match=message):
        option_scores(arguments.pop("logits"), arguments.pop("option_ids"), **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": [[0.0]]}, "logits must be a torch.Tensor, got list"),
        ({"logits": torch.zeros(5)}, r"logits must be \(N, V\), got shape \(5,\)"),
        ({"logits": torch.zeros(2, 0)}, "V = 0"),
        ({"vocab_size": 6}, r"vocab_size must be in 1..5 .*, got 6"),
        ({"labels": torch.tensor([0.0, 1.0])}, "labels must be an integer tensor"),
        ({"labels": torch.tensor([0])}, r"labels must be \(N=2,\), got shape \(1,\)"),
        ({"temperature": -1.0}, "temperature must be positive and finite, got -1.0"),
        ({"temperature": torch.ones(3)}, r"temperature must be a scalar or \(N=2,\), got \(3,\)"),
        ({"temperature": torch.tensor(1)}, "temperature must be floating point, got torch.int64"),
        ({"histogram": CalibrationHistogram()}, "histogram needs labels, got labels=None"),
    ],
)
def test_row_stats_refuses(change: dict[str, Any], message: str) -> None:
    arguments = {"logits": X, **change}
    with pytest.raises((ValueError, TypeError), match=message):
        row_stats(arguments.pop("logits"), **arguments)


def test_a_shared_token_is_found_in_any_row_and_order() -> None:
    ids = torch.tensor([[[0, 1], [2, 3]], [[4, 3], [-1, 3]]])
    with pytest.raises(ValueError, match="id 3 is in options 0 and 1 of row 1"):
        option_scores(X, ids)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": torch.tensor([1])}, "floating-point tensor, got torch.int64"),
        ({"confidence": torch.zeros(1, 1)}, r"confidence must be \(N,\), got shape \(1, 1\)"),
        ({"correct": torch.tensor([1])}, "correct must be a bool tensor, got torch.int64"),
        ({"valid": torch.tensor([True, False])}, r"valid must be \(1,\), got shape \(2,\)"),
        ({"bins": True}, "bins must be an integer"),
    ],
)
def test_histogram_delta_refuses(arguments: dict[str, Any], message: str) -> None:
    given = {"confidence": torch.tensor([0.5]), "correct": torch.tensor([True]), "bins": 5}
    given.update(arguments)
    with pytest.raises((ValueError, TypeError), match=message):
        histogram_delta(given.pop("confidence"), given.pop("correct"), **given)


def test_numbers_of_numpy_are_numbers() -> None:
    for size in (np.int64(4), np.uint8(4)):
        got = row_stats(X, vocab_size=size, temperature=np.float32(2.0))
        assert torch.equal(got.entropy, row_stats(X, vocab_size=4, temperature=2.0).entropy)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_what_is_ignored_is_not_cut_to_the_bits_of_labels(backend: str) -> None:
    """2^32 - 100 has the low 32 bits of -100."""
    labels = torch.tensor([-100, 3], dtype=torch.int32)
    hidden, weight = torch.ones(2, 3), torch.ones(5, 3)
    with use_backend(backend):
        for losses in (
            cross_entropy(X, labels, ignore_index=2**32 - 100, reduction="none"),
            linear_cross_entropy(
                hidden, weight, labels, ignore_index=2**32 - 100, reduction="none"
            ),
        ):
            assert losses[0].isnan() and losses[1] > 1
