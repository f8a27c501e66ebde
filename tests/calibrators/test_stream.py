"""A temperature from one pass over logits that are not kept."""

from __future__ import annotations

import math
import resource

import numpy as np
import pytest
import torch

from calib.calibrators import TemperatureScaling, TemperatureStream, load
from calib.calibrators.stream import GRID
from calib.calibrators.temperature import DegenerateTemperatureWarning
from calib.records import InputError
from tests.calibrated import sure
from tests.golden import golden_sets

CLOSE = 1e-4  # what the documentation promises


def streamed(z, y, rows=500, dtype=torch.float32):
    stream = TemperatureStream()
    for start in range(0, len(z), rows):
        end = start + rows
        stream.update(torch.tensor(z[start:end], dtype=dtype), torch.tensor(y[start:end]))
    return stream.fit()


def test_golden_fits():
    for _, fitted, z, y in golden_sets():
        assert streamed(z, y).temperature_ == pytest.approx(fitted, rel=CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_any_temperature_from_a_twentieth_to_twenty(dtype):
    # The same rows at any scale: T is the scale times that of the first.
    z, y = sure(1000, true=1, options=8)
    for true in np.geomspace(0.05, 20, 60):
        scaled = torch.tensor(z * true).to(dtype)
        found = streamed(scaled.double().numpy(), y, dtype=dtype)
        exact = TemperatureScaling().fit(scaled.double().numpy(), y)
        assert 0.04 < exact.temperature_ < 25
        assert found.temperature_ == pytest.approx(exact.temperature_, rel=CLOSE)
        assert found.nll_after_ == pytest.approx(exact.nll_after_, abs=1e-6)  # of float32 logits
        assert found.nll_before_ == pytest.approx(exact.nll_before_, rel=1e-5)
        assert not found.degenerate_ and found.low_ is None and found.n_fit_ == 1000


def test_options_ignored_rows_and_merged_streams():
    z, y = sure(600, options=5)
    wide = torch.randn(600, 40, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([3, 9, 11, 20, 38])
    wide[:, ids] = torch.tensor(z).float()
    labels = torch.tensor(y)
    labels[::3] = -100
    one, other = TemperatureStream(), TemperatureStream()
    one.update(wide[:300], labels[:300], option_ids=ids)
    other.update(wide[300:], labels[300:], option_ids=ids)
    found = one.merge(other).merge(TemperatureStream()).fit()
    kept = np.arange(600) % 3 > 0
    exact = TemperatureScaling().fit(z[kept], y[kept]).temperature_
    assert found.n_fit_ == 400
    assert found.temperature_ == pytest.approx(exact, rel=CLOSE)


@pytest.mark.parametrize(
    ("z", "y", "expected", "reason"),
    [
        ([[3.0, 0.0], [0.0, 3.0]], [0, 1], GRID[-1], "outside"),
        ([[3.0, 0.0], [0.0, 3.0]], [1, 0], GRID[0], "no higher than the other"),
        ([[1.0, 1.0], [2.0, 2.0]], [0, 1], 1.0, "constant"),
    ],
)
def test_degenerate_sets_are_clamped_and_said(z, y, expected, reason):
    with pytest.warns(DegenerateTemperatureWarning, match=reason):
        found = streamed(np.array(z), np.array(y))
    assert found.temperature_ == expected and found.degenerate_
    assert math.isfinite(found.nll_after_)


def test_what_has_no_likelihood_is_refused():
    with pytest.raises(InputError, match="no labelled row"):
        TemperatureStream().fit()
    with pytest.raises(InputError, match="no labelled row"):
        TemperatureStream().update(torch.zeros(2, 3), torch.tensor([-100, -100])).fit()
    for bad in (math.nan, math.inf):
        stream = TemperatureStream().update(torch.tensor([[0.0, bad]]), torch.tensor([0]))
        with pytest.raises(InputError, match="no likelihood"):
            stream.fit()
    with pytest.raises(InputError, match="TemperatureStream"):
        TemperatureScaling(method="streamed").fit([[1.0, 0.0]], [0])


def test_it_is_saved_and_loaded_as_a_temperature(tmp_path):
    found = streamed(*sure(200))
    assert load(found.save(tmp_path / "t.json")) == found


def vocabulary(rows, width, batch, true):
    """Batches of peaked logits over a vocabulary, and labels drawn at ``true``."""
    rng = torch.Generator().manual_seed(0)
    for _ in range(0, rows, batch):
        z = 2 * torch.randn(batch, width, generator=rng)
        z[:, :20] += 12
        noise = torch.rand(batch, width, generator=rng).clamp_(min=1e-30).log_().neg_().log_()
        yield z, noise.mul_(-true).add_(z).argmax(1)  # Gumbel's: a draw from softmax(z / true)


@pytest.mark.parametrize("scale", [0.05, 0.17, 0.37, 1, 2.7, 5.7, 12, 20])
def test_a_vocabulary_whose_tail_takes_over(scale):
    """With 30,000 unlikely tokens beside 20 likely ones it turns within a tenth of T."""
    stream, batches = TemperatureStream(), list(vocabulary(60, 30_000, 20, 1.0))
    for z, y in batches:
        stream.update(scale * z, y)
    z, y = (torch.cat(each) for each in zip(*batches, strict=True))
    exact = TemperatureScaling().fit(scale * z, y).temperature_
    assert exact == pytest.approx(scale, rel=0.1)
    assert stream.fit().temperature_ == pytest.approx(exact, rel=CLOSE)


@pytest.mark.slow
def test_a_vocabulary_of_151936_in_bounded_memory():
    """1.2 GB of logits pass through; no more than some batches of 49 MB are ever held."""
    shape = 2000, 151_936, 80, 1.3  # a batch above 32 MB, which malloc gives back when it is freed
    for z, y in vocabulary(240, *shape[1:]):  # what making and sweeping batches takes
        TemperatureStream().update(z, y)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stream = TemperatureStream()
    labels = []
    for z, y in vocabulary(*shape):
        stream.update(z, y)
        labels.append(y)
    found = stream.fit()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 150 * 1024  # KiB, of 1.2 GB: three batches
    assert found.n_fit_ == 2000
    # The minimum lies between the temperatures at which the slope, in float64, has either sign.
    betas = [(1 - CLOSE) / found.temperature_, (1 + CLOSE) / found.temperature_]
    slopes = [0.0, 0.0]
    for (z, _), y in zip(vocabulary(*shape), labels, strict=True):
        wide = z.double()
        gold = float(wide.gather(1, y[:, None]).sum())
        for k, beta in enumerate(betas):
            slopes[k] += float(((beta * wide).softmax(-1) * wide).sum()) - gold
    assert slopes[0] < 0 < slopes[1]
