"""The torchmetrics metric: sums, so that batches, order and ranks do not matter."""

from __future__ import annotations

import copy

import pytest
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError

from calib import metrics


@pytest.mark.parametrize(("norm", "name"), [("l1", "ece"), ("l2", "rmsce"), ("max", "mce")])
def test_batches_add_up_to_the_whole(rows, norm, name):
    c, a = (torch.from_numpy(values) for values in rows)
    metric = metrics.CalibrationError(bins=10, norm=norm)
    for part in torch.arange(len(c)).split(300):
        metric.update(c[part], a[part])
    expected = getattr(metrics, name)(*rows, bins=10)
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-9)


def test_order_leaves_the_bits_alone(rows):
    c, a = (torch.from_numpy(values) for values in rows)
    first, second = metrics.CalibrationError(), metrics.CalibrationError()
    first.update(c, a)
    order = torch.randperm(len(c), generator=torch.Generator().manual_seed(0))
    for part in order.split(7):
        second.update(c[part], a[part])
    assert torch.equal(first.sums, second.sums)


def test_reset_state_and_sync_by_sum():
    metric = metrics.CalibrationError(bins=5)
    metric.persistent(True)
    metric.update(torch.tensor([0.9, 0.2]), torch.tensor([1, 0]))
    other = metrics.CalibrationError(bins=5)
    other.load_state_dict(copy.deepcopy(metric.state_dict()))
    metric.reset()
    assert int(metric.sums.sum()) == 0
    over_ranks = metric._reductions["sums"](torch.stack([metric.sums, other.sums]))
    assert torch.equal(over_ranks, other.sums)


def test_unfit_rows_are_counted():
    metric = metrics.CalibrationError(bins=5)
    metric.update(torch.tensor([0.9, float("nan")]), torch.tensor([1, 0]))
    assert int(metric.histogram.invalid) == 1
    assert int(metric.histogram.count.sum()) == 1


def test_nothing_yet_is_nan_and_unknown_norms_are_named():
    with pytest.warns(RuntimeWarning), pytest.warns(UserWarning):
        assert torch.isnan(metrics.CalibrationError().compute())
    with pytest.raises(ValueError, match="norm must be one of l1, l2, max"):
        metrics.CalibrationError(norm="l3")


def test_forward_gives_the_batch_and_keeps_the_whole(rows):
    c, a = (torch.from_numpy(values) for values in rows)
    metric = metrics.CalibrationError(bins=10)
    for part in torch.arange(len(c)).split(300):
        value = metric(c[part], a[part])
        batch = metrics.ece(rows[0][part], rows[1][part], bins=10)
        assert float(value) == pytest.approx(batch, abs=1e-9)
    assert float(metric.compute()) == pytest.approx(metrics.ece(*rows, bins=10), abs=1e-9)
    assert set(MetricCollection([metric]).compute()) == {"CalibrationError"}


def test_it_draws_values_as_torchmetrics_does(rows):
    metric = metrics.CalibrationError()
    metric.update(*(torch.from_numpy(values) for values in rows))
    figure, axes = metric.plot()
    assert axes.get_ylim()[0] <= 0.0 and axes.get_ylim()[1] >= 1.0
    (point,) = axes.get_lines()
    assert point.get_ydata()[0] == pytest.approx(float(metric.compute()))
    _, over_time = metric.plot([metric.compute(), torch.tensor(0.5)], ax=figure.add_subplot())
    assert [len(line.get_ydata()) for line in over_time.get_lines()] == [2]


def test_torchmetrics_own_arguments():
    """Classes' probabilities and classes, as torchmetrics takes them; 15 bins, none at an edge."""
    generator = torch.Generator().manual_seed(0)
    preds = torch.softmax(torch.randn(2000, 4, generator=generator), dim=1)
    target = torch.randint(4, (2000,), generator=generator)
    theirs = MulticlassCalibrationError(num_classes=4, n_bins=15)
    theirs.update(preds, target)
    for arguments, keywords in (((preds, target), {}), ((), {"preds": preds, "target": target})):
        ours = metrics.CalibrationError()
        ours.update(*arguments, **keywords)
        assert float(ours.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)
    binary, own = BinaryCalibrationError(n_bins=15), metrics.CalibrationError()
    binary.update(preds[:, 0], target == 0)
    own.update(preds[:, 0], target == 0)
    assert float(own.compute()) == pytest.approx(float(binary.compute()), abs=1e-6)


def test_logits_are_not_guessed_at():
    metric = metrics.CalibrationError()
    with pytest.raises(ValueError, match="1 rows do not sum to 1"):
        metric.update(torch.tensor([[2.0, -1.0]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="confidence and correct, or preds and target"):
        metric.update(torch.tensor([0.5]))


def test_inference_mode_leaves_no_trace() -> None:
    confidence, correct = torch.rand(20), torch.rand(20) > 0.5
    plain = metrics.CalibrationError()
    with torch.inference_mode():
        inside, clone = metrics.CalibrationError(), plain.clone()
        for metric in (inside, clone, plain):
            metric.update(confidence, correct)
            metric(confidence, correct)
        histogram = plain.histogram
    histogram.update(confidence, correct)
    for metric in (inside, clone, plain):
        metric.update(confidence, correct)
        assert metric(confidence, correct) == metric.compute() == inside.compute()
        metric.reset()
        metric.update(confidence, correct)
        assert int(metric.histogram.count.sum()) == 20
        metric.update(confidence, correct)


def test_classes_that_are_none_and_what_is_no_tensor_are_refused() -> None:
    even = torch.full((2, 4), 0.25)
    for target in (torch.tensor([0, 4]), torch.tensor([-1, 0])):
        with pytest.raises(ValueError, match=r"classes 0\.\.3"):
            metrics.CalibrationError().update(preds=even, target=target)
    for given in ([0.5], torch.tensor([0.5 + 1j])):
        with pytest.raises(ValueError, match="tensors of real numbers"):
            metrics.CalibrationError().update(given, torch.tensor([1]))
