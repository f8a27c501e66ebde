"""What findings conclude: of runs whose truth is known, and of results written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.calibrators.temperature import TemperatureScaling
from calib.report.significance import sign
from calib.studies.findings import FINDINGS
from calib.studies.findings.before_after import inside
from calib.studies.findings.found import AGAINST, OPEN, SHOWN, Found
from calib.studies.findings.outcome import Outcome
from calib.studies.findings.temperatures import log_ratio
from calib.studies.run import bearing_on, name_apart
from tests.studies.outcomes import by_hand, difference, drawn, of_table


def find(name: str, outcomes: list[Outcome], **options: Any) -> Found:
    found = FINDINGS[name].find(outcomes, options, 0)
    json.dumps(found.facts)  # plain values
    for table in found.tables:
        assert all(len(row) == len(table.columns) for row in table.rows), table.name
    return found


def verdicts(found: Found) -> dict[str, str]:
    return {each.about: each.verdict for each in found.conclusions}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Runs of 400 questions: one whose confidence is deserved, one twice as sure, one half as
    sure, all right about the same questions."""
    folder = tmp_path_factory.mktemp("runs")
    logits, labels = drawn(400, 4, 1.0, seed=1)
    groups = ["even" if k % 2 == 0 else "odd" for k in range(400)]
    return {
        name: of_table(folder, f"scored/{name}/task", logits * times, labels, groups, size)
        for name, times, size in (("fair", 1.0, 10.0), ("over", 2.5, 100.0), ("under", 0.4, 1000.0))
    }


def test_a_table_tells_whose_confidence_is_deserved(runs: dict[str, Outcome]):
    found = find(
        "table", list(runs.values()), families={"first": "fair", "rest": ["over", "under"]}
    )
    assert [each.about for each in found.conclusions] == [
        *(f"fair/task: {OPEN}", "over/task: over-confident", "under/task: under-confident"),
    ]
    assert [each.verdict for each in found.conclusions] == [OPEN, SHOWN, SHOWN]
    table = found.tables[0]
    assert [row[0] for row in table.rows] == ["first", "rest", "rest"]
    column = [name.name for name in table.columns].index("temperature")
    fair, over, under = (row[column][0] for row in table.rows)
    assert over == pytest.approx(2.5 * fair, rel=1e-5) and under == pytest.approx(0.4 * fair)
    assert [row[1] for row in found.figures[0].data["rows"]] == [
        pytest.approx(run.scored.confidence.mean() - run.scored.correct.mean())
        for run in runs.values()
    ]


def test_temperatures_differ_where_they_do(runs: dict[str, Outcome]):
    found = find("temperatures", list(runs.values()))
    assert verdicts(found) == {
        f"task: {second} against {first}": SHOWN
        for first, second in (("fair", "over"), ("fair", "under"), ("over", "under"))
    }
    values = {row[0]: row[1][0] for row in found.tables[1].rows}
    # The logits of one are those of the other times a number, and so are the temperatures.
    assert values["task: over against fair"] == pytest.approx(np.log(2.5), abs=1e-5)
    over = runs["over"].scored
    alone = TemperatureScaling().fit(over.logprob, over.answer).temperature_
    assert found.tables[0].rows[1][2][0] == pytest.approx(alone, rel=1e-9)


def test_temperatures_of_one_truth_seldom_differ():
    """Two models with other noise but the same best temperature: at most 8 of 60 rejections, which
    5 % seldom exceed."""
    from dataclasses import replace

    from tests.studies.scored import scored_of

    rejected = 0
    for seed in range(60):
        one, two = drawn(300, 3, 1.0, seed), drawn(300, 3, 1.0, seed + 1000)
        first, second = scored_of(*one), scored_of(*two)
        found = log_ratio(first, replace(second, cluster=first.cluster), seed)
        assert found is not None
        rejected += found["p"] < 0.05
    assert 0 < rejected <= 8


def test_selective_answers_on_the_half_that_did_not_choose(runs: dict[str, Outcome]):
    found = find("selective", [runs["over"]], accuracy=0.8, remedies=["temperature", "grouped"])
    table = {row[1]: row for row in found.tables[0].rows}
    assert set(table) == {"none", "temperature", "grouped"}
    # One temperature keeps answers, and of these logits the order, too; so coverage stays.
    assert table["none"][2] + 0 == 200 or table["none"][2] > 0
    for row in table.values():
        _, _, n, threshold, coverage, right, utility, *_ = row
        if threshold is not None:
            cost = 0.8 / 0.2
            assert utility == pytest.approx(coverage * (right - cost * (1 - right)))
            assert 0 < n < 400
    groups = [row for row in found.tables[2].rows if row[1] == "none"]
    assert [row[2] for row in groups] == ["even", "odd"]
    assert sum(row[3] for row in groups) == table["none"][2]


def test_size_by_prompt_is_an_interaction_of_questions(tmp_path: Path):
    """The form changes confidence - right by .2 in the large model, and by nothing in the small."""
    logits, labels = drawn(200, 2, 1.0, seed=3)
    runs = [
        of_table(tmp_path, f"scored/{model}/task/{form}", logits * times, labels, None, size)
        for model, size, form, times in (
            ("small", 10.0, "letters", 1.0),
            ("small", 10.0, "options", 1.0),
            ("large", 900.0, "letters", 1.0),
            ("large", 900.0, "options", 4.0),
        )
    ]
    found = find("size-by-prompt", runs)
    about = "task: options − letters, large less small"
    assert verdicts(found)[f"{about}, gap"] == SHOWN
    test = next(row for row in found.tables[2].rows if row[1].startswith("confidence"))
    gap = [run.scored.confidence.mean() for run in runs]
    assert test[2][0] == pytest.approx((gap[3] - gap[2]) - (gap[1] - gap[0]), abs=1e-9)
    same = find("size-by-prompt", runs[:2])
    assert same.conclusions == [] and "one size" in same.cautions[0]


def compared(gap: Any, rmsce: Any, equal: float) -> dict[str, Any]:
    metric = {"value": 0.5, "low": 0.4, "high": 0.6, "expected": 0.1}
    part = {"value": 0.1, "low": 0.0, "high": 0.2}
    equivalence = {"p": equal, "holm": equal, "margin": 0.02, "needs": 1000, "value": 0.0}
    run = {
        "metrics": dict.fromkeys(("accuracy", "confidence", "ece"), metric),
        "parts": {"brier": 0.3, "calibration": part, "refinement": part},
        "temperature": 1.0,
        "diagram": [],
    }
    return {
        "n": 100,
        "runs": [{"name": "first", **run}, {"name": "second", **run}],
        "pairs": [
            {
                "first": "first",
                "second": "second",
                "differences": {"gap": gap, "debiased_rmsce": rmsce},
                "equivalences": {"gap": equivalence, "debiased_rmsce": equivalence},
            }
        ],
    }


@pytest.mark.parametrize(
    ("gap", "equal", "verdict"),
    [
        (difference(0.2, 0.001), 0.9, AGAINST),
        (difference(0.2, 0.04), 0.9, OPEN),  # .04 times two tests
        (difference(0.001, 0.8, 0.002), 0.001, SHOWN),
        (difference(0.001, 0.8), 0.9, OPEN),
        (difference(0.2, None), 0.9, OPEN),
    ],
)
def test_before_and_after(gap: Any, equal: float, verdict: str):
    results = compared(gap, difference(0.0, 0.9), equal)
    reads = ("scored/one/task", "scored/two/task")
    found = find("before-after", [by_hand("pairs/task", "compare", results, reads)])
    # By the study's names of the models, which the comparison does not know.
    assert verdicts(found) == {"task: two − one": verdict}
    assert [row[0] for row in found.tables[1].rows] == ["task: one", "task: two"]
    assert found.tables[1].rows[0][-1] == 1.0 and inside(1000.0) is inside(None) is None
    assert {each.claim for each in found.conclusions} == {"C2"}


def moved(value: float, p: float) -> dict[str, Any]:
    ends = {"ece": 0.1}
    cells = [
        {"fitted": a, "judged": b, "own": a == b, "why": None, "before": ends, "after": ends,
         "tests": {"measure": difference(value, p)}}
        for a in "xy" for b in "xy"
    ]  # fmt: skip
    span = {"value": 1.0, "low": 0.9, "high": 1.1}
    fitted = [{"name": name, "n": 50, "temperature": span} for name in "xy"]
    return {"cells": cells, "fitted": fitted, "judged": [{"name": "x"}, {"name": "y"}]}


@pytest.mark.parametrize(
    ("value", "p", "verdict"), [(-0.1, 0.01, SHOWN), (0.1, 0.01, AGAINST), (-0.1, 0.03, OPEN)]
)
def test_elsewhere_counts_what_is_carried(value: float, p: float, verdict: str):
    reads = ("scored/one/task", "scored/one/other")
    found = find("elsewhere", [by_hand("carried", "transfer", moved(value, p), reads)])
    assert verdicts(found) == {
        "one/task to one/other": verdict,
        "one/other to one/task": verdict,
    }
    assert found.figures[0].data["rows"] == ["one/task", "one/other"]
    assert found.figures[0].data["values"] == [[value, value], [value, value]]


@pytest.mark.parametrize(
    ("value", "p", "verdict"), [(-0.1, 0.001, SHOWN), (0.1, 0.001, AGAINST), (-0.1, 0.3, OPEN)]
)
def test_remedies(value: float, p: float, verdict: str):
    rows = [
        {"calibrator": "none", "ece": 0.2, "tests": {}},
        {"calibrator": "temperature", "ece": 0.1, "tests": {"measure": difference(value, p)}},
        {"calibrator": "platt", "ece": 0.1, "tests": {"measure": difference(0.0, 0.9)}},
    ]
    results = {"rows": rows, "measure": "NLL"}
    refused = by_hand("fitted/two/task", "ranking", {}, refused="all are right")
    found = find("remedies", [by_hand("fitted/one/task", "ranking", results), refused])
    assert verdicts(found) == {"one/task: temperature": verdict}
    assert found.cautions == ["fitted/two/task: all are right"]
    assert found.tables[0].rows[0][-2:] == [0.2, 0.1]


def arm(name: str, admits: Any) -> dict[str, Any]:
    rate = {"value": 0.5, "low": 0.4, "high": 0.6}
    rates = {
        "truthful": rate,
        "admit_rate": admits,
        "over_refusal": rate,
        "answered_accuracy": None,
    }
    return {"name": name, "n": 50, "known": 20, "rates": rates}


@pytest.mark.parametrize(
    ("high", "change", "verdict"),
    [
        (0.3, (0.4, 0.001), (SHOWN, SHOWN)),
        (0.7, (-0.4, 0.001), (OPEN, AGAINST)),
        (0.3, (0.1, 0.2), (SHOWN, OPEN)),
    ],
)
def test_unknown(tmp_path: Path, high: float, change: Any, verdict: Any):
    plain = {"value": 0.1, "low": 0.05, "high": high}
    asked = {
        "arms": [arm("plain", plain), arm("permission", plain)],
        "comparisons": [
            {"first": "permission", "second": "plain", "rate": "admit_rate", **difference(*change)}
        ],
        "sweep": [{"tau": 0.5, "known": 20, "unknown": 30}],
    }
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "results.json").write_text(json.dumps(asked))
    outcome = by_hand("asked/one/task", "idk", {})
    outcome.folder = tmp_path
    found = find("unknown", [outcome])
    assert tuple(verdicts(found).values()) == verdict


@pytest.mark.parametrize(
    ("value", "p", "measure", "verdict"),
    [
        (-0.1, 0.001, "confidence", SHOWN),  # less sure of images, as claimed
        (0.1, 0.001, "confidence", AGAINST),
        (0.1, 0.001, "entropy", SHOWN),  # more entropy, less sure
        (-0.1, 0.001, "entropy", AGAINST),
        (0.1, 0.2, "confidence", OPEN),
    ],
)
def test_modality(value: float, p: float, measure: str, verdict: str):
    test = difference(value, p, name="image-text", measure=measure)
    results = {"tests": [test], "cells": [], "arms": {}, "levels": [], "sentences": 0}
    found = find("modality", [by_hand("grid/one/task", "modality", results)])
    assert list(verdicts(found).values()) == [verdict]


def test_measures_look_for_the_best_and_pay_for_it():
    def table(p: float) -> dict[str, Any]:
        test = difference(0.2, p / 3, first="entropy", second="chance") | {"holm": p}
        row = {"label": "entropy", "n": 9, "auroc": 0.7, "auroc_low": 0.6, "auroc_high": 0.8}
        return {
            "tests": {"best": "entropy", "against": [test]},
            "measures": [row],
            "labels": ["entropy"],
            "correlations": [[1.0]],
            "agreement": {"alike": [], "constant": []},
        }

    arms = {"text": table(0.01), "image": table(0.03)}
    found = find("measures", [by_hand("arms/one/task", "arms", {"arms": arms})])
    assert [each.verdict for each in found.conclusions] == [SHOWN, SHOWN]
    arms = {"text": table(0.01), "image": table(0.06)}
    found = find("measures", [by_hand("arms/one/task", "arms", {"arms": arms})])
    assert [each.verdict for each in found.conclusions] == [SHOWN, OPEN]


def test_a_trajectory_says_no_more_than_its_page():
    """A change that no single step describes is not called one between two checkpoints."""
    change = difference(0.4, 0.001, 0.1, label="confidence − accuracy", after=2, splits=[])
    metric = {"value": 0.5, "low": 0.4, "high": 0.6, "label": "m"}
    rows = [
        {"name": f"folder-{k}", "step": None, "metrics": {"gap": metric, "accuracy": metric}}
        for k in range(3)
    ]
    best = {"label": "Brier", "lowest": 2, "kept": [1, 2]}
    results = {
        "changes": {"gap": change},
        "best": {"brier": best},
        "checkpoints": rows,
        "untested": None,
    }
    reads = [f"scored/step-{k}/task" for k in range(3)]
    found = find("trajectory", [by_hand("followed/task", "trajectory", results, reads)])
    first, second = (each.said for each in found.conclusions)
    assert "rises by 40.0 points after step-1, mean to mean" in first
    assert "it changes elsewhere, too: no single step describes it" in first
    assert second.endswith("step-1 is not shown to be worse; step-1 is the earliest.")
    assert found.tables[0].rows[0][2:4] == ["step-1", ""]

    def heads() -> list[str]:  # a column of steps stands where a step is known
        every = find("trajectory", [by_hand("followed/task", "trajectory", results, reads)]).tables
        (table,) = (each for each in every if each.name.startswith("checkpoints"))
        assert {len(row) for row in table.rows} == {len(table.columns)}
        return [column.name for column in table.columns[:2]]

    assert heads()[1] == "m"
    rows[1]["step"] = 10
    assert heads() == ["checkpoint", "step"]


def test_two_steps_that_ask_the_same_are_told_apart():
    outcomes = [
        by_hand("with/one/task", "measures", {}),
        by_hand("without/one/task", "measures", {}),
        by_hand("scored/one/task", "score", {}),
    ]
    name_apart(outcomes)
    assert [each.name for each in outcomes] == ["with/one/task", "without/one/task", "one/task"]


def test_conclusions_bear_on_the_claims_of_the_study_alone():
    conclusion = {"about": "x", "verdict": SHOWN, "said": "x.", "claim": "C2"}
    for claims, claim in ((["C1"], ""), (["C2"], "C2"), ([], "")):
        found = bearing_on({"conclusions": [dict(conclusion)]}, claims)
        assert found["conclusions"][0]["claim"] == claim


def test_an_interval_across_nothing_is_no_change():
    """p and interval decide together, here and on the pages whose tests these are."""
    test = difference(0.03, 0.03, 0.04)
    assert (
        sign(test) == 0
        and sign(difference(0.03, 0.03)) == 1
        and sign(difference(-0.03, 0.03)) == -1
    )
    assert sign({**test, "low": None, "high": None}) == 1 and sign({**test, "p": None}) == 0
