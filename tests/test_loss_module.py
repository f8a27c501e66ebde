"""CalibratedCrossEntropy: PyTorch's loss, and a histogram beside it."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from calib_kernels import row_stats
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers.modeling_outputs import CausalLMOutput, SequenceClassifierOutput

from calib import CalibratedCrossEntropy


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


def test_a_checkpointed_forward_counts_once() -> None:
    layer = nn.Linear(6, 11)
    x, (_, labels) = torch.randn(8, 6), drawn(8)
    criterion = CalibratedCrossEntropy()
    loss = checkpoint(lambda: criterion(layer(x), labels), use_reentrant=False)
    loss.backward()
    assert int(criterion.histogram.count.sum()) == 7
    again = torch.autograd.grad(F.cross_entropy(layer(x), labels), layer.weight)[0]
    torch.testing.assert_close(layer.weight.grad, again)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CalibratedCrossEntropy(temperature=0.0), "temperature must be positive"),
        (lambda: CalibratedCrossEntropy()({}, torch.zeros(1)), "outputs must be logits"),
        (lambda: CalibratedCrossEntropy()(torch.zeros(2, 3), torch.zeros(3).long()), "labels must"),
    ],
)
def test_unfit_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
