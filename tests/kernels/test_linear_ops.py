"""The registered ops of the head: torch.library, torch.compile, autocast, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from calib_kernels import (
    CalibrationHistogram,
    OptionScores,
    linear_cross_entropy,
    linear_option_scores,
)
from torch import Tensor
from torch.nn import functional

from tests.gate.agreement import same_bits
from tests.kernels.cases import IDS
from tests.kernels.heads import Head, head

OPS = torch.ops.calib_kernels


def skip_float64(dtype: torch.dtype, backend: str) -> None:
    if dtype == torch.float64 and backend != "reference":
        pytest.skip("float64 is for the reference")


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_opcheck_linear_cross_entropy(backend: str, full: bool, dtype: torch.dtype) -> None:
    skip_float64(dtype, backend)
    given = head(6).to(dtype)
    given.labels.clamp_(max=98)  # a label of padding has loss NaN, which opcheck finds unequal
    real = torch.float64 if dtype == torch.float64 else torch.float32
    t = torch.full((6,), 1.3, dtype=real) if full else None
    bias = given.bias if full else None
    arguments = (*given[:2], bias, given.labels, 0.7, t, -100, 99, 10 * full)
    # What is stored has padding, which opcheck finds unequal.
    for reduction, wanted in (("none", [False] * 3), ("mean", [True, full, full])):
        torch.library.opcheck(OPS.linear_cross_entropy.default, (*arguments, reduction, 0, wanted))
    torch.library.opcheck(
        OPS.linear_cross_entropy_scale.default,
        (given.hidden, given.weight, given.bias[: 99 * full], torch.rand((), dtype=real)),
    )
    top, log2_d, sent = (torch.rand(6, dtype=real) for _ in range(3))
    for wanted, rows in (([True, True, True], 6), ([full, not full, False], 0)):
        stored = torch.rand(rows, 128, dtype=dtype)
        torch.library.opcheck(
            OPS.linear_cross_entropy_backward.default,
            (*arguments, top, log2_d, stored, sent, wanted),
        )


def test_opcheck_with_gradients(backend: str) -> None:
    leaves = head(6).leaves()
    t = torch.full((6,), 1.3, requires_grad=True)
    arguments = (*leaves[:3], leaves.labels, 1.0, t, -100, 99, 0)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    for reduction in ("none", "sum"):
        torch.library.opcheck(
            OPS.linear_cross_entropy.default, (*arguments, reduction, 0, [True] * 3),
            test_utils=tests,
        )  # fmt: skip


@pytest.mark.parametrize("vocabulary", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_opcheck_linear_option_scores(backend: str, full: bool, vocabulary: bool) -> None:
    given = head(6)
    labels = torch.arange(6) % 3 if full else None
    t = torch.full((6,), 1.3) if full else None
    ids = IDS[None].expand(6 if full else 1, -1, -1).contiguous()
    mode = "vocab" if vocabulary else "options"
    torch.library.opcheck(
        OPS.linear_option_scores.default,
        (*given[:2], given.bias if full else None, labels, 0.7, t, -100, 99, 10 * full, ids, mode,
         vocabulary),
    )  # fmt: skip


def step(h: Tensor, w: Tensor, b: Tensor, labels: Tensor, t: Tensor, seen: Any) -> Tensor:
    return linear_cross_entropy(h * 2, w, labels, bias=b, temperature=t, histogram=seen)


def test_compiles_as_one_graph(backend: str) -> None:
    """R18, R30. Whole, with gradients and histogram, for changing N and V, to the same bits."""
    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, dynamic=True, backend="aot_eager")
    counts = []
    for n, columns in ((8, 101), (5, 101), (7, 83)):
        results = []
        for run in (step, compiled):
            leaves, seen = head(n, 16, columns).leaves(), CalibrationHistogram(10)
            t = torch.tensor(1.7, requires_grad=True)
            loss = run(*leaves[:3], leaves.labels, t, seen)
            loss.backward()
            results.append((loss.detach(), *(x.grad for x in (*leaves[:3], t)), seen.count))
        for a, b in zip(*results, strict=True):
            assert a is not None and b is not None and torch.equal(a, b)
        counts.append(int(results[1][-1].sum()))
    assert counts == [8, 5, 7]


@pytest.mark.parametrize("vocabulary", [True, False])
def test_option_scores_compile(backend: str, vocabulary: bool) -> None:
    given = head(6)

    def score(h: Tensor, w: Tensor) -> OptionScores:
        return linear_option_scores(h * 2, w, IDS, torch.arange(6) % 3, vocabulary=vocabulary)

    torch._dynamo.reset()
    compiled = torch.compile(score, fullgraph=True, dynamic=True, backend="aot_eager")
    same_bits(compiled(*given[:2]), score(*given[:2]))


@pytest.mark.slow
def test_compiles_with_inductor(backend: str) -> None:
    torch._dynamo.reset()
    results = []
    for run in (step, torch.compile(step, fullgraph=True)):
        leaves = head(8).leaves()
        loss = run(*leaves[:3], leaves.labels, torch.tensor(1.7), None)
        loss.backward()
        results.append((loss.detach(), *(x.grad for x in leaves[:3])))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_fake_tensors_have_the_real_shapes(backend: str) -> None:
    given = head(6)
    for vocabulary in (True, False):
        inputs = (*given[:2], given.labels % 3)
        real = linear_option_scores(*given[:2], IDS, inputs[2], vocabulary=vocabulary)
        with torch._subclasses.FakeTensorMode() as mode:
            h, w, labels = (mode.from_tensor(x) for x in inputs)
            fake = linear_option_scores(h, w, mode.from_tensor(IDS), labels, vocabulary=vocabulary)
        for a, b in zip(real, fake, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())


def test_upstream_gradients(backend: str) -> None:
    """R14, R15, R31: expanded, one for each row, and twice."""
    leaves = head().leaves()
    loss = linear_cross_entropy(*leaves[:2], leaves.labels, bias=leaves.bias, reduction="none")
    expanded = torch.ones(()).expand(17)
    first = torch.autograd.grad(loss, leaves[:3], expanded, retain_graph=True)
    again = torch.autograd.grad(loss, leaves[:3], torch.ones(17), retain_graph=True)
    rows = torch.linspace(-1, 1, 17)
    weighed = torch.autograd.grad(loss, leaves[:3], rows)
    plain = head().leaves()
    logits = functional.linear(*plain[:2], plain.bias)
    wanted = torch.autograd.grad(
        functional.cross_entropy(logits, plain.labels, reduction="none"), plain[:3], rows
    )
    for a, b, c, d in zip(first, again, weighed, wanted, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(c, d, rtol=1e-5, atol=1e-6)


def test_a_second_derivative_is_refused(backend: str) -> None:
    leaves = head().leaves()
    loss = linear_cross_entropy(*leaves[:2], leaves.labels)
    (d_hidden,) = torch.autograd.grad(loss, leaves.hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="linear_cross_entropy has a first derivative and no"):
        d_hidden.square().sum().backward()


def test_without_gradients_none_is_kept(backend: str) -> None:
    leaves = head().leaves()
    with torch.no_grad():
        assert not linear_cross_entropy(*leaves[:2], leaves.labels).requires_grad
    found = linear_option_scores(*leaves[:2], IDS)
    assert not any(f.requires_grad for f in found if f is not None)


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16], ids=str)
def test_autocast(backend: str, low: torch.dtype) -> None:
    """Mixed inputs are cast as F.linear casts them; gradients arrive in each one's own dtype."""
    given = head()
    mixed = Head(given.hidden.to(low), *given[1:]).leaves()
    with torch.autocast("cpu", low):
        loss = linear_cross_entropy(*mixed[:2], given.labels, bias=mixed.bias)
        scores = linear_option_scores(*mixed[:2], IDS, bias=mixed.bias)
    loss.backward()
    cast = given.to(low)
    same = cast.leaves()
    wanted = linear_cross_entropy(*same[:2], given.labels, bias=same.bias)
    wanted.backward()
    assert torch.equal(loss, wanted)
    same_bits(scores, linear_option_scores(*cast[:2], IDS, bias=cast.bias))
    for leaf, other, original in zip(mixed[:3], same[:3], (low, torch.float32, torch.float32),
                                     strict=True):  # fmt: skip
        assert leaf.grad is not None and other.grad is not None and leaf.grad.dtype == original
        assert torch.equal(leaf.grad, other.grad.to(original))


def test_autocast_under_compile(backend: str) -> None:
    given = head()

    def run(h: Tensor, w: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return linear_cross_entropy(h, w, given.labels)

    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(*given[:2]), run(*given[:2]))


def test_under_checkpoint(backend: str) -> None:
    results = []
    for again in (False, True):
        leaves = head().leaves()

        def run(h: Tensor, w: Tensor, labels: Tensor = leaves.labels) -> Tensor:
            return linear_cross_entropy(h * 1.5, w, labels)

        if again:
            loss = torch.utils.checkpoint.checkpoint(run, *leaves[:2], use_reentrant=False)
        else:
            loss = run(*leaves[:2])
        loss.backward()
        results.append([leaf.grad for leaf in leaves[:2]])
    for a, b in zip(*results, strict=True):
        assert a is not None and b is not None and torch.equal(a, b)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hidden": torch.ones(4)}, ValueError, r"hidden must be \(N, H\)"),
        ({"hidden": torch.ones(4, 3, dtype=torch.bfloat16)}, TypeError, "the dtype of hidden"),
        ({"hidden": torch.ones(4, 3, dtype=torch.int64)}, TypeError, "hidden must be float32"),
        ({"hidden": [[1.0]]}, TypeError, "hidden must be a torch.Tensor"),
        ({"weight": torch.ones(5, 2)}, ValueError, r"weight must be \(V, H=3\)"),
        ({"weight": torch.ones(0, 3)}, ValueError, "V >= 1"),
        ({"bias": torch.ones(4)}, ValueError, r"bias must be \(V=5,\)"),
        ({"bias": torch.ones(5, device="meta")}, ValueError, "bias must be on cpu"),
        ({"temperature": 0.0}, ValueError, "temperature must be positive"),
        ({"vocab_size": 6}, ValueError, r"vocab_size must be in 1\.\.5"),
    ],
)
def test_what_both_refuse(change: dict[str, Any], error: type[Exception], message: str) -> None:
    given: dict[str, Any] = {"hidden": torch.ones(4, 3), "weight": torch.ones(5, 3)} | change
    with pytest.raises(error, match=message):
        linear_cross_entropy(labels=torch.zeros(4, dtype=torch.int64), **given)
    with pytest.raises(error, match=message):
        linear_option_scores(option_ids=[0, 1], **given)


def test_what_one_refuses() -> None:
    h, w, labels = torch.ones(4, 3), torch.ones(5, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match="reduction must be"):
        linear_cross_entropy(h, w, labels, reduction="median")
    with pytest.raises(TypeError, match="labels must be an integer tensor, got None"):
        linear_cross_entropy(h, w, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="histogram needs labels"):
        linear_option_scores(h, w, [0, 1], histogram=CalibrationHistogram(5))
    with pytest.raises(ValueError, match="needs vocabulary=True"):
        linear_option_scores(h, w, [0, 1], confidence="vocab", vocabulary=False)
    for vocabulary in (True, False):
        with pytest.raises(ValueError, match=r"option_ids must be in 0\.\.4"):
            linear_option_scores(h, w, [0, 5], vocabulary=vocabulary)
        with pytest.raises(ValueError, match="must not share a token"):
            linear_option_scores(h, w, [2, 2], vocabulary=vocabulary)
