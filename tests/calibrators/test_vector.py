"""Vector scaling: its minimum, the options it lacks, and the answers that it changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calib.calibrators import VectorScaling, judged
from calib.records import InputError
from tests.calibrated import drawn, sure
from tests.golden import golden_sets
from tests.house import ROOT

PAGE = " ".join((ROOT / "docs" / "remedies.md").read_text().split())


def biased(n, seed=0):
    """Letters of which the model prefers the first by 1.5, and is twice as sure as it may be."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return 2 * z + np.array([3.0, 0, 0, 0]), drawn(rng, p)


def test_the_minimum_is_that_of_torch():
    z, y = biased(400)
    x, gold = torch.tensor(z).log_softmax(1), torch.tensor(y)
    slopes = torch.ones(4, dtype=torch.float64, requires_grad=True)
    shifts = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [slopes, shifts], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-10
    )

    def loss():
        solver.zero_grad()
        prior = ((slopes - 1) ** 2).sum() + (shifts**2).sum()
        total = torch.nn.functional.cross_entropy(x * slopes + shifts, gold, reduction="sum")
        (total + 0.5 * prior).backward()
        return (total + 0.5 * prior).detach()

    solver.step(loss)
    fitted = VectorScaling().fit(z, y)
    # Both stop where rounding hides the next step: 1e-6 of numbers about 1.
    np.testing.assert_allclose(fitted.slopes_, slopes.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(fitted.shifts_, shifts.detach().numpy(), atol=1e-5)


def test_without_a_bias_the_slopes_are_the_inverse_temperature():
    _, fitted, z, y = list(golden_sets())[2]
    slopes = VectorScaling().fit(z, y).slopes_
    assert slopes.mean() == pytest.approx(1 / fitted, rel=0.05)  # four numbers for one


def test_a_preferred_letter_is_undone_and_answers_change():
    z, y = biased(2000)
    new, gold = biased(2000, seed=1)
    before, after = judged(None, new), judged(VectorScaling().fit(z, y), new)
    assert (after.prediction == gold).mean() > (before.prediction == gold).mean() + 0.05
    shares = np.bincount(after.prediction, minlength=4) / 2000
    assert shares.max() < 0.3 < np.bincount(before.prediction).max() / 2000
    # At the minimum the mean probability of an option is its share, but for the prior's pull.
    p = VectorScaling().fit(z, y).predict_proba(z).mean(axis=0)
    np.testing.assert_allclose(p, np.bincount(y, minlength=4) / 2000, atol=2 / 2000)


def test_absent_options_stay_absent():
    z, y = biased(600)
    z[::2, 3] = -np.inf
    y = np.where((y == 3) & (np.arange(600) % 2 == 0), 0, y)
    p = VectorScaling().fit(z, y).predict_proba(z)
    assert (p[::2, 3] == 0).all() and (p[1::2, 3] > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    shifted = VectorScaling().fit(z + 100 * np.arange(600)[:, None], y)
    np.testing.assert_allclose(shifted.predict_proba(z), p, atol=1e-6)


def test_the_fewer_the_rows_the_more_the_prior_draws():
    """What docs/remedies.md says of slopes and shifts: the same rows, once and ten times."""
    z, y = biased(40)
    few, many = (VectorScaling().fit(np.tile(z, (k, 1)), np.tile(y, k)) for k in (1, 10))
    reach = [((each.slopes_ - 1) ** 2).sum() + (each.shifts_**2).sum() for each in (few, many)]
    assert reach[0] < 0.7 * reach[1]  # it falls with the prior's weight; without one they are equal
    assert "Slopes are drawn towards 1 and shifts towards 0 by a normal prior of width 1" in PAGE


def test_separable_sets_stay_finite():
    z, _ = sure(40)
    for y in (z.argmax(axis=1), z.argmin(axis=1), np.zeros(40, int)):
        fitted = VectorScaling().fit(z, y)
        assert np.isfinite([fitted.slopes_, fitted.shifts_]).all()
        assert np.isfinite(fitted.transform(z)).all()
        assert abs(fitted.slopes_).max() < 10


def test_what_it_cannot_scale_is_refused():
    z, y = sure(40)
    with pytest.raises(InputError, match="at most the 4 options"):
        VectorScaling().fit(z, y).transform(np.zeros((2, 5)))
    z[0, y[0]] = -np.inf
    with pytest.raises(InputError, match="no slope can help"):
        VectorScaling().fit(z, y)
