"""Wordings that let a model say what it does not know, searched for by the truthful rate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import calib
from calib.idk.folder import build_set, labels_of
from calib.prompts.objectives import OBJECTIVES, How, of_honesty
from calib.prompts.questions import questions_of
from calib.prompts.rewriters import ByModel
from tests.prompts.cued import Cued, questions
from tests.prompts.shy import Shy


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "set"
    build_set(Shy(), questions(90), folder, samples=4, limit=None)
    return folder


def test_the_winner_is_more_truthful_on_questions_that_chose_nothing(
    labelled: Path, tmp_path: Path
):
    known = labels_of(labelled).known
    assert 20 < sum(known) < 70
    search = calib.optimize_prompts(
        Shy(),
        str(labelled),
        part="permission",
        objective="truthful",
        seeds=["{question}"],
        rewriter=lambda text: [f"{text} Or say that you don't know.", f"{text} Guess!"],
        rounds=2,
        search=44,
        held_out=44,
        out=tmp_path,
    )
    assert "don't know" in search.winner
    held = search.held_out
    (pair,) = held["pairs"]
    test = pair["differences"]["truthful"]
    assert test["value"] > 0 and test["holm"] >= test["p"]
    # By hand: allowed to, Shy refuses what is unknown; else it never does.
    sides = questions_of(
        str(labelled), "truthful", prompt=None, bins=15, search=44, held_out=44, seed=0
    )
    unknown = [not sides.how.known[item.id] for item in sides.items[44:]]
    before, after = (run["rates"]["truthful"]["value"] for run in held["runs"])
    assert after == 1.0 and before == pytest.approx(1 - sum(unknown) / 44)
    assert test["value"] == pytest.approx(after - before)
    assert json.loads((tmp_path / "results.json").read_text())["run"] is None


def test_numbers_of_answers():
    rows: list[dict[str, Any]] = [
        {"known": True, "refused": False, "correct": True},
        {"known": True, "refused": True, "correct": False},
        {"known": False, "refused": True, "correct": False},
        {"known": False, "refused": False, "correct": False},
        {"known": False, "refused": False, "correct": True},
    ]
    numbers = of_honesty(rows, 15)
    assert numbers == {
        "n": 5, "truthful": 3, "truthful_rate": 0.6, "admitted": 1, "over_refused": 1,
    }  # fmt: skip
    key = OBJECTIVES["truthful"].key
    assert key(numbers) > key({**numbers, "over_refused": 0}) > key({**numbers, "truthful": 4})


def test_each_question_has_its_outcome_in_each_wording(labelled: Path):
    sides = questions_of(
        str(labelled), "truthful", prompt=None, bins=15, search=None, held_out=None, seed=0
    )
    items = sides.items[:6]
    free = [
        replace(item, question=f"{item.question} Or say that you don't know.") for item in items
    ]
    asked = [list(pair) for pair in zip(items, free, strict=True)]
    how: How = sides.how
    assert how.known is not None
    for number, outcomes in OBJECTIVES["truthful"].ask(Shy(), asked, how):
        known = how.known[items[number].id]
        assert [row["refused"] for row in outcomes] == [False, not known]
        assert all(row["known"] is known for row in outcomes)


def test_a_model_rewrites():
    rewriter = ByModel(Cued(), count=4)
    made = rewriter("The answer might be")
    assert made and made == rewriter("The answer might be") and all("\n" not in m for m in made)
