"""The contrasts against sums by hand: values, p by exchanging clusters, and Holm's correction."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from calib.modalities.cells import ARMS, Cell, cell_of
from calib.modalities.contrasts import contrasts
from calib.modalities.contrasts import tested as outcomes_of
from calib.modalities.measures import Answers, entropies
from calib.summary.rows import collect

K = 2
CLUSTERS = 12


def answers(seed: int, shift: float) -> Answers:
    """24 questions in 12 clusters, of which the cell moves confidence and entropy."""
    rng = np.random.default_rng(seed)
    confidence = np.clip(rng.uniform(0.3, 0.7, 2 * CLUSTERS) + shift, 0, 1)
    cluster = np.repeat(np.arange(CLUSTERS), 2)
    return Answers(confidence, rng.random(2 * CLUSTERS) < 0.5, 1 - confidence, cluster)


@pytest.fixture
def cells() -> dict[Cell, Answers]:
    shifts = dict(zip(ARMS, (0.0, 0.2, 0.05, 0.25, 0.0, 0.01, -0.02), strict=True))
    found = {cell_of(arm, K): answers(n, shift) for n, (arm, shift) in enumerate(shifts.items())}
    return found | {Cell(900, 0): answers(20, -0.1), Cell(900, K): answers(21, 0.1)}


def exchanged(first: np.ndarray, second: np.ndarray, cluster: np.ndarray) -> float:
    """The exact p: the share of all exchanges of whole clusters whose difference is as large."""
    sums = np.bincount(cluster, first - second)
    signs = np.array(list(product((1, -1), repeat=len(sums))))
    return float((abs(signs @ sums) >= abs(sums.sum()) - 1e-12).mean())


def test_the_contrasts_of_a_whole_study_and_of_parts():
    whole = contrasts(list(ARMS), ("none", 500, 900), K)
    assert [c.name for c in whole] == [
        *("image-text", "both-image", "both-text", "interaction"),
        *("image-blank", "image-shuffled", "image-mean", "noise", "description"),
    ]
    assert [c.name for c in contrasts(["text", "both"], (900,), K)] == ["both-text", "description"]
    assert contrasts(["text"], ("none",), K) == []
    assert [c.name for c in contrasts(["image"], ("none", 100), 0)] == ["noise"]


def test_values_and_p_by_hand(cells: dict[Cell, Answers]):
    found = outcomes_of(contrasts(list(ARMS), ("none", 900), K), cells, seed=0)
    a = {arm: cells[cell_of(arm, K)].confidence for arm in ARMS}
    sides = {
        "image-text": (a["image"], a["text"]),
        "both-image": (a["both"], a["image"]),
        "both-text": (a["both"], a["text"]),
        "interaction": (a["both"] + a["neither"], a["image"] + a["text"]),
        "image-blank": (a["image"], a["blank"]),
        "image-shuffled": (a["image"], a["shuffled"]),
        "image-mean": (a["image"], a["mean"]),
        "noise": (cells[Cell(900, 0)].confidence, a["image"]),
        "description": (cells[Cell(900, K)].confidence, cells[Cell(900, 0)].confidence),
    }
    assert len(found) == 2 * len(sides)
    for test in found:
        first, second = sides[test["name"]]
        sign = 1 if test["measure"] == "confidence" else -1  # the entropies are 1 - confidence
        assert test["value"] == pytest.approx(sign * (first - second).mean(), abs=1e-12)
        p = exchanged(first, second, cells[Cell("none", 0)].cluster)
        # Of 10,000 random exchanges: four standard errors of a share.
        assert abs(test["p"] - p) < 4 * np.sqrt(p * (1 - p) / 10_000) + 2e-4
        if test["low"] is not None:
            assert test["low"] < test["value"] < test["high"]


def test_holm_over_all_tests_of_a_study(cells: dict[Cell, Answers]):
    found = outcomes_of(contrasts(list(ARMS), (), K), cells, seed=0)
    order = sorted(range(len(found)), key=lambda k: found[k]["p"])
    largest = 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(found) - rank) * found[k]["p"]))
        assert found[k]["holm"] == pytest.approx(largest)


def test_an_interaction_is_0_where_effects_add(cells: dict[Cell, Answers]):
    base = answers(0, 0.0)
    for arm, effect in (("neither", 0), ("text", 0.1), ("image", 0.03), ("both", 0.13)):
        moved = base.confidence + effect
        cells[cell_of(arm, K)] = Answers(moved, base.correct, moved, base.cluster)
    found = {t["name"]: t for t in outcomes_of(contrasts(list(ARMS)[:4], (), K), cells, 0)}
    assert found["interaction"]["value"] == pytest.approx(0, abs=1e-12)
    assert found["both-text"]["value"] == pytest.approx(0.03)


def test_entropies_are_those_of_the_options():
    prob = [[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]
    rows = [
        {
            "id": str(k),
            "answer": 0,
            "correct": True,
            "confidence": p[0],
            "options": ["a", "b", "c"],
            "logprob": [float(np.log(x)) if x else None for x in p],
            "mass": 1.0,
            "parsed": True,
            "prediction": 0,
        }
        for k, p in enumerate(prob)
    ]
    scored, _, _ = collect(rows, vocabulary=False)
    assert entropies(scored) == pytest.approx([1.5 * np.log(2), 0.0])
