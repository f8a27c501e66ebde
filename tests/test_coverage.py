"""Intervals hold the population's value as often as they say, and promises hold."""

from __future__ import annotations

import pytest

from tests.coverage import ABOVE, CROSSING, METRICS, Population, coverage, promises

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
