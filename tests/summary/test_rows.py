"""Rows of a run become arrays; what cannot be judged is counted, never lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calib.records import CalibError
from calib.summary.rows import collect


def row(name: str, **changed) -> dict:
    given = {
        "id": name,
        "task": "t",
        "group": "g",
        "cluster": None,
        "question": "?",
        "images": [],
        "options": ["yes", "no"],
        "answer": 0,
        "prediction": 0,
        "confidence": 0.75,
        "prob": [0.75, 0.25],
        "logprob": [math.log(0.6), math.log(0.2)],
        "mass": 0.8,
        "parsed": True,
        "correct": True,
        "valid": True,
    }
    return given | changed


def test_every_row_is_counted_once():
    rows = [
        row("a"),
        row("b", parsed=False),
        row("c", answer=None, correct=None),
        row("d", answer=float("nan")),  # how a data frame writes a missing answer
        row("e", valid=False, confidence=float("nan")),
        row("f", logprob=[-1.0, -1.0], ended=True),
    ]
    scored, kept, counts = collect(rows, vocabulary=False)
    assert [entry["id"] for entry in kept] == ["a", "b", "f"]
    assert len(scored) == 3
    assert counts == {
        "total": 6,
        "scored": 3,
        "without_answer": 2,
        "invalid": 1,
        "parsed": 2,
        "ties": 1,
        "ended": 1,
        "clusters": 3,
    }


def test_nothing_to_judge_is_an_error():
    with pytest.raises(CalibError, match="1 rows"):
        collect([row("a", answer=None)], vocabulary=False)


def test_shorter_option_lists_are_padded_with_nothing():
    three = row("b", options=["red", "blue", "no"], logprob=[-1.0, -2.0, -3.0], answer=2)
    scored, _, _ = collect([row("a"), three], vocabulary=False)
    p = scored.probabilities()
    assert p[0, 2] == 0
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p[0, :2], [0.75, 0.25])
    # "no" is one class wherever it stands; sorted: blue, no, red, yes.
    assert scored.classes.tolist() == [[3, 1, -1], [2, 0, 1]]


def test_many_texts_make_positions_the_classes():
    rows = [row(str(i), options=[f"this {i}", f"that {i}"]) for i in range(60)]
    scored, _, _ = collect(rows, vocabulary=False)
    assert scored.classes.tolist() == [[0, 1]] * 60


def test_vocabulary_confidence_keeps_the_rest_as_an_outcome():
    scored, _, _ = collect([row("a")], vocabulary=True)
    np.testing.assert_allclose(scored.probabilities(), [[0.6, 0.2, 0.2]])


def test_clusters_default_to_the_question():
    rows = [row("a", cluster="7"), row("b", cluster="7"), row("c"), row("d")]
    scored, _, _ = collect(rows, vocabulary=False)
    assert scored.cluster[0] == scored.cluster[1]
    assert len(set(scored.cluster)) == 3


def test_take_keeps_rows_together():
    scored, _, _ = collect([row("a"), row("b", group="h")], vocabulary=False)
    part = scored.take(scored.group == "h")
    assert len(part) == 1
    assert part.group.tolist() == ["h"]
    assert part.logprob.shape == (1, 2)
