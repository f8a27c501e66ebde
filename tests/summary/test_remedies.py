"""The temperature and the thresholds are judged on questions that did not choose them."""

from __future__ import annotations

import numpy as np
import pytest

import calib
from calib.calibrators.temperature import softmax
from calib.summary.remedies import (
    abstain,
    fit_on,
    kept_because,
    rescaled,
    split,
    temperature,
)
from calib.summary.rows import Scored


def overconfident(n: int = 4000, seed: int = 0, factor: float = 2.0, spread: float = 1.5) -> Scored:
    """Logits that are ``factor`` times too large: the true temperature is ``factor``."""
    rng = np.random.default_rng(seed)
    z = spread * rng.normal(size=(n, 4))
    y = (softmax(z).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    logprob = np.log(softmax(factor * z))
    return Scored(
        confidence=softmax(logprob).max(axis=1),
        correct=logprob.argmax(axis=1) == y,
        answer=y,
        logprob=logprob,
        mass=np.ones(n),
        parsed=np.ones(n, bool),
        cluster=np.arange(n) // 3,
        group=np.array(["g"] * n),
        task=np.array(["t"] * n),
        classes=np.tile(np.arange(4), (n, 1)),
        vocabulary=False,
    )


def test_no_cluster_is_on_both_sides_and_every_row_on_one():
    cluster = np.repeat(np.arange(40), 5)
    fit, judge = split(cluster, seed=3)
    assert not set(cluster[fit]) & set(cluster[judge])
    assert sorted([*fit, *judge]) == list(range(200))
    assert len(fit) == 100
    assert not np.array_equal(fit, split(cluster, seed=4)[0])
    assert np.array_equal(fit, split(cluster, seed=3)[0])


def test_the_temperature_is_found_and_helps_on_the_other_half():
    rows = overconfident()
    found = temperature(rows, *split(rows.cluster, 0), bins=15, seed=0)
    assert found["value"] == pytest.approx(2.0, rel=0.08)  # 2,000 rows: s.e. about 3 %
    assert found["n_fit"] + found["n_judged"] == len(rows)
    metrics = found["metrics"]
    assert metrics["accuracy"]["before"]["value"] == metrics["accuracy"]["after"]["value"]
    assert metrics["nll"]["after"]["value"] < metrics["nll"]["before"]["value"]
    # Eight standard errors lie between the two on this set.
    assert metrics["ece"]["after"]["value"] < 0.5 * metrics["ece"]["before"]["value"]
    assert metrics["ece"]["before"]["p"] < 0.01
    assert sum(row["n"] for row in found["after"]) == found["n_judged"]


def test_only_the_fitting_half_is_looked_at():
    rows = overconfident()
    fit, judge = split(rows.cluster, 0)
    shuffled = rows.answer.copy()
    shuffled[judge] = (shuffled[judge] + 1) % 4
    other = Scored(**{**vars(rows), "answer": shuffled})
    assert fit_on(other, fit).temperature_ == fit_on(rows, fit).temperature_


def test_rescaling_moves_confidence_and_no_answer():
    rows = overconfident(500)
    cooler = rescaled(rows, 3.0)
    assert np.array_equal(cooler.correct, rows.correct)
    assert (cooler.confidence < rows.confidence).all()
    np.testing.assert_allclose(rescaled(rows, 1.0).confidence, rows.confidence, rtol=1e-12)


def test_one_cluster_leaves_nothing_to_fit_on():
    rows = overconfident(20)
    rows = Scored(**{**vars(rows), "cluster": np.zeros(20, int)})
    halves = split(rows.cluster, 0)
    assert temperature(rows, *halves, bins=15, seed=0) is None


def test_thresholds_are_those_of_calib_abstention():
    rows = overconfident(spread=5.0)
    found = abstain(rows, seed=3)
    assert found["n"] == len(np.unique(rows.cluster))
    assert [row["target"] for row in found["rows"]] == [0.8, 0.9, 0.95, 0.99]
    reached = [row for row in found["rows"] if row["threshold"] is not None]
    assert reached
    for row in reached:
        own = calib.abstention(
            rows.confidence, rows.correct, risk=1 - row["target"], clusters=rows.cluster, seed=3
        )
        assert (row["threshold"], row["bound"]) == (own.value, own.bound)
        answered = rows.confidence >= row["threshold"]
        right, wrong = rows.correct[answered].sum(), (~rows.correct[answered]).sum()
        worth = (right - row["cost"] * wrong) / len(rows)
        assert row["utility"] == pytest.approx(worth, abs=1e-12)
        everything = rows.correct.mean() - row["cost"] * (1 - rows.correct.mean())
        assert row["utility_all"] == pytest.approx(everything, abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (overconfident(49), "fewer than 50 questions are scored (49)"),
        (Scored(**{**vars(overconfident(60)), "correct": np.ones(60, bool)}), "answers to fit to"),
        (Scored(**{**vars(overconfident(60)), "correct": np.zeros(60, bool)}), "are wrong"),
    ],
)
def test_some_runs_keep_their_temperature(rows, reason):
    fit, judge = split(rows.cluster, 0)
    assert reason in kept_because(rows, fit)
    assert temperature(rows, fit, judge, bins=15, seed=0) is None
    assert kept_because(overconfident(60), fit) is None


def test_after_is_tested_against_before():
    found = temperature(rows := overconfident(), *split(rows.cluster, 0), bins=15, seed=0)
    assert set(found["tests"]) == {"debiased_rmsce", "brier", "nll"}
    for name, test in found["tests"].items():
        assert test["value"] < 0 and test["p"] < 0.01, name
    own = found["metrics"]["nll"]
    assert found["tests"]["nll"]["value"] == pytest.approx(
        own["after"]["value"] - own["before"]["value"], abs=1e-12
    )
    assert found["low"] < found["value"] < found["high"]


def test_a_calibrated_model_is_not_improved():
    """Of 20 calibrated sets a test at 5 % may call one or two different, seldom four."""
    called = 0
    for seed in range(20):
        rows = overconfident(300, seed, factor=1.0)
        tests = temperature(rows, *split(rows.cluster, 0), bins=15, seed=0)["tests"]
        called += tests["debiased_rmsce"]["p"] < 0.05
    assert called <= 4
