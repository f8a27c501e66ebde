"""linear_option_scores: on every backend, against the float64 reference and option_scores."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    OptionScores,
    linear_option_scores,
    option_scores,
    reference,
    use_backend,
)
from torch import Tensor

from tests.gate.agreement import compare, same_bits
from tests.gate.row_stats import option_sets
from tests.kernels.cases import DTYPES
from tests.kernels.heads import Head, few_at_once, head

WHOLE = ("logprob", "mass", "vocab_entropy", "token")


def truth(given: Head, ids: Tensor, labels: Tensor | None = None, **options: Any) -> OptionScores:
    """What float64 says of the logits, which are exact."""
    logits = reference.head_logits(*(f.double() for f in given[:3]))
    with use_backend("reference"):
        return option_scores(logits, ids, labels, **options)


def check(found: OptionScores, wanted: OptionScores) -> None:
    names = [str(i) for i in range(wanted.prob.shape[0])]
    assert not list(compare(found, wanted, names))


def labels_of(n: int, options: int) -> Tensor:
    labels = torch.arange(n) % options
    labels[3::7], labels[5::11] = -100, options
    return labels


@pytest.mark.parametrize("kind", ["letters", "spellings", "sets per row"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("n", "hidden", "columns"), [(1, 16, 101), (17, 16, 101), (6, 1, 64)])
def test_against_float64(
    backend: str, chunks: str, kind: str, dtype: torch.dtype, n: int, hidden: int, columns: int
) -> None:
    given = head(n, hidden, columns, dtype)
    ids = option_sets(n, columns)[kind]
    ids = ids.where(ids < columns, -1)  # ids on the host are checked
    labels = labels_of(n, ids.shape[1])
    t = torch.linspace(0.5, 2.0, n)
    options: dict[str, Any] = {"bias": given.bias, "temperature": t}
    full = linear_option_scores(*given[:2], ids, labels, **options)
    check(full, truth(given, ids, labels, temperature=t.double()))
    mode: dict[str, Any] = {"confidence": "vocab"}
    in_vocabulary = linear_option_scores(*given[:2], ids, labels, **options, **mode)
    check(in_vocabulary, truth(given, ids, labels, temperature=t.double(), **mode))
    alone = linear_option_scores(*given[:2], ids, labels, **options, vocabulary=False)
    check(alone, truth(given, ids, labels, temperature=t.double()))
    assert all((getattr(alone, field) is None) == (field in WHOLE) for field in alone._fields)


def test_one_option_of_one_column(backend: str) -> None:
    h, w = torch.ones(3, 1), torch.ones(1, 1)
    for vocabulary in (True, False):
        found = linear_option_scores(h, w, [0], vocabulary=vocabulary)
        assert found.prob.tolist() == [[1.0]] * 3 and found.valid.all() and found.correct is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_bits_of_option_scores(backend: str, chunks: str, dtype: torch.dtype) -> None:
    """Of the logits, which are exact; and its histogram."""
    given = head(200, dtype=dtype)
    ids, labels = torch.tensor([[3, 5], [7, -1], [9, 9]]), labels_of(200, 3)
    logits = reference.head_logits(*given[:3]).to(dtype)
    seen = [CalibrationHistogram(15) for _ in range(3)]
    wanted = option_scores(logits, ids, labels, histogram=seen[0])
    found = linear_option_scores(*given[:2], ids, labels, bias=given.bias, histogram=seen[1])
    same_bits(found, wanted)
    alone = linear_option_scores(
        *given[:2], ids, labels, bias=given.bias, histogram=seen[2], vocabulary=False
    )
    check(alone, wanted)
    first, second, third = (h.state_dict()["sums"] for h in seen)
    assert torch.equal(first, second) and first[:30].sum() > 150
    # Counts are equal; a sum of confidences may differ by a unit of float32 a row.
    assert torch.equal(first[:30], third[:30]) and torch.equal(first[-1:], third[-1:])


def test_only_the_weights_of_the_options_are_read(backend: str) -> None:
    given = head()
    ids = torch.tensor([[3, 5], [7, -1]])
    wanted = linear_option_scores(*given[:2], ids, bias=given.bias, vocabulary=False)
    others = torch.ones(101, dtype=torch.bool)
    others[[3, 5, 7]] = False
    given.weight[others] = math.nan
    given.bias[others] = math.nan
    same_bits(linear_option_scores(*given[:2], ids, bias=given.bias, vocabulary=False), wanted)
    assert not linear_option_scores(*given[:2], ids, bias=given.bias).valid.any()


@pytest.mark.parametrize("vocabulary", [True, False])
def test_rows_that_say_nothing(backend: str, chunks: str, vocabulary: bool) -> None:
    """NaN in a row, all options forbidden, and an option of padding only."""
    given = head()
    given.hidden[2, 3] = math.nan
    given.bias[[3, 5]] = -math.inf
    ids = torch.tensor([[3, 5], [7, 8], [-1, -1]])[None].repeat(17, 1, 1)
    ids[4, 1] = torch.tensor([3, 5])
    ids[4, 0] = -1
    ids[6, 1] = torch.tensor([-1, 20])
    found = linear_option_scores(*given[:2], ids, bias=given.bias, vocabulary=vocabulary)
    check(found, truth(given, ids))
    assert found.valid.tolist() == [i not in (2, 4) for i in range(17)]


@pytest.mark.parametrize("vocabulary", [True, False])
def test_wrong_ids_on_a_device_lose_their_row(backend: str, vocabulary: bool) -> None:
    """On the host they raise; the implementation is handed what a device would hold."""
    from calib_kernels import checks

    given = head()
    ids = torch.tensor([[3, 5], [7, -1]])[None].repeat(17, 1, 1)
    ids[1, 0, 1], ids[2, 1, 1], ids[3, 0, 0] = 101, -2, 2**40
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "host_option_ids", lambda ids, columns: None)
        found = linear_option_scores(*given[:2], ids, bias=given.bias, vocabulary=vocabulary)
        check(found, truth(given, ids))
    assert found.valid.tolist() == [i not in (1, 2, 3) for i in range(17)]


@pytest.mark.parametrize("vocabulary", [True, False])
def test_padding_columns_and_no_rows(backend: str, vocabulary: bool) -> None:
    given = head()
    cut = Head(given.hidden, given.weight[:90], given.bias[:90], given.labels)
    wanted = linear_option_scores(*cut[:2], [3, 80], bias=cut.bias, vocabulary=vocabulary)
    given.weight[90:] = math.nan
    found = linear_option_scores(
        *given[:2], [3, 80], bias=given.bias, vocab_size=90, vocabulary=vocabulary
    )
    same_bits(found, wanted)
    with pytest.raises(ValueError, match=r"0\.\.89"):
        linear_option_scores(*given[:2], [3, 90], vocab_size=90, vocabulary=vocabulary)
    none = linear_option_scores(given.hidden[:0], given.weight, [3, 80], vocabulary=vocabulary)
    assert none.prob.shape == (0, 2) and none.valid.shape == (0,)


def test_how_many_rows_at_once_changes_no_bit(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where products are exact, so that the GEMM's own order of summation cannot show."""
    given = head(50)
    ids = torch.tensor([[3, 5], [7, 8]])[None].expand(50, -1, -1) + torch.arange(50)[:, None, None]
    runs = []
    for _ in range(2):
        for vocabulary in (True, False):
            runs.append(linear_option_scores(*given[:2], ids, vocabulary=vocabulary))
        few_at_once(monkeypatch)
    same_bits(runs[0], runs[2])
    same_bits(runs[1], runs[3])
