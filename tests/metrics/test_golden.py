"""Values worked out once by hand or by several independent tools."""

from __future__ import annotations

import numpy as np
import pytest

from calib import metrics

from .conftest import DATA, fixture


def copies(spec: str) -> tuple[np.ndarray, np.ndarray]:
    """Ten copies of each ``confidence:correct`` in a line."""
    pairs = [part.split(":") for part in spec.split()]
    c = np.repeat([float(value) for value, _ in pairs], 10)
    a = np.concatenate([np.arange(10) < int(right) for _, right in pairs])
    return c, a


@pytest.mark.parametrize(
    ("spec", "closed", "ece", "mce"),
    [
        (".45:10 .5:0 .55:10", "left", 0.2, 0.55),
        (".45:10 .5:0 .55:10", "right", 0.5 / 3, 0.45),
        (".25:10 .3:0 .35:10", "left", 1.1 / 3, 0.75),
        (".25:10 .3:0 .35:10", "right", 1.1 / 3, 0.65),
        (".55:10 .6:0 .65:10", "left", 0.7 / 3, 0.45),
        (".55:10 .6:0 .65:10", "right", 0.5 / 3, 0.35),
        (".65:10 .7:0 .75:10", "left", 0.8 / 3, 0.35),
        (".65:10 .7:0 .75:10", "right", 0.2, 0.25),
        (".95:10 1:5", "left", 0.225, 0.225),
        ("0:10 .05:0", "left", 0.475, 0.475),
    ],
)
def test_edges_go_where_the_rule_says(spec, closed, ece, mce):
    c, a = copies(spec)
    assert metrics.ece(c, a, bins=10, closed=closed) == pytest.approx(ece, abs=1e-12)
    assert metrics.mce(c, a, bins=10, closed=closed) == pytest.approx(mce, abs=1e-12)


HAND = (np.array([0, 0.05, 0.25, 0.5, 0.5, 0.7, 0.9, 1]), np.array([0, 0, 1, 1, 0, 1, 1, 1]))


def test_the_hand_worked_case():
    left = metrics.reliability_curve(*HAND, bins=10)
    assert left.count.tolist() == [2, 1, 2, 1, 2]
    assert left.low.tolist() == [0, 0.2, 0.5, 0.7, 0.9]
    assert metrics.ece(*HAND, bins=10) == pytest.approx(0.15)
    assert metrics.mce(*HAND, bins=10) == pytest.approx(0.75)
    assert metrics.rmsce(*HAND, bins=10) == pytest.approx(0.2869560071, abs=1e-10)
    assert metrics.ence(*HAND, bins=10) == pytest.approx(0.8962406015, abs=1e-10)
    assert left.gap.mean() == pytest.approx(0.225)
    right = metrics.reliability_curve(*HAND, bins=10, closed="right")
    assert right.count.tolist() == [2, 1, 2, 1, 1, 1]
    assert metrics.rmsce(*HAND, bins=10, closed="right") == pytest.approx(0.2880429655, abs=1e-10)
    assert metrics.ence(*HAND, bins=10, closed="right") == pytest.approx(0.7566137566, abs=1e-10)
    assert metrics.brier(*HAND) == pytest.approx(0.145625)
    assert metrics.auroc(*HAND) == pytest.approx(0.9)


def test_regression_ence_by_hand():
    found = metrics.ence_regression([0, 0, 0, 0], [1, 1, 2, 2], [1, -1, 3, -1], bins=2)
    assert found == pytest.approx(0.0590169944, abs=1e-10)


G_AND_H = [
    ("g", "ece", {"bins": 15}, 0.0702647531),
    ("g", "mce", {"bins": 15}, 0.1661067843),
    ("g", "rmsce", {"bins": 15}, 0.0854074704),
    ("g", "debiased_rmsce", {"bins": 15}, 0.0783461945),
    ("g", "ece", {"bins": 15, "strategy": "mass"}, 0.0702647531),
    ("g", "ece", {"bins": 15, "strategy": "quantile"}, 0.0703322736),
    ("g", "ece", {"bins": 10}, 0.0669141456),
    ("g", "mce", {"bins": 10}, 0.1274563542),
    ("g", "smooth_ece", {}, 0.0667962215),
    ("g", "brier", {}, 0.1590421114),
    ("g", "nll", {}, 0.4783058020),
    ("g", "auroc", {}, 0.8547402761),
    ("g", "aurc", {}, 1 - 0.7047509432),
    ("g", "ks", {}, 0.0690818271),
    ("h", "ece", {"bins": 10}, 0.0848220468),
    ("h", "mce", {"bins": 10}, 0.1916892373),
    ("h", "rmsce", {"bins": 10}, 0.0962274531),
    ("h", "ence", {"bins": 10}, 0.4538155689),
    ("h", "ece", {"bins": 15}, 0.0951892481),
    ("h", "mce", {"bins": 15}, 0.1826453603),
    ("h", "rmsce", {"bins": 15}, 0.1043066017),
    ("h", "ence", {"bins": 15}, 0.5202581126),
    ("h", "ece", {"bins": 15, "strategy": "mass"}, 0.0949120027),
    ("h", "ece", {"bins": 15, "strategy": "quantile"}, 0.0943183348),
    ("h", "smooth_ece", {}, 0.0744428913),
    ("h", "brier", {}, 0.1671311773),
    ("h", "auroc", {}, 0.8327140828),
]


@pytest.mark.parametrize(("name", "metric", "options", "expected"), G_AND_H)
def test_random_fixtures(name, metric, options, expected):
    found = getattr(metrics, metric)(*fixture(name), **options)
    assert found == pytest.approx(expected, abs=1e-10)


def test_four_classes():
    saved = np.load(DATA / "g.npz")
    p, y = saved["p"], saved["y"]
    assert metrics.ece(p.max(1), p.argmax(1) == y) == pytest.approx(0.0308891978, abs=1e-10)
    assert metrics.classwise_ece(p, y) == pytest.approx(0.0277424410, abs=1e-10)
