"""Transfer: a cell by hand, no question on both sides, one correction, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import calib
from calib.calibrators import TemperatureScaling
from calib.records import CalibError, InputError
from calib.runs import Run, open_run
from calib.summary.ranking import FOLDS, rank_runs
from calib.summary.transfer import Side, parts_of, read, transfer_runs
from tests.altered import altered


def renamed(row: dict[str, Any]) -> None:
    row["id"] = f"other{row['id']}"


def rescored(row: dict[str, Any], p: Any) -> None:
    """The row with other probabilities of its options."""
    given, sure = int(p.argmax()), float(p.max())
    row |= {"prob": p.tolist(), "logprob": (np.log(p) + np.log(row["mass"])).tolist()}
    row |= {"prediction": given, "correct": given == row["answer"]}
    row |= {"confidence": sure, "confidence_options": sure, "confidence_vocab": sure * row["mass"]}
    row["entropy"] = float(-(p * np.log(p)).sum())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> list[Run]:
    """Three runs that share no question; the third is under-confident."""
    root = tmp_path_factory.mktemp("transfer")
    first = open_run(make_run(root / "a", n=300, model="one"))
    drawn = open_run(make_run(root / "drawn", n=240, seed=1))
    second = altered(drawn, root / "b", renamed, model="two")

    def cool(row: dict[str, Any]) -> None:
        row["id"] = f"cool{row['id']}"
        p = np.array(row["prob"]) ** 0.2
        rescored(row, p / p.sum())

    return [first, second, altered(drawn, root / "c", cool, model="three")]


@pytest.fixture(scope="module")
def found(runs: list[Run]) -> dict[str, Any]:
    return transfer_runs(runs)


def cell(found: dict[str, Any], fitted: str, judged: str) -> dict[str, Any]:
    (one,) = [c for c in found["cells"] if (c["fitted"], c["judged"]) == (fitted, judged)]
    return one


def own_temperature(rows: list[dict[str, Any]]) -> float:
    """The root of the slope of the NLL in 1/T: mean over rows of E[z] - z of the right option."""

    def slope(b: float) -> float:
        total = 0.0
        for row in rows:
            z = np.array(row["logprob"])
            p = np.exp(b * z - (b * z).max())
            total += float((p / p.sum()) @ z) - z[row["answer"]]
        return total

    return 1 / brentq(slope, 0.01, 50, xtol=1e-15, rtol=1e-14)


def at(rows: list[dict[str, Any]], t: float) -> tuple[Any, Any]:
    """The answers' confidences at a temperature, and whether they are right."""
    sure, right = [], []
    for row in rows:
        p = np.exp(np.array(row["logprob"]) / t)
        sure.append(p.max() / p.sum())
        right.append(int(p.argmax()) == row["answer"])
    return np.array(sure), np.array(right)


def nll(sure: Any, right: Any) -> float:
    return float(-np.log(np.where(right, sure, 1 - sure)).mean())


def ece(sure: Any, right: Any, bins: int = 15) -> float:
    total = 0.0
    for b in range(bins):
        here = (sure > b / bins) & (sure <= (b + 1) / bins)
        total += abs(float((sure[here] - right[here]).sum()))
    return total / len(sure)


def test_a_cell_is_a_fit_to_all_of_one_run_judged_on_the_other(runs, found):
    for fitted, judged in ((0, 1), (1, 2), (2, 0)):
        rows, others = runs[fitted].rows(), runs[judged].rows()
        t = own_temperature(rows)
        names = [runs[k].config["model"] for k in (fitted, judged)]
        fit = next(each for each in found["fitted"] if each["name"] == names[0])
        assert fit["temperature"]["value"] == pytest.approx(t, rel=1e-9)
        assert fit["temperature"]["low"] < t < fit["temperature"]["high"]
        one = cell(found, *names)
        before, after = at(others, 1.0), at(others, t)
        assert one["before"]["value"] == pytest.approx(nll(*before), abs=1e-9)
        assert one["after"]["value"] == pytest.approx(nll(*after), abs=1e-9)
        assert one["before"]["ece"] == pytest.approx(ece(*before), abs=1e-9)
        assert one["after"]["ece"] == pytest.approx(ece(*after), abs=1e-9)
        test = one["tests"]["measure"]
        assert test["value"] == pytest.approx(nll(*after) - nll(*before), abs=1e-9)
        assert one["how"] == "fitted to all of it" and one["shared"] == 0


def test_a_runs_own_is_what_calib_fit_ranks(runs, found):
    for run in runs:
        ranking, _, _ = rank_runs(run.path, None, ["temperature"], seed=0)
        row = next(row for row in ranking["rows"] if row["calibrator"] == "temperature")
        name = run.config["model"]
        own = cell(found, name, name)
        assert own["after"]["value"] == pytest.approx(row["measure"], abs=1e-12)
        assert own["after"]["ece"] == pytest.approx(row["ece"], abs=1e-12)
        assert own["tests"]["measure"]["value"] == row["tests"]["measure"]["value"]
        assert own["loss"] is None and own["how"] == "cross-fitted"


def test_a_loss_is_against_the_judged_runs_own(found):
    for one in found["cells"]:
        if not one["own"]:
            own = cell(found, one["judged"], one["judged"])["after"]["value"]
            assert one["loss"]["value"] == pytest.approx(one["after"]["value"] - own, abs=1e-12)
            assert one["loss"]["low"] <= one["loss"]["value"] <= one["loss"]["high"]


def test_every_p_is_corrected_for_all(found):
    tests = [test for one in found["cells"] for test in one["tests"].values()]
    tests += [one["loss"] for one in found["cells"] if one["loss"]]
    assert len(tests) == found["tests"] == 9 + 6
    least = 0.0
    for left, test in zip(range(15, 0, -1), sorted(tests, key=lambda t: t["p"]), strict=True):
        least = max(least, min(1.0, left * test["p"]))
        assert test["holm"] == pytest.approx(least)


def questions(side: Side, rows: Any) -> set[Any]:
    return {side.questions[row] for row in rows}


@pytest.mark.parametrize("kept", [300, 150, 40])
def test_no_question_is_on_both_sides(runs, tmp_path, kept: int):
    """Another model on the same questions, or on some of them."""
    other = altered(runs[0], tmp_path / "other", lambda row: None, model="other")
    lines = (other.path / "records.jsonl").read_text().splitlines(keepends=True)
    own = [json.loads(line) for line in lines]
    for row in own[kept:]:
        renamed(row)
    (other.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    fit, judge = read([runs[0], open_run(other.path)])
    parts = parts_of(fit, judge, 0)
    assert len(parts) == FOLDS
    assert sorted(np.concatenate([rows for _, rows in parts])) == list(range(300))
    for fit_rows, rows in parts:
        left_out = set(range(300)) - set(fit_rows)
        assert not questions(fit, fit_rows) & questions(judge, rows)
        clusters = {fit.scored.cluster[row] for row in left_out}
        assert not clusters & {fit.scored.cluster[row] for row in fit_rows}
        # Nothing but the clusters of shared questions is left out.
        shared = {fit.questions.index(q) for q in questions(fit, left_out) & questions(judge, rows)}
        assert clusters == {fit.scored.cluster[row] for row in shared}
    rows_of_first = runs[0].rows()
    found = transfer_runs([runs[0], open_run(other.path)])
    one = cell(found, "one", "other")
    assert one["shared"] == kept and one["how"] == "cross-fitted"
    sure = np.empty(300)
    for fit_rows, rows in parts:
        t = own_temperature([rows_of_first[row] for row in fit_rows])
        sure[rows] = at([own[row] for row in rows], t)[0]
    right = at(own, 1.0)[1]
    assert one["after"]["value"] == pytest.approx(nll(sure, right), abs=1e-9)


def test_clusters_that_share_a_question_are_one(runs, tmp_path):
    """The other run's clusters are twice as large: six rows go together in both."""

    def wider(row: dict[str, Any]) -> None:
        row["cluster"] = str(row["index"] // 6)

    first, other = read([runs[0], altered(runs[0], tmp_path / "wide", wider, model="wide")])
    assert len(np.unique(first.scored.cluster)) == 100
    assert len(np.unique(first.linked)) == len(np.unique(other.linked)) == 50
    np.testing.assert_array_equal(first.linked, other.linked)


def table(path: Path, rows: int, seed: int, extra: str = "") -> Run:
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.5, 0.99, rows)
    right = rng.random(rows) < sure**2
    lines = [f"{c},{int(r)}" for c, r in zip(sure, right, strict=True)]
    path.write_text("\n".join(["confidence,correct", *lines, extra]) + "\n")
    return calib.read_log(path)


def test_numbers_of_rows_make_questions_the_same_in_one_file_alone(tmp_path):
    one, other = table(tmp_path / "one.csv", 100, 0), table(tmp_path / "other.csv", 100, 1)
    first, second = read([one, other])
    assert not np.isin(first.linked, second.linked).any()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "two.csv").write_bytes((tmp_path / "one.csv").read_bytes())
    first, same = read([one, calib.read_log(tmp_path / "copy" / "two.csv")])
    np.testing.assert_array_equal(first.linked, same.linked)


def test_an_infinite_likelihood_leaves_the_brier_score_of_its_column(tmp_path):
    one = table(tmp_path / "one.csv", 100, 0)
    other = table(tmp_path / "other.csv", 100, 1, extra="1,0")
    found = transfer_runs([one, other])
    measures = [each["measure"].partition(" of ")[0] for each in found["judged"]]
    assert measures == ["NLL", "Brier score"]
    rows = other.rows()
    sure, right = np.array([(row["confidence"], row["correct"]) for row in rows]).T
    before = found["judged"][1]
    assert before["value"] == pytest.approx(float(((sure - right) ** 2).mean()), abs=1e-12)
    t = 1 / brentq(lambda b: slope_of_odds(one.rows(), b), 0.01, 50, xtol=1e-15, rtol=1e-14)
    with np.errstate(divide="ignore"):
        after = 1 / (1 + (1 / sure - 1) ** (1 / t))
    far = next(c for c in found["cells"] if not c["own"] and c["judged"] == before["name"])
    assert far["after"]["value"] == pytest.approx(float(((after - right) ** 2).mean()), abs=1e-9)


def slope_of_odds(rows: list[dict[str, Any]], b: float) -> float:
    odds = np.array([np.log(row["confidence"] / (1 - row["confidence"])) for row in rows])
    right = np.array([row["correct"] for row in rows], float)
    return float(((1 / (1 + np.exp(-b * odds)) - right) * odds).sum())


def test_what_maps_scores_of_options_maps_no_confidences_alone(runs, tmp_path):
    stated = table(tmp_path / "one.csv", 120, 0)
    found = transfer_runs([runs[0], stated])
    whys = {c["fitted"]: c["why"] for c in found["cells"] if not c["own"]}
    assert whys[found["fitted"][0]["name"]] == (
        "it is fitted to scores of options, and the judged run has confidences alone"
    )
    assert all(c["loss"] is None and c["tests"] == {} for c in found["cells"] if c["why"])
    mapped = transfer_runs([runs[0], stated], calibrator="platt")
    assert all(c["why"] is None for c in mapped["cells"])


def test_vector_scaling_goes_with_its_own_number_of_options(runs, tmp_path):
    def two(row: dict[str, Any]) -> None:
        row["id"] = f"two{row['id']}"
        row |= {"options": row["options"][:2], "answer": min(row["answer"], 1)}
        p = np.array(row["prob"][:2])
        rescored(row, p / p.sum())

    few = altered(runs[0], tmp_path / "few", two, model="few")
    found = transfer_runs([runs[0], few], calibrator="vector")
    assert "expected at most the 2 options" in cell(found, "few", "one")["why"]
    assert "accuracy" in cell(found, "one", "one")["tests"]
    assert [each["temperature"] for each in found["fitted"]] == [None, None]


def test_a_run_may_be_judged_alone(runs, found):
    judged = transfer_runs(runs[:1], runs[1:])
    assert [each["name"] for each in judged["fitted"]] == ["one"]
    assert [(c["fitted"], c["judged"]) for c in judged["cells"]] == [
        ("one", name) for name in ("one", "two", "three")
    ]
    for name in ("two", "three"):
        here, there = cell(judged, "one", name), cell(found, "one", name)
        assert here["after"] == there["after"]
        assert here["loss"]["value"] == there["loss"]["value"]


def test_what_is_refused(runs, tmp_path, make_run):
    few = open_run(make_run(tmp_path / "few", n=40))
    sampled = Run(tmp_path, {"kind": "sample"})
    for given, judge, more, error, told in (
        (runs[:1], [], {}, InputError, "runs: expected 2 to 12 runs"),
        ([], runs, {}, InputError, "runs: expected 2 to 12 runs"),
        (runs * 5, [], {}, InputError, "got 15"),
        (runs[:2], runs[:1], {}, InputError, "expected each run once"),
        (runs, [], {"calibrator": "spline"}, InputError, "calibrator: expected one of temperature"),
        (runs, [], {"seed": -1}, InputError, "seed: expected a whole number"),
        ([runs[0], few], [], {}, CalibError, "got 40 questions of 14"),
        ([runs[0], sampled], [], {}, InputError, "calib transfer takes scored questions"),
    ):
        with pytest.raises(error, match=told) as refused:
            transfer_runs(given, judge, **more)
        assert "\n" not in str(refused.value)


def test_a_table_of_scores_gives_what_a_fit_by_hand_gives(runs):
    """The class itself on the run's arrays, beside the matrix's own path."""
    table = runs[0].scores()
    scaling = TemperatureScaling().fit(
        calib.calibrators.padded(table["logprob"]),
        table["answer"].to_numpy(int),
        clusters=table["cluster"],
    )
    fitted = transfer_runs(runs[:2])["fitted"][0]["temperature"]
    assert fitted["value"] == pytest.approx(scaling.temperature_, rel=1e-12)
    assert (fitted["low"], fitted["high"]) == pytest.approx((scaling.low_, scaling.high_))
