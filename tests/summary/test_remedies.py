"""The temperature and the thresholds are judged on questions that did not choose them."""

from __future__ import annotations

import numpy as np
import pytest

from calib.fit import softmax
from calib.summary.remedies import (
    abstain,
    fit_on,
    lowest_threshold,
    rescaled,
    split,
    temperature,
)
from calib.summary.rows import Scored


def overconfident(n: int = 4000, seed: int = 0, factor: float = 2.0) -> Scored:
    """Logits that are ``factor`` times too large: the true temperature is ``factor``."""
    rng = np.random.default_rng(seed)
    z = 1.5 * rng.normal(size=(n, 4))
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
    assert abstain(rows, *halves) is None


def test_lowest_threshold_answers_most_and_keeps_the_target():
    c = np.arange(100) / 100
    correct = np.arange(100) >= 30
    assert lowest_threshold(c, correct, 1.0) == 0.30
    assert lowest_threshold(c, correct, 0.70) == 0.0
    # 80 of 100: thresholds below .3 add wrong answers; 70 / (70 + 17) = .8046, 70 / 88 = .795.
    assert lowest_threshold(c, correct, 0.80) == 0.13
    assert lowest_threshold(c, np.zeros(100, bool), 0.5) is None


def test_a_threshold_cannot_cut_through_equal_confidences():
    c = np.full(100, 0.9)
    assert lowest_threshold(c, np.arange(100) < 50, 0.95) is None
    assert lowest_threshold(c, np.arange(100) < 95, 0.95) == 0.9


def test_too_few_answers_choose_nothing():
    c = np.linspace(0, 1, 100)
    assert lowest_threshold(c, c > 0.85, 1.0) is None


def test_abstention_is_counted_on_the_judging_half():
    rows = overconfident()
    fit, judge = split(rows.cluster, 0)
    for line in abstain(rows, fit, judge)["rows"]:
        if line["threshold"] is None:
            continue
        answered = rows.confidence[judge] >= line["threshold"]
        assert line["n"] == answered.sum()
        assert line["accuracy"] == rows.correct[judge][answered].mean()
        assert line["low"] < line["accuracy"] < line["high"]
