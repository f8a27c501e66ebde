"""cross_entropy: the contract on every backend that can run here, against the float64 reference."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, cross_entropy, row_stats
from calib_kernels.ops.logits_gradient import Saved, Upstream, logits_gradient
from calib_kernels.rows import Rows
from torch import Tensor
from torch.nn import functional

from tests.gate.agreement import same_bits
from tests.gate.cross_entropy import SHAPES, disagreements, outcome, truth
from tests.gate.row_stats import laid_out, row_labels
from tests.kernels.cases import COLUMNS, DTYPES, rows_of

ROW = {"reduction": "none"}


def given_rows(columns: int, dtype: torch.dtype) -> tuple[list[str], Any]:
    """Names of hard rows and (logits, labels, temperature, upstream)."""
    names, x = rows_of(columns, dtype)
    n = len(names)
    upstream = torch.randn(n, generator=torch.Generator().manual_seed(1))
    return names, (x, row_labels(n, columns), torch.linspace(0.7, 2.0, n), upstream)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", COLUMNS)
def test_hard_rows(backend: str, dtype: torch.dtype, columns: int, shape: str) -> None:
    """R1-R4, R6, R9, R13, R15, R16, R37: values and gradients, upstream gradients per row."""
    names, given = given_rows(columns, dtype)
    options = SHAPES[shape]
    found = outcome(*given, **ROW, **options)
    want = truth(*given, **ROW, **options)
    assert found.loss.dtype == torch.float32 and found.d_logits.dtype == dtype
    assert not list(disagreements(found, want, names, options, 0.7))


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_agrees_with_torch(backend: str, options: dict[str, float], reduction: str) -> None:
    """On plain rows, by the formula in torch's own functions."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(12, 301, generator=generator) * 4
    labels = torch.randint(301, (12,), generator=generator)
    labels[3] = -100
    t = torch.tensor(1.3)
    upstream = torch.ones(12) if reduction == "none" else None
    found = outcome(x, labels, t, upstream, reduction=reduction, **options)
    x, t = x.double().requires_grad_(), t.double().requires_grad_()
    cap = options.get("softcap")
    u = (cap * (x / cap).tanh() if cap else x) / t
    smoothing = options.get("label_smoothing", 0.0)
    loss = functional.cross_entropy(u, labels, reduction="none", label_smoothing=smoothing)
    loss = loss + options.get("z_loss", 0.0) * u.logsumexp(1).square() * (labels != -100)
    total = {"mean": loss.sum() / 11, "sum": loss.sum(), "none": loss}[reduction]
    total.sum().backward()
    assert x.grad is not None and t.grad is not None
    torch.testing.assert_close(found.loss.double(), total.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(found.d_logits.double(), x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.d_temperature.double(), t.grad, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_temperatures(backend: str, temperature: float) -> None:
    """R17: tiny and huge, on the host and on the device."""
    names, (x, labels, _, upstream) = given_rows(500, torch.float32)
    t = torch.full((len(names),), temperature)
    found = outcome(x, labels, t, upstream, **ROW)
    want = truth(x, labels, t, upstream, **ROW)
    assert not list(disagreements(found, want, names, ROW, temperature))
    host = cross_entropy(x, labels, temperature=temperature, **ROW)
    torch.testing.assert_close(host, found.loss, rtol=1e-6, atol=2e-6, equal_nan=True)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none(backend: str, bad: float) -> None:
    """R17: on the host it raises; on the device the row is lost."""
    x, labels = torch.randn(2, 9), torch.tensor([1, 2])
    with pytest.raises(ValueError, match="temperature must be positive"):
        cross_entropy(x, labels, temperature=bad)
    found = outcome(x, labels, torch.tensor([bad, 1.0]), torch.ones(2), **ROW)
    assert found.loss.isnan().tolist() == [True, False]
    assert found.d_logits[0].isnan().all() and found.d_logits[1].isfinite().all()
    assert found.sums[-1] == 1


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_a_common_offset_changes_no_loss(backend: str, offset: float) -> None:
    """R5: logits on a grid that survives the offset in float32, so that the truth is the same."""
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(16, 3000, generator=generator) * 4 * 256).round() / 256
    given = (torch.arange(16) * 100, torch.ones(16), torch.ones(16))
    options = {**ROW, "label_smoothing": 0.1}
    plain, moved = outcome(x, *given, **options), outcome(x + offset, *given, **options)
    torch.testing.assert_close(moved.loss, plain.loss, rtol=5e-7, atol=4e-6)
    torch.testing.assert_close(moved.d_logits, plain.d_logits, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("stride", "offset"), [(4097, 0), (5001, 1), (4099, 3), (4096, 7)])
def test_any_row_stride_and_offset(
    backend: str, dtype: torch.dtype, stride: int, offset: int
) -> None:
    """R9, R10: the same bits, and columns that are not adjacent, and one row many times."""
    _names, (x, *rest) = given_rows(4096, dtype)
    wanted = outcome(x, *rest, **ROW)
    same_bits(outcome(laid_out(x, stride, offset, "cpu"), *rest, **ROW), wanted)
    same_bits(outcome(x.T.contiguous().T, *rest, **ROW), wanted)
    loss = cross_entropy(x[:1].expand(5, -1), rest[0][:1].expand(5), **ROW)
    assert torch.equal(loss, cross_entropy(x[:1], rest[0][:1], **ROW).expand(5))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_labels_at_an_unaligned_address(backend: str, dtype: torch.dtype) -> None:
    """R11."""
    _names, (x, labels, *rest) = given_rows(70, torch.float32)
    raw = bytearray(b"\0" + labels.to(dtype).numpy().tobytes())
    shifted = torch.frombuffer(raw, dtype=dtype, offset=1)
    same_bits(outcome(x, shifted, *rest, **ROW), outcome(x, labels, *rest, **ROW))


@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_and_impossible_labels(backend: str, ignore_index: int) -> None:
    """R12, R13: neither counts nor sends anything back; only the impossible are invalid."""
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(5))
    labels = torch.tensor([0, 1, 2, ignore_index, 4, -1, 2**40, -(2**40)])
    kept = (labels != ignore_index) & (labels >= 0) & (labels < 4)
    options = {"ignore_index": ignore_index}
    rows = outcome(x, labels, torch.ones(8), torch.ones(8), **ROW, **options)
    assert torch.equal(rows.loss.isnan(), ~kept & (labels != ignore_index))
    assert (rows.loss[labels == ignore_index] == 0).all()
    assert (rows.d_logits[~kept] == 0).all() and (rows.d_temperature[~kept] == 0).all()
    assert rows.sums[-1] == 4 and rows.sums[:15].sum() == kept.sum()
    mean = outcome(x, labels, torch.tensor(1.0), None, **options)
    torch.testing.assert_close(mean.loss, functional.cross_entropy(x[kept], labels[kept]))
    torch.testing.assert_close(mean.d_logits * kept.sum(), rows.d_logits)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_nothing_to_learn_from(backend: str, reduction: str) -> None:
    """R12, R32: rows that are all ignored, hold NaN or not, and no rows at all: 0, not 0/0."""
    x = torch.randn(3, 5)
    x[1] = math.nan
    for rows in (3, 0):
        labels = torch.full((rows,), -100)
        found = outcome(x[:rows], labels, torch.tensor(2.0), None, reduction=reduction)
        assert found.loss == 0 and found.d_temperature == 0
        assert (found.d_logits == 0).all() and found.sums.sum() == 0


def test_a_lost_row_says_so_unless_it_is_left_out(backend: str) -> None:
    """R3: the mean is NaN, as are the row's gradients; where a mask leaves it out, both are not."""
    x = torch.randn(3, 50)
    x[1, 7] = math.nan
    labels = torch.tensor([1, 2, 3])
    found = outcome(x, labels, torch.tensor(1.0), None)
    assert found.loss.isnan() and found.d_logits[1].isnan().all()
    assert found.d_logits[[0, 2]].isfinite().all()
    masked = outcome(x, labels, torch.ones(3), torch.tensor([1.0, 0.0, 1.0]), **ROW)
    assert masked.d_logits.isfinite().all() and (masked.d_logits[1] == 0).all()
    assert masked.d_temperature.isfinite().all()


def test_confident_rows_in_sixteen_bits(backend: str) -> None:
    """R7: p of the label near 1; the gradient is no further off than torch's, and sums to 0."""
    x = torch.full((4, 1000), -3.0)
    labels = torch.arange(4) * 200
    x[torch.arange(4), labels] = torch.tensor([8.0, 12.0, 16.0, 20.0])
    x = x.bfloat16()
    found = outcome(x, labels, torch.tensor(1.0), None, reduction="sum").d_logits.double()
    leaf = x.clone().requires_grad_()
    functional.cross_entropy(leaf, labels, reduction="sum").backward()
    assert leaf.grad is not None
    exact = x.double().softmax(1) - functional.one_hot(labels, 1000)
    worst, torchs = ((g - exact).abs().amax(1) for g in (found, leaf.grad.double()))
    assert (worst <= torchs + 1e-7).all()


def test_padding_columns_are_absent(backend: str) -> None:
    """R29: in the loss, the mean of smoothing, the labels and the gradient."""
    _names, (x, *rest) = given_rows(500, torch.float32)
    padded = torch.cat((x, torch.full((len(x), 12), 50.0)), 1)
    padded[:, -1] = math.nan
    options = {**ROW, "label_smoothing": 0.1}
    found = outcome(padded, *rest, vocab_size=500, **options)
    assert (found.d_logits[:, 500:] == 0).all()
    same_bits(found._replace(d_logits=found.d_logits[:, :500]), outcome(x, *rest, **options))


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_a_row_alone_is_the_row_in_a_batch(backend: str, options: dict[str, float]) -> None:
    """R20, R21: its bits, that is, wherever it stands, and each time."""
    _names, given = given_rows(5000, torch.float32)
    together = outcome(*given, **ROW, **options)
    for i in range(0, len(given[0]), 5):
        alone = outcome(*(g[i : i + 1] for g in given), **ROW, **options)
        for field in ("loss", "d_logits", "d_temperature"):
            same_bits(getattr(alone, field), getattr(together, field)[i : i + 1])
    same_bits(outcome(*given, **ROW, **options), together)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads(threads: int) -> None:
    """R20: on few rows, which threads share, and on many."""
    before = torch.get_num_threads()
    _names, given = given_rows(70000, torch.float32)
    for n in (1, len(given[0])):
        some = [g[:n] for g in given]
        wanted = outcome(*some, **ROW)
        torch.set_num_threads(threads)
        found = outcome(*some, **ROW)
        torch.set_num_threads(before)
        same_bits(found, wanted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_gradient_written_over_its_logits(backend: str, dtype: torch.dtype) -> None:
    """R36: as tiles of linear_cross_entropy are; on rows that threads share the pieces of, too."""
    if backend == "reference":
        pytest.skip("the reference writes elsewhere")
    names, (x, labels, _, upstream) = given_rows(300 if backend == "triton" else 70000, dtype)
    chosen = [names.index(n) for n in ("plain", "NaN late", "+inf, an option", "+inf, no option")]
    for some in (chosen, *([i] for i in chosen)):
        rows = Rows(x[some], labels[some], 1.3, None, -100, x.shape[1], 0)
        top = x[some].float().amax(1)
        log2_d = torch.where(top.isinf(), 0.0, 2.0).where(~top.isnan(), math.nan)
        given = Saved(top, log2_d), Upstream(upstream[some], torch.full((len(some),), 0.3))
        apart = logits_gradient(backend, rows, *given)
        over = x[some]
        found = logits_gradient(backend, rows._replace(logits=over), *given, in_place=True)
        assert found is over
        same_bits(found, apart)


def test_histogram_of_the_same_pass(backend: str) -> None:
    """R22, R23: that of ``row_stats``, with the first of equal maxima, under any temperature."""
    _names, x = rows_of(700, torch.float32)
    x = torch.cat((x, torch.randn(400, 700, generator=torch.Generator().manual_seed(4)) * 3))
    labels = x.nan_to_num(0.0).argmax(1)
    labels[::3] = 5
    labels[::7] = -100
    fused, stats = CalibrationHistogram(15), CalibrationHistogram(15)
    cross_entropy(x, labels, temperature=1.7, histogram=fused)
    row_stats(x, labels, temperature=1.7, histogram=stats)
    assert torch.equal(fused.count, stats.count) and torch.equal(fused.correct, stats.correct)
    assert fused.invalid == stats.invalid > 0
    torch.testing.assert_close(fused.confidence, stats.confidence, rtol=1e-6, atol=1e-5)


def test_a_cap_does_not_change_which_logit_is_largest(backend: str) -> None:
    """R22: far above the cap all logits are equal, but one is the prediction."""
    x = torch.tensor([[900.0, 901.0, 0.0, 901.0]])
    for label, correct in ((0, 0), (1, 1), (3, 0)):
        h = CalibrationHistogram(4)
        cross_entropy(x, torch.tensor([label]), softcap=30.0, histogram=h)
        assert h.correct.sum() == correct and h.count.sum() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": "batchmean"}, "reduction must be"),
        ({"label_smoothing": 1.5}, "label_smoothing must be in"),
        ({"softcap": 0.0}, "softcap must be positive"),
        ({"z_loss": -1.0}, "z_loss must be finite"),
        ({"z_loss": math.nan}, "z_loss must be finite"),
    ],
)
def test_what_raises(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64), **options)


def test_labels_are_needed() -> None:
    absent: Any = None
    with pytest.raises(TypeError, match="labels must be an integer tensor"):
        cross_entropy(torch.zeros(1, 3), absent)


def test_a_row_far_into_memory(backend: str) -> None:
    """R8: an offset beyond 2^31 logits, in memory that is never touched in between."""
    if backend != "native":
        pytest.skip("of the interpreter and of torch, whose offsets are not ours")
    stride = 2**31 + 8
    storage = torch.empty(stride + 64, dtype=torch.bfloat16)
    x = storage.as_strided((2, 50), (stride, 1))
    x.copy_(torch.randn(2, 50))
    labels = torch.tensor([3, 4])
    wanted: Tensor = cross_entropy(x.clone(), labels, **ROW)
    assert torch.equal(cross_entropy(x, labels, **ROW), wanted)


def test_the_largest_finite_logit_is_below_infinity(backend: str) -> None:
    """R4. Its probability is 0 beside the one of +inf, in the loss and in the gradient."""
    x = torch.tensor([[torch.finfo(torch.float32).max, math.inf, 1.0]], requires_grad=True)
    loss = cross_entropy(x, torch.tensor([0]))
    loss.backward()
    assert loss == math.inf and x.grad is not None
    assert x.grad.tolist() == [[-1.0, 1.0, 0.0]]
