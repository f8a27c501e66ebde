"""A temperature for each group, shrunk: against no shrinkage and against one for all."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from calib.calibrators import GroupedTemperature, TemperatureScaling
from calib.calibrators.grouped import Own, between
from calib.calibrators.scores import log_softmax
from calib.calibrators.temperature import DegenerateTemperatureWarning, softmax
from calib.records import InputError
from tests.calibrated import drawn, sure

SEEDS = 200
GROUPS = 10


def losses(seed, spread):
    """Expected NLL on held-out scores under one T, each group's own, and the shrunk ones."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([12, 25, 50, 100, 200], size=GROUPS)
    true = np.exp(0.5 + spread * rng.normal(size=GROUPS))
    group = np.repeat(np.arange(GROUPS), sizes)
    z = 3 * rng.normal(size=(len(group), 4))
    y = drawn(rng, softmax(z / true[group][:, None]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateTemperatureWarning)
        one = TemperatureScaling().fit(z, y).temperature_
        own = [
            TemperatureScaling().fit(z[group == k], y[group == k]).temperature_
            for k in range(GROUPS)
        ]
        shrunk = GroupedTemperature().fit(z, y, groups=group)
    new = np.arange(1000) % GROUPS
    z = 3 * rng.normal(size=(1000, 4))
    p = softmax(z / true[new][:, None])
    temperatures = (
        np.full(1000, one),
        np.array(own)[new],
        shrunk.temperatures_of([str(k) for k in new]),
    )
    return [float(-(p * log_softmax(z / t[:, None])).sum() / 1000) for t in temperatures]


@pytest.mark.parametrize("spread", [0.6, 0.3])
def test_where_groups_differ_shrinkage_beats_one_and_own_temperatures(spread):
    found = np.array([losses(seed, spread) for seed in range(SEEDS)])
    for other in (0, 1):
        gain = found[:, other] - found[:, 2]
        # Own temperatures have a heavy tail (a group all right gets T = .001): not the mean alone.
        assert gain.mean() > 0 and np.median(gain) > 0
        assert (gain > 0).mean() > 0.6  # three standard errors above a half
    one = found[:, 0] - found[:, 2]
    assert one.mean() > 5 * one.std() / math.sqrt(SEEDS)


def test_where_groups_are_equal_shrinkage_costs_less_than_a_thousandth():
    found = np.array([losses(seed, 0.0) for seed in range(SEEDS)])
    cost = found[:, 2] - found[:, 0]
    assert cost.mean() + 3 * cost.std() / math.sqrt(SEEDS) < 0.001  # nats, of about 0.8
    assert (found[:, 1] - found[:, 2]).mean() > 0.01


def test_a_group_of_twelve_right_answers_gets_nearly_the_others_temperature():
    z, y = sure(900, true=2)
    group = np.repeat(["a", "b", "c"], 300)
    z[group == "b"] *= 2  # T = 4
    few, _ = sure(12, seed=9)
    fitted = GroupedTemperature().fit(
        np.concatenate([z, few]),
        np.concatenate([y, few.argmax(axis=1)]),
        groups=[*group, *["few"] * 12],
    )
    assert fitted.groups_["few"].own is None
    assert 1 < fitted.groups_["few"].temperature < fitted.temperature_ < 4
    for name, true in (("a", 2), ("b", 4), ("c", 2)):
        own = fitted.groups_[name].own
        assert fitted.groups_[name].temperature == pytest.approx(own, rel=0.05)
        assert own == pytest.approx(true, rel=0.3)
    assert fitted.temperatures_of(["never seen"]) == fitted.temperature_


def test_equal_groups_share_the_temperature_of_all():
    z, y = sure(300)
    fitted = GroupedTemperature().fit(
        np.tile(z, (3, 1)), np.tile(y, 3), groups=np.repeat([1, 2, 3], 300)
    )
    assert fitted.between_ == 0
    one = TemperatureScaling().fit(z, y).temperature_
    temperatures = [group.temperature for group in fitted.groups_.values()]
    assert temperatures == pytest.approx([one] * 3, rel=1e-9)


def test_a_balanced_variance_has_a_closed_form():
    # Equal errors: REML's variance is the sample variance less the squared error.
    t = np.array([0.1, 0.5, 0.2, 0.9])
    mean, variance = between(t, np.full(4, 0.2))
    assert mean == pytest.approx(t.mean())
    assert variance == pytest.approx(t.var(ddof=1) - 0.04, rel=1e-6)
    assert between(t, np.full(4, 2.0))[1] == 0


def test_the_variance_is_the_maximum_of_the_restricted_likelihood():
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(0)
    error = rng.uniform(0.05, 0.5, 12)
    t = rng.normal(0.3, 0.4, 12) + error * rng.normal(size=12)

    def loss(variance):
        w = 1 / (error**2 + variance)
        mean = (w * t).sum() / w.sum()
        return 0.5 * (np.log(w.sum()) - np.log(w).sum() + (w * (t - mean) ** 2).sum())

    theirs = minimize_scalar(loss, bounds=(0, 5), method="bounded", options={"xatol": 1e-10})
    assert between(t, error)[1] == pytest.approx(theirs.x, rel=1e-4)  # the root of rounding


@pytest.mark.parametrize("labels", ["drawn", "all right"])
def test_the_most_likely_temperature_is_the_minimum_on_a_grid(labels):
    z, y = sure(40, true=6)
    y = z.argmax(axis=1) if labels == "all right" else y
    grid = np.linspace(-3, 3, 6001)
    nll = [-log_softmax(z * math.exp(t))[np.arange(40), y].sum() for t in grid]
    for centre, variance, weight in ((-0.5, 0.04, 1.0), (0.3, 0.5, 0.5), (-1.8, 0.01, 1.0)):
        loss = weight * np.array(nll) + (grid - centre) ** 2 / (2 * variance)
        ours = Own.of(z, y, weight).drawn_to(centre, variance, weight)
        assert ours == pytest.approx(grid[loss.argmin()], abs=0.0011)  # a step of the grid


def test_clusters_make_a_group_count_for_less():
    z, y = sure(400, true=2)
    z[:100] *= 2
    group = np.repeat(["b", "a"], [100, 300])
    copied = GroupedTemperature().fit(
        np.repeat(z, 9, axis=0),
        np.repeat(y, 9),
        groups=np.repeat(group, 9),
        clusters=np.repeat(np.arange(400), 9),
    )
    alone = GroupedTemperature().fit(z, y, groups=group, clusters=np.arange(400))
    # Nine copies of a row say no more than the row.
    assert copied.between_ == pytest.approx(alone.between_, rel=0.02)
    for name in "ab":
        assert copied.groups_[name].temperature == pytest.approx(
            alone.groups_[name].temperature, rel=0.02
        )


@pytest.mark.parametrize("pick", ["argmax", "argmin"])
def test_degenerate_sets_warn_and_stay_finite(pick):
    z, _ = sure(60)
    y = getattr(z, pick)(axis=1)
    with pytest.warns(DegenerateTemperatureWarning):
        fitted = GroupedTemperature().fit(z, y, groups=np.arange(60) % 3)
    temperatures = [group.temperature for group in fitted.groups_.values()]
    assert np.isfinite(temperatures).all() and min(temperatures) > 0


def test_groups_are_needed_one_a_row():
    z, y = sure(20)
    with pytest.raises(InputError, match="groups: a temperature for each group needs one label"):
        GroupedTemperature().fit(z, y)
    with pytest.raises(InputError, match=r"groups: expected shape \(20,\)"):
        GroupedTemperature().fit(z, y, groups=["a"])
