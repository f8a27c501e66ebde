"""Checkpoints compared: the same questions, differences as counted by hand, and their report."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel
from typer.testing import CliRunner

from calib import cli
from calib.records import InputError
from calib.report.comparison import headline, write_comparison
from calib.runs import Run, open_run
from calib.summary.compare import compare, correct_for_number
from tests.altered import altered, answer_first_option
from tests.page import Page


def at_temperature(row: dict[str, Any], temperature: float) -> None:
    z = np.array(row["logprob"]) / temperature
    prob = np.exp(z - z.max())
    prob /= prob.sum()
    row |= {
        "prob": prob.tolist(),
        "logprob": np.log(prob).tolist(),
        **dict.fromkeys(("confidence", "confidence_options", "confidence_vocab"), prob.max()),
        "mass": 1.0,
        "parsed": True,
    }


@pytest.fixture
def before(tmp_path, make_run) -> Run:
    """Over-confident: its true temperature is 2."""
    return open_run(make_run(tmp_path / "before", n=400))


@pytest.fixture
def after(tmp_path, before) -> Run:
    """The same answers, calibrated."""
    return altered(before, tmp_path / "after", lambda row: at_temperature(row, 2.0))


def test_a_calibrated_checkpoint_against_an_over_confident_one(before, after):
    found = compare([before, after])
    (pair,) = found["pairs"]
    assert found["n"] == 400 and found["left_out"] == {"a/<model>": 0, "a/tuned": 0}
    tests = pair["differences"]
    assert tests["accuracy"]["value"] == 0 and tests["accuracy"]["p"] == 1
    assert pair["lost"] == pair["gained"] == 0 and pair["same_answer"] == 1
    assert pair["both_right"] + pair["both_wrong"] == 400 and pair["forgotten"] == []
    for name in ("debiased_rmsce", "gap", "brier", "nll"):
        assert tests[name]["value"] < 0 and tests[name]["holm"] < 0.05, name
        assert tests[name]["low"] <= tests[name]["high"] < 0, name
    plug_in = tests["ece"]
    assert plug_in["value"] < 0 and plug_in["p"] is plug_in["low"] is plug_in["holm"] is None
    warm, cool = (run["temperature"] for run in found["runs"])
    assert warm == pytest.approx(2 * cool, rel=1e-6)
    as_it_is, of_the_first, own = found["runs"][1]["judged"]
    assert of_the_first["nll"] > own["nll"] and as_it_is["ece"] < of_the_first["ece"]
    assert headline(pair, found["runs"]).startswith("a/tuned is calibrated better: ECE 0.1")


def test_the_other_way_round_signs_turn(before, after):
    there, back = compare([before, after])["pairs"][0], compare([after, before])["pairs"][0]
    for name, test in there["differences"].items():
        assert back["differences"][name]["value"] == pytest.approx(-test["value"], abs=1e-12)
    assert "worse" in headline(back, compare([after, before])["runs"])


def test_differences_are_those_of_pairs(before, tmp_path):
    """An independent test of paired questions: each a cluster of its own."""

    def change(row: dict[str, Any]) -> None:
        row["cluster"] = row["id"]

    first = altered(before, tmp_path / "single", change, model="one")
    other = altered(first, tmp_path / "other", answer_first_option, model="two")
    found = compare([first, other])
    (pair,) = found["pairs"]
    a, b = (run.scores().correct.to_numpy(float) for run in (first, other))
    theirs = ttest_rel(b, a)
    low, high = theirs.confidence_interval(0.95)
    test = pair["differences"]["accuracy"]
    assert test["value"] == pytest.approx((b - a).mean(), abs=1e-12)
    # A BCa bootstrap of 1,000 resamples against Student's interval.
    assert (test["low"], test["high"]) == pytest.approx((low, high), abs=0.01)
    changed = int((a != b).sum())
    exact = binomtest(int((a < b).sum()), changed).pvalue
    assert test["p"] == pytest.approx(exact, rel=1e-12)
    assert pair["gained"] == ((a == 0) & (b == 1)).sum()
    assert pair["lost"] == ((a == 1) & (b == 0)).sum() > 6
    assert len(pair["forgotten"]) == 6
    surest = [item["confidence"] for item in pair["forgotten"]]
    assert surest == sorted(surest, reverse=True)
    gold = [[row["prob"][row["answer"]] for row in run.rows()] for run in (first, other)]
    ids = [str(row["id"]) for row in first.rows()]
    moves = {name: gold[1][i] - gold[0][i] for i, name in enumerate(ids) if a[i] == b[i]}
    largest = sorted(map(abs, moves.values()), reverse=True)[:6]
    shown = pair["moved_items"]
    assert [abs(item["moved"]) for item in shown] == pytest.approx(largest)
    assert all(item["moved"] == pytest.approx(moves[item["id"]]) for item in shown)
    assert all(
        (item["given"] == item["gold"]) == (item["first"]["given"] == item["first"]["gold"])
        for item in shown
    )


def test_a_checkpoint_against_itself(before, tmp_path):
    same = altered(before, tmp_path / "same", lambda row: None)
    found = compare([before, same])
    for name, test in found["pairs"][0]["differences"].items():
        assert test["value"] == 0
        assert test["p"] == test["holm"] == (None if name == "ece" else 1)
    assert headline(found["pairs"][0], found["runs"]).startswith("No difference")


def test_holm():
    """The example of Holm's procedure by hand: p times those left, never below one before."""
    tests = {name: {"p": p} for name, p in enumerate((0.01, 0.04, 0.03, 0.005, None))}
    correct_for_number([{"differences": tests, "groups": []}])
    assert [test.get("holm") for test in tests.values()] == pytest.approx(
        [0.03, 0.06, 0.06, 0.02, None]
    )


def test_only_common_questions_are_compared_whatever_their_order(before, tmp_path):
    other = altered(before, tmp_path / "other", lambda row: None)
    lines = (other.path / "records.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines[100:]]
    for row in rows:
        row["index"] = 1000 - row["index"]
    rows[0]["answer"] = rows[0]["correct"] = None
    (other.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = compare([before, open_run(other.path)])
    assert found["n"] == 299 and found["left_out"] == {"a/<model>": 101, "a/tuned": 0}
    assert found["pairs"][0]["differences"]["nll"]["value"] == 0


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (lambda row: row.update(answer=1 - min(row["answer"], 1)), {}, "answer"),
        (lambda row: row.update(options=row["options"][::-1]), {}, "not the same question"),
        (lambda row: row.update(id="x" + row["id"]), {}, "no question in common"),
        (lambda row: row.update(answer=None, correct=None), {}, "nothing to report"),
        (lambda row: None, {"confidence": "vocab"}, "two confidences"),
        (lambda row: None, {"kind": "sample", "samples": 2}, "calib sample"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, tmp_path, change, config, message):
    other = altered(before, tmp_path / "other", change, **config)
    with pytest.raises(InputError, match=message):
        compare([before, other])


def test_one_run_is_refused(before):
    with pytest.raises(InputError, match="two or more"):
        compare([before])
    with pytest.raises(InputError, match="twice"):
        compare([before, open_run(before.path)])


def test_the_report_is_whole_and_has_its_numbers(before, after, tmp_path):
    other = altered(before, tmp_path / "third", answer_first_option, model="<b>third</b>")
    page = write_comparison(compare([before, after, other]), tmp_path / "page")
    text = page.read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(text)
    assert not parsed.open and "<b>third" not in text and "<script>alert" not in text
    # Gained and lost by the third, and six that were moved by each.
    assert sum(tag == "article" for tag, _ in parsed.tags) == 24
    results = json.loads((page.parent / "results.json").read_text())
    assert results["tests"] == 2 * 7 and len(results["runs"]) == 3
    twin = (page.parent / "report.md").read_text(encoding="utf-8")
    for run in results["runs"]:
        assert f"{run['metrics']['ece']['value']:.3f}" in twin
    assert "Where all answer in the asked form" in twin  # the first run does not always


def test_what_is_not_defined_is_said(tmp_path, make_run):
    """One question: no interval, no half to fit a temperature on, no AUROC."""
    one = open_run(make_run(tmp_path / "one", n=1))
    other = altered(one, tmp_path / "other", answer_first_option)
    page = write_comparison(compare([one, other]), tmp_path / "page")
    text = page.with_suffix(".md").read_text()
    assert "No difference in debiased calibration error is shown" in text
    assert "| AUROC | – | – | – | – |" in text and "p –" in text


def test_the_command(before, after, tmp_path):
    ran = CliRunner().invoke(
        cli.app, ["compare", str(before.path), str(after.path)], env={"COLUMNS": "80"}
    )
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("tuned is calibrated better") and "on 400 questions" in ran.output
    assert (after.path / "compare" / "report.html").is_file()
    assert max(map(len, ran.output.splitlines()[:-1])) <= 80
    refused = CliRunner().invoke(cli.app, ["compare", str(before.path)])
    assert refused.exit_code == 2 and "two or more" in refused.stderr
