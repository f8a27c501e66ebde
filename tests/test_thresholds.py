"""A threshold's numbers are those of its rows, and what promises nothing is None."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import calib


def rows(n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    c = rng.random(n)
    return c, (rng.random(n) >= np.where(c > 0.4, 0.03, 0.4)).astype(int)


def test_its_numbers_are_those_of_the_rows():
    c, a = rows()
    found = calib.abstention(c, a, risk=0.1)
    answered = c >= found.value
    assert found.coverage == answered.mean()
    assert found.risk == pytest.approx(1 - a[answered].mean(), abs=1e-15)
    assert found.n == 1000
    wrong = int((1 - a[answered]).sum())
    # The bound is Clopper and Pearson's at delta / 5, in scipy's own words.
    theirs = stats.binomtest(wrong, int(answered.sum()), alternative="less").proportion_ci(0.99)
    assert found.bound == pytest.approx(theirs.high, abs=1e-12)
    assert found.risk < found.bound <= 0.1


def test_it_is_the_lowest_of_its_run():
    """The next threshold below fails the test, or there is none."""
    c, a = rows()
    found = calib.abstention(c, a, risk=0.1)
    lower = np.sort(c)[::-1][int(found.coverage * 1000) + 19]  # a step of a fiftieth
    answered = c >= lower
    assert stats.binom.cdf((1 - a[answered]).sum(), answered.sum(), 0.1) > 0.01


def test_no_threshold_promises_what_is_nowhere_true():
    rng = np.random.default_rng(1)
    assert calib.abstention(rng.random(500), np.zeros(500), risk=0.1) is None
    assert calib.abstention([0.9] * 10, [1] * 10, risk=0.1) is None  # ten rows say too little


def test_everything_may_be_answered():
    found = calib.abstention(np.linspace(0.2, 1, 500), np.ones(500), risk=0.05)
    assert (found.value, found.coverage, found.risk) == (0.2, 1.0, 0.0)


def test_equal_confidences_are_answered_together():
    c = np.repeat([0.9, 0.6, 0.3], 200)
    a = np.concatenate([np.ones(200), np.arange(200) % 20 > 0, np.zeros(200)])
    found = calib.abstention(c, a, risk=0.1)
    assert found.value == 0.6
    assert found.coverage == pytest.approx(2 / 3)


def test_one_row_of_a_cluster_is_looked_at():
    c, a = rows(400)
    alone = calib.abstention(c, a, risk=0.2)
    copied = calib.abstention(
        np.repeat(c, 5), np.repeat(a, 5), risk=0.2, clusters=np.repeat(np.arange(400), 5)
    )
    assert copied == alone
    mixed = [calib.abstention(c, a, risk=0.2, clusters=np.arange(400) // 4, seed=s) for s in (0, 1)]
    assert mixed[0].n == 100
    assert mixed[0] != mixed[1]


def test_groups_share_delta():
    c, a = rows(2000)
    group = np.where(np.arange(2000) % 2, "x", "y")
    found = calib.abstention(c, a, risk=0.1, groups=group)
    assert set(found) == {"x", "y"}
    for name in found:
        own = group == name
        assert found[name] == calib.abstention(c[own], a[own], risk=0.1, delta=0.025)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_shares_are_checked(share: float):
    with pytest.raises(ValueError, match="risk must lie between 0 and 1"):
        calib.abstention([0.5], [1], risk=share)
    with pytest.raises(ValueError, match="delta must lie between 0 and 1"):
        calib.abstention([0.5], [1], risk=0.1, delta=share)


def test_unfit_rows_are_refused():
    with pytest.raises(ValueError, match=r"clusters must be \(2,\)"):
        calib.abstention([0.5, 0.6], [1, 0], risk=0.1, clusters=[1])
    with pytest.raises(ValueError, match="empty"):
        calib.abstention([], [], risk=0.1)
