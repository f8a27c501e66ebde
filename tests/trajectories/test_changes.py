"""Change points and the best, against every flip there is, by loops, and against simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from calib.intervals.clusters import members_of
from calib.trajectories.best import best, best_of_means
from calib.trajectories.changes import change_of
from tests.trajectories.simulated import CHANGED, NULLS, Case, shares

CLUSTERS = 9


def series(seed: int, change: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """(4, 20) with a change after the second checkpoint, and the clusters (20,)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, 20)) + rng.normal(size=20)
    values[2:] += change
    return values, np.arange(20) * CLUSTERS // 20


def contrast(values: np.ndarray, clusters: np.ndarray, before: list[int], after: list[int]):
    """By cluster, the mean over ``after`` minus the mean over ``before``, summed."""
    sums = [0.0] * CLUSTERS
    for question, cluster in enumerate(clusters.tolist()):
        late = sum(values[k][question] for k in after) / len(after)
        early = sum(values[k][question] for k in before) / len(before)
        sums[cluster] += late - early
    return sums


def statistic(sums: list[float], signs: tuple[int, ...]) -> float:
    root = sum(w * w for w in sums) ** 0.5
    return abs(sum(s * w for s, w in zip(signs, sums, strict=True))) / root


def exact(family: list[list[float]]) -> float:
    """The share of all flips whose largest statistic is as large as that of the data."""
    seen = max(statistic(sums, (1,) * CLUSTERS) for sums in family)
    every = [
        max(statistic(sums, signs) for sums in family)
        for signs in product((-1, 1), repeat=CLUSTERS)
    ]
    return sum(value >= seen - 1e-9 for value in every) / len(every)


@pytest.mark.parametrize(("seed", "change"), [(0, 0.6), (1, 0.0), (2, 1.2)])
def test_p_is_that_of_all_flips(seed: int, change: float):
    values, clusters = series(seed, change)
    found = change_of(values, members_of(clusters, 20), 0)
    family = [contrast(values, clusters, list(range(k)), list(range(k, 4))) for k in (1, 2, 3)]
    p = exact(family)
    # 10,000 flips of a share p: four standard errors.
    assert found.p == pytest.approx(p, abs=4 * (p * (1 - p) / 10_000) ** 0.5 + 2e-4)
    largest = [statistic(sums, (1,) * CLUSTERS) for sums in family]
    assert found.after == max(found.splits or (1, 2, 3), key=lambda k: largest[k - 1])
    assert found.value == pytest.approx(sum(family[found.after - 1]) / 20)
    assert found.low is None  # fewer than ten clusters


@pytest.mark.parametrize("seed", range(3))
def test_the_set_holds_the_places_around_which_nothing_else_changes(seed: int):
    values, clusters = series(seed, 1.2)
    found = change_of(values, members_of(clusters, 20), 0)
    for split in (1, 2, 3):
        family = [
            contrast(values, clusters, list(range(start, k)), list(range(k, end)))
            for start, end in ((0, split), (split, 4))
            for k in range(start + 1, end)
        ]
        p = exact(family)
        assert abs(p - 0.05) > 0.01, "too near to the level to tell"
        assert (split in found.splits) == (p >= 0.05)


def test_the_interval_is_the_mean_with_the_quantile_of_the_largest():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(3, 40))
    found = change_of(values, members_of(None, 40), 5)
    assert found.low is not None and found.high is not None
    each = np.stack([values[1:].mean(0) - values[0], values[2] - values[:2].mean(0)])
    centred = each - each.mean(axis=1, keepdims=True)
    signs = np.random.default_rng(99).choice([-1.0, 1.0], size=(40_000, 40))
    largest = (abs(signs @ centred.T) / (centred**2).sum(axis=1) ** 0.5).max(axis=1)
    reach = np.quantile(largest, 0.95) * (centred[found.after - 1] ** 2).sum() ** 0.5 / 40
    # Two samples of flips: their 95 % quantiles lie within a few hundredths of each other.
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.04)
    assert (found.high + found.low) / 2 == pytest.approx(found.value)


def test_what_never_moves_has_not_changed():
    found = change_of(np.tile(np.arange(30.0), (4, 1)), members_of(None, 30), 0)
    assert (found.p, found.value, found.splits) == (1.0, 0.0, (1, 2, 3))
    equal = best_of_means(np.ones((3, 30)), members_of(None, 30), 0)
    assert equal.kept == (0, 1, 2) and set(equal.p) == {1.0}


@pytest.mark.parametrize("seed", range(3))
def test_worse_is_what_all_pairs_show(seed: int):
    rng = np.random.default_rng(seed)
    clusters = np.arange(20) * CLUSTERS // 20
    losses = rng.normal(size=20) + 0.4 * rng.normal(size=(3, 20)) + [[0.9], [0.0], [0.1]]
    found = best_of_means(losses, members_of(clusters, 20), 0)
    pairs = [(0, 1), (0, 2), (1, 2)]
    family = {pair: contrast(losses, clusters, [pair[1]], [pair[0]]) for pair in pairs}
    every = [
        max(statistic(sums, signs) for sums in family.values())
        for signs in product((-1, 1), repeat=CLUSTERS)
    ]
    for place in range(3):
        own = [1.0]
        for pair, sums in family.items():
            if pair[int(sum(sums) < 0)] == place:  # the one with the larger loss
                seen = statistic(sums, (1,) * CLUSTERS)
                own.append(sum(value >= seen - 1e-9 for value in every) / len(every))
        p = min(own)
        assert found.p[place] == pytest.approx(p, abs=4 * (p * (1 - p) / 1e4) ** 0.5 + 2e-4)
    assert found.lowest == int(losses.mean(axis=1).argmin())
    assert found.kept == tuple(k for k in range(3) if found.p[k] >= 0.05)


def test_the_lowest_is_kept_and_others_by_their_smallest_p():
    found = best([0.3, 0.1, 0.2], [(0, 1), (0, 2), (2, 1)], [0.01, 0.2, 0.05], 0.0)
    assert found.p == (0.01, 1.0, 0.05)
    assert (found.lowest, found.kept) == (1, (1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_stay_below_seven_percent(name: str):
    """1,000 trajectories without a change, of neighbours that are alike by 0.8."""
    told = shares(NULLS[name], 1000)
    assert told["found"] <= 0.07 and told["worse"] <= 0.07
    # Where nothing changes every place is a true one: 0.93 as above.
    assert told["covered"] >= 0.93


@pytest.mark.slow
def test_a_change_of_five_points_is_found_with_five_hundred_questions():
    told = shares(CHANGED["500 questions, 5 points"], 300)
    assert told["found"] >= 0.7 and told["covered"] >= 0.93


def test_a_simulated_change_is_found_and_placed():
    told = shares(Case(1000, over=0.1), 20)
    assert told["found"] == 1.0 and told["covered"] >= 0.8 and told["places"] < 1.5
