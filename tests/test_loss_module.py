"""CalibratedCrossEntropy: PyTorch's loss, and a histogram beside it."""

from __future__ import annotations

import io
import math
import pickle
from copy import copy, deepcopy
from typing import Any

import pytest
import torch
from calib_kernels import CalibrationHistogram, row_stats
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers.modeling_outputs import CausalLMOutput, SequenceClassifierOutput

from calib import CalibratedCrossEntropy
from calib.train.tally import Tally


def drawn(*shape: int, classes: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(*shape, classes, generator=generator)
    labels = torch.randint(classes, shape, generator=generator)
    labels.view(-1)[1] = -100
    return logits.requires_grad_(), labels


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_cross_entropy_over_any_leading_axes(reduction: str) -> None:
    logits, labels = drawn(3, 5)
    criterion = CalibratedCrossEntropy(
        temperature=1.7, label_smoothing=0.1, softcap=5.0, z_loss=1e-2, reduction=reduction
    )
    loss = criterion(logits, labels)
    u = 5.0 * torch.tanh(logits / 5.0) / 1.7
    plain = F.cross_entropy(u.movedim(-1, 1), labels, label_smoothing=0.1, reduction="none")
    plain = plain + 1e-2 * u.logsumexp(-1).square() * (labels != -100)
    wanted = {"none": plain, "sum": plain.sum(), "mean": plain.sum() / (labels != -100).sum()}
    torch.testing.assert_close(loss, wanted[reduction])
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted[reduction].sum(), logits)[0])


def test_shifted_labels_are_those_of_the_next_position() -> None:
    logits, labels = drawn(2, 6)
    wanted = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    causal = CausalLMOutput(logits=logits)
    torch.testing.assert_close(CalibratedCrossEntropy(shift=True)(logits, labels), wanted)
    # Unsaid, it is the kind of output that decides.
    unsaid = CalibratedCrossEntropy()
    torch.testing.assert_close(unsaid(causal, labels), wanted)
    torch.testing.assert_close(
        unsaid(SequenceClassifierOutput(logits=logits[0]), labels[0]),
        F.cross_entropy(logits[0], labels[0]),
    )
    torch.testing.assert_close(
        CalibratedCrossEntropy(shift=False)(causal, labels),
        F.cross_entropy(logits.flatten(0, 1), labels.flatten()),
    )


def test_items_are_what_the_sum_is_divided_by() -> None:
    logits, labels = drawn(4)
    wanted = F.cross_entropy(logits, labels, reduction="sum") / 7
    criterion = CalibratedCrossEntropy()
    torch.testing.assert_close(criterion(logits, labels, num_items_in_batch=7), wanted)
    torch.testing.assert_close(criterion(logits, labels, torch.tensor(7)), wanted)


def test_the_histogram_holds_what_was_trained_on() -> None:
    logits, labels = drawn(8)
    criterion = CalibratedCrossEntropy(temperature=2.0, bins=10)
    criterion(logits, labels).backward()
    criterion(logits, labels).backward()
    counted = criterion.histogram
    rows = row_stats(logits, labels, temperature=2.0)
    kept = labels != -100
    assert int(counted.count.sum()) == 2 * int(kept.sum())
    assert int(counted.correct.sum()) == 2 * int(rows.correct[kept].sum())
    with torch.no_grad():
        criterion(logits, labels)
    criterion.eval()(logits, labels)
    assert int(criterion.histogram.count.sum()) == 2 * int(kept.sum())
    criterion.histogram.reset()
    assert int(criterion.histogram.count.sum()) == 0


def test_the_histogram_survives_the_state_dict() -> None:
    logits, labels = drawn(8)
    criterion = CalibratedCrossEntropy(bins=10, temperature=3.0, learnable=True)
    criterion(logits, labels)
    file = io.BytesIO()
    torch.save(criterion.state_dict(), file)
    file.seek(0)
    other = CalibratedCrossEntropy(bins=15, learnable=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.histogram.bins == 10
    assert torch.equal(other.histogram.count, criterion.histogram.count)
    assert other.temperature.item() == pytest.approx(3.0)
    # Going on does not reach back into what was saved.
    saved = criterion.state_dict()["_extra_state"]
    before = saved.clone()
    criterion(logits, labels)
    assert torch.equal(saved, before)
    assert not list(criterion.buffers())


def test_a_learnable_temperature_finds_the_likelihoods_minimum() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(400, 5, generator=generator)
    labels = torch.distributions.Categorical(logits=logits).sample()
    criterion = CalibratedCrossEntropy(temperature=0.4, learnable=True)
    optimizer = torch.optim.LBFGS(criterion.parameters(), line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = criterion(4 * logits, labels)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    slope = torch.autograd.grad(criterion(4 * logits, labels), criterion.log_temperature)[0]
    assert abs(float(slope)) < 1e-4
    assert 3.0 < criterion.temperature.item() < 6.0
    assert repr(criterion).endswith("(learnable), bins=15)")
    assert CalibratedCrossEntropy().temperature == 1.0
    assert not list(CalibratedCrossEntropy().parameters())


def test_it_works_under_autocast() -> None:
    layer = nn.Linear(6, 11)
    x, (_, labels) = torch.randn(8, 6), drawn(8)
    criterion = CalibratedCrossEntropy(learnable=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = layer(x)
        loss = criterion(logits, labels)
    assert logits.dtype == torch.bfloat16 and loss.dtype == torch.float32
    loss.backward()
    torch.testing.assert_close(loss, F.cross_entropy(logits.float(), labels))
    assert layer.weight.grad is not None and criterion.log_temperature.grad is not None


def counted(criterion: CalibratedCrossEntropy) -> int:
    return int(criterion.histogram.count.sum())


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpointed_forward_counts_once(reentrant: bool) -> None:
    layer = nn.Linear(6, 11)
    x, (_, labels) = torch.randn(8, 6, requires_grad=True), drawn(8)
    criterion = CalibratedCrossEntropy()
    for rounds in (1, 2):
        loss = checkpoint(lambda x: criterion(layer(x), labels), x, use_reentrant=reentrant)
        loss.backward()
        assert counted(criterion) == 7 * rounds
    again = torch.autograd.grad(2 * F.cross_entropy(layer(x), labels), layer.weight)[0]
    torch.testing.assert_close(layer.weight.grad, again)
    plain = CalibratedCrossEntropy()
    for _ in range(2):
        plain(layer(x), labels)
    assert torch.equal(criterion.get_extra_state(), plain.get_extra_state())


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
def test_nested_checkpoints_count_once(outer: bool, inner: bool) -> None:
    layer = nn.Linear(6, 11)
    x, (_, labels) = torch.randn(8, 6, requires_grad=True), drawn(8)
    criterion = CalibratedCrossEntropy()

    def head(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return scale * criterion(layer(x), labels)

    def two_losses(x: torch.Tensor) -> torch.Tensor:
        first = criterion(layer(x), labels)
        return first + checkpoint(head, x, first, use_reentrant=inner)

    checkpoint(lambda x: head(x, x.sum()), x, use_reentrant=outer).backward()
    assert counted(criterion) == 7
    criterion.histogram.reset()
    checkpoint(two_losses, x, use_reentrant=outer).backward()
    assert counted(criterion) == 14


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_count_what_is_trained_on(reentrant: bool) -> None:
    layer = nn.Linear(6, 11)
    x, (_, labels) = torch.randn(8, 6, requires_grad=True), drawn(8)
    criterion = CalibratedCrossEntropy()

    def forward(x: torch.Tensor) -> Any:
        return checkpoint(lambda x: criterion(layer(x), labels), x, use_reentrant=reentrant)

    with torch.no_grad():
        forward(x)
    criterion.eval()
    forward(x).backward()
    assert counted(criterion) == 0
    criterion.train()
    loss = forward(x)
    loss.backward(retain_graph=True)
    loss.backward()
    assert counted(criterion) == 7
    torch._dynamo.reset()
    torch.compile(forward, backend="aot_eager")(x).backward()
    assert counted(criterion) == 14


@pytest.mark.parametrize("learnable", [True, False])
def test_it_compiles_as_one_graph(learnable: bool) -> None:
    logits, labels = drawn(3, 5)
    criterion = CalibratedCrossEntropy(z_loss=1e-3, learnable=learnable)
    loss = criterion(logits, labels, num_items_in_batch=torch.tensor(9))
    alone = criterion.get_extra_state()
    torch._dynamo.reset()
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    again = compiled(logits, labels, num_items_in_batch=torch.tensor(9))
    assert torch.equal(again, loss)
    assert torch.equal(criterion.get_extra_state(), 2 * alone)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (loss, again)]
    assert torch.equal(*gradients)


@pytest.mark.parametrize("learnable", [True, False])
def test_inference_mode_leaves_no_trace(learnable: bool) -> None:
    logits, labels = drawn(8)
    outside = CalibratedCrossEntropy(learnable=learnable)
    outside(logits, labels)
    with torch.inference_mode():
        inside = CalibratedCrossEntropy(learnable=learnable)
        inside.load_state_dict(outside.state_dict())
        copied = deepcopy(outside)
        outside(logits, labels)
        for criterion in (inside, copied, outside):
            criterion.histogram.merge(outside.histogram)
    for criterion in (inside, copied, outside):
        assert counted(criterion) == 14
        criterion(logits, labels).backward()
        assert counted(criterion) == 21 and criterion.histogram.values()["entropy"] > 0
        criterion.histogram.reset()
    if learnable:
        assert inside.log_temperature.grad is not None


@pytest.mark.parametrize("shape", [{}, {"z_loss": 1e-2, "softcap": 5.0, "label_smoothing": 0.1}])
def test_entropy_stands_beside_the_histogram(shape: dict[str, Any]) -> None:
    logits, labels = drawn(3, 5)
    criterion = CalibratedCrossEntropy(temperature=1.7, bins=10, **shape)
    for part, told in zip(logits, labels, strict=True):
        criterion(part, told)
    kept = labels.flatten() != -100
    u = criterion.capped(logits.detach()).flatten(0, 1)[kept]
    wanted = Tally.of_logits(u, labels.flatten()[kept], bins=10, temperature=1.7)
    found = criterion.histogram.values()
    assert list(found) == list(wanted.values())
    assert found == pytest.approx(wanted.values(), abs=1e-5)
    # Rows that come without entropies are no part of a mean.
    criterion.histogram.update([0.5], [1])
    assert "entropy" not in criterion.histogram.values()
    criterion.histogram.reset()
    criterion(logits, labels)
    assert "entropy" in criterion.histogram.values()
    criterion.histogram.merge(CalibrationHistogram(10))
    assert "entropy" in criterion.histogram.values()


def test_a_tally_is_the_same_in_any_order() -> None:
    logits, labels = drawn(64)
    parts = [
        Tally.of_logits(x, y, bins=5)
        for x, y in zip(logits.detach().split(9), labels.split(9), strict=True)
    ]
    whole = Tally.of_logits(logits, labels, bins=5)
    backwards = sum(reversed(parts))
    for again in (backwards, copy(whole), pickle.loads(pickle.dumps(whole)), whole.all_reduce()):
        assert isinstance(again, Tally)
        assert again.values() == whole.values() and "entropy" in whole.values()
    state = copy(whole).state_dict()
    assert state["entropies"][1] == 0
    copied = copy(whole)
    copied.reset()
    assert whole.state_dict()["entropies"].tolist() == state["entropies"].tolist()


def test_states_of_before_are_read() -> None:
    """A temperature without an axis, and a histogram without entropies."""
    logits, labels = drawn(8)
    criterion = CalibratedCrossEntropy(learnable=True)
    criterion(logits, labels)
    state = criterion.state_dict()
    assert state["log_temperature"].shape == (1,)
    old = {"log_temperature": torch.tensor(0.7), "_extra_state": state["_extra_state"][:46]}
    for assign in (False, True):
        other = CalibratedCrossEntropy(learnable=True)
        other.load_state_dict(old, assign=assign)
        assert other.log_temperature.shape == (1,)
        assert other.temperature.shape == ()
        assert other.temperature.item() == pytest.approx(math.exp(0.7))
        assert counted(other) == 7
        assert "entropy" not in other.histogram.values()
        other.histogram.reset()
        other(logits, labels)
        assert other.histogram.values()["entropy"] > 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("items", [0, torch.tensor(0), torch.tensor(0.0)], ids=str)
def test_no_items_are_the_call_without(reduction: str, items: Any) -> None:
    logits, labels = drawn(4)
    criterion = CalibratedCrossEntropy(reduction=reduction)
    for told in (torch.full_like(labels, -100), labels):
        wanted = criterion(logits, told)
        for mode in (criterion.train(), criterion.eval()):
            torch.testing.assert_close(mode(logits, told, num_items_in_batch=items), wanted)
    ignored = criterion.train()(logits, torch.full_like(labels, -100), num_items_in_batch=items)
    assert float(ignored.detach()) == 0.0
    assert not torch.autograd.grad(ignored, logits)[0].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CalibratedCrossEntropy(temperature=0.0), "temperature must be positive"),
        (lambda: CalibratedCrossEntropy()({}, torch.zeros(1)), "outputs must be logits"),
        (lambda: CalibratedCrossEntropy()(torch.zeros(2, 3), torch.zeros(3).long()), "labels must"),
        (lambda: CalibratedCrossEntropy()(torch.zeros(2, 3), None), "got NoneType: Trainer hands"),
    ],
)
def test_unfit_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_tally_counts_in_the_ops_unit():
    """One row over two equal classes: ln 2 nats, in integers as ``entropy_sums`` has them."""
    tally = Tally.of_logits(torch.zeros(1, 2), torch.tensor([0]), bins=5)
    assert tally.values()["entropy"] == pytest.approx(math.log(2), abs=2**-23)
