"""Intervals hold the population's value as often as they say, and promises hold."""

from __future__ import annotations

import pytest

from calib.calibrators.cost import Prices
from tests.coverage import ABOVE, CROSSING, METRICS, Population, coverage, held_costs, promises

SETS = 200


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize(("n", "least"), [(200, 0.92), (2000, 0.935)])
def test_coverage(name: str, clustered: bool, n: int, least: float):
    # Of 200 sets a true coverage of ``least`` falls five points short in one test of 250 or less.
    assert coverage(name, Population(1.3, clustered), n, SETS) >= least - 0.05


def test_promises_hold():
    """At most 73 of 1,000 promises at delta = 0.05 may break: the 99.9 % limit."""
    assert promises(ABOVE, 1000, 250)[0] <= 25  # of 250 the same limit
    broken, answered = promises(CROSSING, 1000, 250)
    assert broken <= 25
    assert answered >= 0.8 * CROSSING.best_coverage


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("wrong", [0.01, 0.05, 0.3])
def test_intervals_of_costs_hold_though_a_wrong_answer_is_rare_and_dear(wrong: float, clustered):
    """Of 200 sets a true coverage of 0.95 is below 0.89 in one test of 2,000 or less.

    Intervals that forget what was not seen hold on 74 to 87 % of these.
    """
    held = held_costs(Prices(wrong=100.0, abstain=1.0, right=0.0), wrong, 200, SETS, clustered)
    assert set(held) >= {"6 % answered", "everything", "cheapest"}
    assert min(held.values()) >= 0.89, held
