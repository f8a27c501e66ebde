"""Measures of uncertainty: read from text and samples, correlated, judged against correctness."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from calib import metrics
from calib.records import Answer
from calib.uncertainty.agreement import agreement, curves_of
from calib.uncertainty.measures import (
    CHANCE,
    MEASURES,
    against_correctness,
    of_samples,
    paired_tests,
    rank_correlations,
    uncertainties,
    unstated,
    verbalized,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I'm 80% sure it is Paris", 0.8),
        ("Paris. Confidence: 0.75", 0.75),
        ("**Confidence:** 90%", 0.9),
        ("Confidence level: 85", 0.85),
        ("My confidence in this answer is 60 percent.", 0.6),
        ("I am 8/10 certain", 0.8),
        ("certainty of 80 out of 100", 0.8),
        ("I am sure (95%).", 0.95),
        ("Confidence: 1", 1.0),
        ("Confidence: .5", 0.5),
        ("I was 40% sure, now I am 70% sure", 0.7),
        ("Probability: 120%", None),
        ("It is 80% water", None),
        ("I'm not sure", None),
        ("", None),
    ],
)
def test_stated_confidence(text: str, value: float | None) -> None:
    assert verbalized(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Paris\nConfidence: 80%", "Paris"),
        ("It is **Paris**.\n\n**Confidence:** 0.8.", "It is Paris"),
        ("Paris, confidence: 8/10", "Paris"),
        ("Confidence: 80%", "Confidence: 80%"),
        ("Confidence: 80%. It is Paris", "Confidence: 80%. It is Paris"),
        ("42", "42"),
        ("**Paris**", "**Paris**"),
        ("", ""),
    ],
)
def test_a_closing_statement_is_no_part_of_the_answer(text: str, bare: str) -> None:
    assert unstated(text) == bare


def test_measures_of_samples() -> None:
    texts = ["a", "a", "b", "a", "c", "b"]
    tokens = [[-0.1, -0.2], [-0.3], [-1, -2, -0.5], [-0.1, -0.1], [-3], [-0.7, -0.9]]
    found = of_samples(texts, logprobs=tokens)
    assert found["semantic_rao"] == pytest.approx(0.6124723714667648)
    assert found["semantic_mc"] == pytest.approx(0.5703367, abs=5e-8)
    assert found["semantic_discrete"] == pytest.approx(1.0114042647073516)
    assert found["predictive_entropy"] == pytest.approx(0.9194444, abs=5e-8)
    assert found["disagreement"] == pytest.approx(0.5)
    answers = [Answer(t, len(p), sum(p)) for t, p in zip(texts, tokens, strict=True)]
    assert of_samples(answers) == pytest.approx(found)
    bare = of_samples(texts)
    assert math.isnan(bare["semantic_rao"]) and bare["semantic_discrete"] > 0


def made_up(n: int = 400) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    confidence = rng.beta(4, 2, n)
    correct = rng.random(n) < confidence
    return {
        "confidence": confidence,
        "entropy": 2 * (1 - confidence) ** 3,  # the same order in nats
        "verbalized": np.where(np.arange(n) % 4 == 0, np.nan, np.round(confidence, 1)),
        "disagreement": rng.random(n),
        "mass": np.ones(n),
        "unrelated": rng.random(n),
    }, correct


def test_uncertainties_point_one_way() -> None:
    columns, _ = made_up()
    found = uncertainties(columns)
    assert list(found.columns) == ["confidence", "entropy", "mass", "disagreement", "verbalized"]
    assert np.allclose(found["confidence"], 1 - columns["confidence"])
    assert found["verbalized"].isna().sum() == 100
    assert uncertainties(pd.DataFrame(columns)).equals(found)
    with pytest.raises(ValueError, match="expected columns among confidence"):
        uncertainties({"x": [1.0]})


def test_rank_correlations() -> None:
    columns, _ = made_up()
    found = uncertainties(columns)
    matrix = rank_correlations(found)
    assert matrix.loc["confidence", "entropy"] == pytest.approx(1)
    assert abs(matrix.loc["confidence", "disagreement"]) < 0.15
    assert math.isnan(matrix.loc["mass", "entropy"]), "a constant has no ranks"
    known = found["verbalized"].notna()
    expected = stats.spearmanr(found["verbalized"][known], found["entropy"][known]).statistic
    assert matrix.loc["verbalized", "entropy"] == pytest.approx(expected)
    assert np.array_equal(matrix, matrix.T, equal_nan=True)


def test_measures_in_one_order_are_one_group() -> None:
    values = np.random.default_rng(0).normal(size=40)
    table = pd.DataFrame(
        {
            "a": values,
            "constant": np.ones(40),
            "order kept": np.exp(values),
            "order turned": -values,
            "other": np.random.default_rng(1).normal(size=40),
            "unknown": np.full(40, math.nan),
        }
    )
    found = agreement(table, rank_correlations(table))
    assert found["constant"] == ["constant", "unknown"]
    assert found["alike"] == [["a", "order kept"]]
    assert found["distinct"] == ["a", "order turned", "other"]


def test_each_measure_has_the_curve_of_its_known_rows() -> None:
    uncertainty = pd.DataFrame({"u": [0.1, 0.2, 0.2, 0.9, math.nan], "none": [math.nan] * 5})
    (curve,) = curves_of(uncertainty, [True, True, False, False, True], np.arange(5))
    assert (curve["measure"], curve["label"], curve["n"]) == ("u", "u", 4)
    assert curve["points"] == [[0.25, 0.0], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]
    assert curve["overall"] == 0.5 and curve["low"] == [None] * 3


def test_a_curve_and_its_area_agree() -> None:
    rng = np.random.default_rng(3)
    uncertainty = pd.DataFrame({"u": rng.normal(size=80)})  # no ties, no thinning
    right = rng.random(80) < 0.6
    (curve,) = curves_of(uncertainty, right, np.arange(80))
    (row,) = against_correctness(uncertainty, right)
    assert np.mean([risk for _, risk in curve["points"]]) == pytest.approx(row["aurc"])
    assert all(low <= high for low, high in zip(curve["low"], curve["high"], strict=True))


def test_against_correctness() -> None:
    columns, correct = made_up()
    found = uncertainties(columns)
    rows = {row["measure"]: row for row in against_correctness(found, correct, n=200)}
    confidence = rows["confidence"]
    assert confidence["auroc"] == pytest.approx(roc_auc_score(correct, columns["confidence"]))
    assert confidence["aurc"] == pytest.approx(metrics.aurc(columns["confidence"], correct))
    assert confidence["auroc_low"] < confidence["auroc"] < confidence["auroc_high"]
    assert rows["entropy"]["auroc"] == pytest.approx(confidence["auroc"])
    assert rows["disagreement"]["auroc_low"] < 0.5 < rows["disagreement"]["auroc_high"]
    assert rows["mass"]["auroc"] == 0.5
    assert (rows["verbalized"]["n"], confidence["n"]) == (300, 400)
    assert rows["entropy"]["label"] == "option entropy"
    common = against_correctness(found, correct, common=True, n=20)
    assert {row["n"] for row in common} == {300}


def test_groups_widen_the_interval() -> None:
    """Every row ten times: the same rows, and no more to know."""
    columns, correct = made_up(100)
    once = uncertainties({"confidence": columns["confidence"]})
    tenfold = pd.concat([once] * 10, ignore_index=True)
    groups = np.tile(np.arange(100), 10)

    def width(**given: object) -> float:
        row = against_correctness(tenfold, np.tile(correct, 10), n=300, **given)[0]
        return row["auroc_high"] - row["auroc_low"]

    assert width(clusters=groups) > 2 * width()


def test_measures_are_tested_in_pairs() -> None:
    rng = np.random.default_rng(5)
    right = rng.random(400) < 0.6
    good = np.where(right, 0.0, 1.0) + rng.normal(0, 1, 400)
    found = pd.DataFrame(
        {
            "entropy": good,
            "predictive_entropy": good + rng.normal(0, 0.02, 400),  # almost the same order
            "disagreement": rng.normal(0, 1, 400),
        }
    )
    tests = paired_tests(found, right, n=400)
    assert tests["best"] in ("entropy", "predictive_entropy") and tests["n"] == 400
    p = {(test["first"], test["second"]): test["holm"] for test in tests["against"]}
    assert p["entropy", CHANCE] < 0.05 < p["disagreement", CHANCE]
    other = "predictive_entropy" if tests["best"] == "entropy" else "entropy"
    assert p[tests["best"], "disagreement"] < 0.05 < p[tests["best"], other]
    assert len(p) == 5
    assert paired_tests(found, np.ones(400))["best"] is None


def test_at_chance_there_is_no_winner() -> None:
    """Of 20 sets of noise at most three name a measure: each does with 5 % or less."""
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = pd.DataFrame(rng.normal(size=(60, 4)), columns=list(MEASURES)[:4])
        tests = paired_tests(noise, rng.random(60) < 0.7, n=200)
        named += any(test["second"] == CHANCE and test["holm"] < 0.05 for test in tests["against"])
    assert named <= 3


def test_what_does_not_exist_is_none() -> None:
    found = uncertainties({"confidence": [0.5, 0.6, 0.7]})
    row = against_correctness(found, [1, 1, 1], n=20)[0]
    assert row["auroc"] is None and row["auroc_low"] is None and row["aurc"] == 0
    with pytest.raises(ValueError, match="one per row"):
        against_correctness(found, [1, 0])


def test_every_measure_has_a_name() -> None:
    assert len({measure.label for measure in MEASURES.values()}) == len(MEASURES)
