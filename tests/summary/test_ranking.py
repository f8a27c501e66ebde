"""The ranking of calibrators: cross-fitted, tested in pairs, printed and saved."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli, metrics
from calib.calibrators import CALIBRATORS, TemperatureScaling, judged
from calib.calibrators.temperature import softmax
from calib.intervals import SAME
from calib.records import CalibError, InputError
from calib.report.ranking import ranking_rows, ranking_words
from calib.summary.ranking import FOLDS, fit_calibrator, folds, is_better, rank, rank_runs, sign_of
from calib.summary.rows import Scored
from tests.calibrated import drawn


def made(n: int = 1500, factor: float = 1.0, seed: int = 0, groups: int = 2) -> Scored:
    """Answers of which the true temperature is ``factor``, in clusters of three."""
    rng = np.random.default_rng(seed)
    z = 1.5 * rng.normal(size=(n, 4))
    y = drawn(rng, softmax(z))
    logprob = np.log(softmax(factor * z))
    return Scored(
        confidence=softmax(logprob).max(axis=1),
        correct=logprob.argmax(axis=1) == y,
        answer=y,
        logprob=logprob,
        mass=np.ones(n),
        parsed=np.ones(n, bool),
        cluster=np.arange(n) // 3,
        group=np.array([f"g{k % groups}" for k in range(n)]),
        task=np.array(["t"] * n),
        classes=np.tile(np.arange(4), (n, 1)),
        vocabulary=False,
    )


def ranked(scored: Scored, *names: str, seed: int = 0) -> dict[str, Any]:
    parts = folds(scored.cluster, seed)
    return rank(names or list(CALIBRATORS), scored, scored, parts, bins=15, seed=seed)


def test_each_row_is_judged_once_by_a_fit_to_other_clusters():
    cluster = np.repeat(np.arange(40), 5)
    parts = folds(cluster, 3)
    assert len(parts) == FOLDS
    assert sorted(np.concatenate([judge for _, judge in parts])) == list(range(200))
    for fit, judge in parts:
        assert not set(cluster[fit]) & set(cluster[judge])
        assert len(fit) + len(judge) == 200
    same = [np.array_equal(a[1], b[1]) for a, b in zip(parts, folds(cluster, 3), strict=True)]
    assert all(same)
    other = [np.array_equal(a[1], b[1]) for a, b in zip(parts, folds(cluster, 4), strict=True)]
    assert not all(other)


def test_the_figures_are_those_of_fits_to_the_other_parts():
    scored = made(factor=2)
    expected = np.empty(len(scored))
    for fit, judge in folds(scored.cluster, 0):
        scaling = TemperatureScaling().fit(scored.logprob[fit], scored.answer[fit])
        expected[judge] = scaling.predict_proba(scored.logprob[judge]).max(axis=1)
    rows = {row["calibrator"]: row for row in ranked(scored, "temperature")["rows"]}
    assert rows["temperature"]["measure"] == pytest.approx(metrics.nll(expected, scored.correct))
    assert rows["none"]["measure"] == pytest.approx(
        metrics.nll(scored.confidence, scored.correct), rel=1e-12
    )
    assert rows["temperature"]["accuracy"] == scored.correct.mean() == rows["none"]["accuracy"]


def test_where_confidence_is_wrong_every_calibrator_is_shown_to_help():
    ranking = ranked(made(factor=3))
    assert set(ranking["better"]) == set(CALIBRATORS)
    assert ranking["rows"][-1]["calibrator"] == "none"
    values = [row["measure"] for row in ranking["rows"]]
    assert values == sorted(values)
    for row in ranking["rows"][:-1]:
        test = row["tests"]["measure"]
        assert test["low"] <= test["value"] <= test["high"] < 0
        assert test["p"] <= test["holm"] < 0.05


def test_where_it_is_right_none_is_shown_to_be_better_than_none():
    """Under one T of 1 no more than the level's share of rankings name anything."""
    named = [
        bool(ranked(made(300, seed=seed), "temperature", "platt")["better"]) for seed in range(40)
    ]
    assert sum(named) <= 6  # of 40 at .05: seven or more has a probability of .003
    ranking = ranked(made(600, seed=1))
    assert ranking["better"] == []
    assert ranking_words(ranking)[0] == (
        "No calibrator is shown to be better than none, by the NLL of the answer's confidence."
    )


def test_what_cannot_be_fitted_is_listed_with_its_reason():
    scored = made(groups=1)
    ranking = ranked(scored.only(frozenset()))
    assert set(ranking["not_fitted"]) == {"vector", "grouped"}
    assert "all questions are one group" in ranking["not_fitted"]["grouped"]
    assert [row[1] for row in ranking_rows(ranking)][-2:] == ["not fitted"] * 2
    assert any(
        "vector is not fitted: it needs the options' scores" in line
        for line in ranking_words(ranking)
    )


def test_of_stated_confidences_the_given_answer_is_calibrated():
    scored = made(factor=3).only(frozenset())
    # Some answers below a half, which are the given ones all the same.
    scored = replace(scored, logprob=np.log(softmax(scored.logprob - [[1.5, 0]])))
    ranking = ranked(scored, "platt", "temperature", "isotonic")
    rows = {row["calibrator"]: row for row in ranking["rows"]}
    for row in rows.values():
        assert row["accuracy"] == pytest.approx(scored.correct.mean())
    assert rows["platt"]["confidence"] == pytest.approx(scored.correct.mean(), abs=0.01)
    assert rows["none"]["confidence"] == pytest.approx(softmax(scored.logprob)[:, 0].mean())


def test_a_certain_wrong_answer_leaves_the_brier_score():
    scored = made(factor=2).only(frozenset())
    logprob = scored.logprob.copy()
    wrong = np.flatnonzero(scored.answer == 1)[:3]
    logprob[wrong] = [0.0, -np.inf]
    ranking = ranked(replace(scored, logprob=logprob), "platt", "temperature")
    assert ranking["measure"] == "Brier score of the answer's confidence"
    assert all(np.isfinite(row["measure"]) for row in ranking["rows"])
    assert ranking["better"]


def test_changed_answers_are_told_and_a_loss_of_accuracy_is_not_better():
    scored = made(3000)
    preferred = np.array([3.0, 0, 0, 0])
    logprob = np.log(softmax(scored.logprob + preferred))
    biased = replace(scored, logprob=logprob)
    ranking = ranked(biased, "vector", "temperature")
    vector = ranking["rows"][0]
    assert vector["calibrator"] == "vector"
    assert vector["tests"]["accuracy"]["value"] > 0.1
    assert any("vector changes answers: accuracy" in line for line in ranking_words(ranking))
    assert is_better(vector)
    assert not is_better({"tests": {}})
    tests = vector["tests"]
    lost = {**tests["accuracy"], "value": -0.01, "holm": 0.01}
    assert not is_better({"tests": {**tests, "accuracy": lost}})
    assert is_better({"tests": {**tests, "accuracy": {**lost, "holm": 0.2}}})


def test_a_table_of_confidences_is_ranked_too(tmp_path: Path):
    scored = made(400, factor=3)
    lines = [
        f"{c},{int(right)}" for c, right in zip(scored.confidence, scored.correct, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["confidence,correct", *lines]) + "\n")
    calib.read_log(tmp_path / "t.csv", out=tmp_path / "run")
    ran = CliRunner().invoke(
        cli.app, ["fit", str(tmp_path / "run"), "--calibrator", "all"], env={"COLUMNS": "400"}
    )
    assert ran.exit_code == 0, ran.output
    assert "vector is not fitted: it needs the options' scores" in ran.output
    assert "grouped is not fitted: all questions are one group" in ran.output
    assert "Shown to lower the NLL of the answer's confidence: " in ran.output
    ran = CliRunner().invoke(
        cli.app, ["fit", str(tmp_path / "run"), "--calibrator", "vector"], env={"COLUMNS": "400"}
    )
    assert ran.exit_code == 2
    assert "--calibrator vector: it needs the options' scores" in ran.output
    assert not (tmp_path / "run" / "vector.json").exists()


@pytest.mark.parametrize("name", CALIBRATORS)
def test_degenerate_sets_are_ranked_without_a_warning(name):
    scored = made(120)
    for answer in (scored.logprob.argmax(axis=1), scored.logprob.argmin(axis=1)):
        one_sided = replace(scored, answer=answer)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ranking = ranked(one_sided, name)
        assert all(np.isfinite(row["measure"]) for row in ranking["rows"])


def test_the_command_ranks_and_saves(make_run: Any, tmp_path: Path):
    run = make_run(tmp_path / "run", n=600)
    ran = CliRunner().invoke(cli.app, ["fit", str(run), "--calibrator", "all"])
    assert ran.exit_code == 0, ran.output
    ranking = json.loads((run / "calibrators.json").read_text())
    assert {row["calibrator"] for row in ranking["rows"]} == {"none", *CALIBRATORS}
    best = ranking["better"][0]
    assert f"{best}.json" in ran.output.replace("\n", "")
    loaded = calib.load_calibrator(run / f"{best}.json", use=run)
    assert loaded.made_for_["model"] == "a/<model>" and len(loaded.made_for_["fitted_ids"]) == 12
    again = CliRunner().invoke(cli.app, ["fit", str(run), "--calibrator", "all"])
    assert again.output == ran.output


@pytest.mark.parametrize("name", CALIBRATORS)
def test_each_is_fitted_by_the_command_and_loaded_for_its_run(make_run: Any, tmp_path: Path, name):
    run = make_run(tmp_path / "run", n=300)
    ran = CliRunner().invoke(cli.app, ["fit", str(run), "--calibrator", name])
    assert ran.exit_code == 0, ran.output
    loaded = calib.load_calibrator(run / f"{name}.json", use=calib.open_run(run))
    assert type(loaded) is CALIBRATORS[name].load_class()
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "model": "another"}))
    with pytest.raises(InputError, match=r"fitted for model 'a/<model>', not 'another'"):
        calib.load_calibrator(run / f"{name}.json", use=run)
    calib.load_calibrator(run / f"{name}.json", use=run, anyway=True)


def test_judged_on_another_run(make_run: Any, tmp_path: Path):
    run, other = make_run(tmp_path / "run", n=300), make_run(tmp_path / "other", n=200, seed=1)
    with pytest.raises(InputError, match=r"of its 200 questions are those of .*--in_sample"):
        rank_runs(run, other, ["platt"], seed=0)
    records = other / "records.jsonl"
    records.write_text(records.read_text().replace('"id": "q', '"id": "other'))
    ranking, fitted, facts = rank_runs(run, other, ["platt"], seed=0)
    assert ranking["n"] == 200 and ranking["judged on"] == str(other)
    scores, answers = scored_of(other)
    said = judged(fitted["platt"], scores)
    row = next(row for row in ranking["rows"] if row["calibrator"] == "platt")
    right = said.prediction == answers
    assert row["measure"] == pytest.approx(metrics.nll(said.confidence, right))
    assert facts["made for"]["model"] == "a/<model>"


def scored_of(run: Path) -> tuple[Any, Any]:
    table = calib.open_run(run).scores()
    return calib.calibrators.padded(table["logprob"]), table["answer"].to_numpy(int)


def test_what_the_command_refuses(make_run: Any, tmp_path: Path):
    run = make_run(tmp_path / "run", n=40)
    for arguments, code, told in (
        (["--calibrator", "spline"], 2, "--calibrator: expected one of temperature"),
        (["--calibrator", "platt", "--method", "grid"], 2, "it is the temperature's"),
        (["--calibrator", "all", "--export", "vllm"], 2, "--export: it is the temperature's"),
        (["--method", "streamed"], 2, "--method: expected one of exact, grid"),
        (["--calibrator", "all"], 1, "50 questions of 10 clusters or more, got 40 questions"),
    ):
        ran = CliRunner().invoke(cli.app, ["fit", str(run), *arguments], env={"COLUMNS": "400"})
        assert ran.exit_code == code
        assert told in ran.output
    with pytest.raises(CalibError):
        rank_runs(run, None, ["platt"], seed=0)


def test_fits_leave_out_what_has_no_likelihood():
    scored = made(300)
    logprob = scored.logprob.copy()
    logprob[0, scored.answer[0]] = -np.inf
    fitted = fit_calibrator("vector", replace(scored, logprob=logprob), np.arange(300))
    assert fitted.n_fit_ == 299


def test_a_difference_is_shown_by_p_and_interval_together():
    def test(value, low, high, holm, method="paired BCa"):
        return {"value": value, "low": low, "high": high, "p": holm, "holm": holm, "method": method}

    assert sign_of(test(-0.1, -0.2, -0.05, 0.01)) == -1
    assert sign_of(test(0.1, 0.05, 0.2, 0.01)) == 1
    # Exchanges of a few surprising answers: p is small, and the interval reaches across 0.
    assert sign_of(test(-0.011, -0.017, 0.002, 0.014)) == 0
    assert sign_of(test(-0.1, -0.2, -0.05, 0.06)) == 0 == sign_of(None)
    assert sign_of(test(-0.1, None, None, 0.01, SAME)) == -1
    assert sign_of(test(-0.1, None, None, 0.01, "none: fewer than 10 clusters")) == 0
    row = {"tests": {"measure": test(-0.1, -0.2, -0.05, 0.01)}}
    assert is_better(row)
    row["tests"]["accuracy"] = test(-0.1, -0.2, -0.05, 0.01)
    assert not is_better(row)
    row["tests"]["accuracy"] = test(0.1, 0.05, 0.2, 0.01)
    assert is_better(row)
