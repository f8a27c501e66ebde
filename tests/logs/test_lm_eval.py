"""lm-eval's logs: those under ``tests/data/logs``, written by lm-eval 0.4.13 (``lm_eval_run``)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import calib
from calib.records import InputError

LOGS = Path(__file__).parent.parent / "data" / "logs"


def log(task: str) -> Path:
    return next(LOGS.glob(f"samples_tiny_{task}_*.jsonl"))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
def test_every_answer_is_right_where_lm_eval_says_so(metric):
    run = calib.read_log(log("choices"), metric=metric)
    assert run.config["format"] == "lm-eval" and run.config["task"] == "tiny_choices"
    for row, line in zip(run.rows(), lines(log("choices")), strict=True):
        assert row["correct"] == bool(line[metric])
        assert row["options"] == line["doc"]["choices"]
        assert row["answer"] == line["doc"]["answer"]
        assert math.fsum(row["prob"]) == pytest.approx(1, abs=1e-12)


def test_the_confidence_is_the_share_of_the_likelihood():
    row, line = calib.read_log(log("choices")).rows()[0], lines(log("choices"))[0]
    likelihoods = [math.exp(float(each[0])) for each in line["filtered_resps"]]
    assert row["confidence"] == pytest.approx(max(likelihoods) / sum(likelihoods), rel=1e-12)
    assert row["mass"] == pytest.approx(sum(likelihoods), rel=1e-12)


def test_options_by_themselves_are_no_options():
    rows = calib.read_log(log("mutual")).rows()
    assert [row["options"] for row in rows] == [
        line["doc"]["choices"] for line in lines(log("mutual"))
    ]


def test_of_several_filters_one_is_said():
    with pytest.raises(InputError, match="the filters first, second; say which"):
        calib.read_log(log("letters"))
    assert len(calib.read_log(log("letters"), filter="second").rows()) == 6
    with pytest.raises(InputError, match="expected one of first, second, got 'third'"):
        calib.read_log(log("letters"), filter="third")


def test_generated_answers_are_refused():
    with pytest.raises(InputError, match="the metrics exact_match; generated answers"):
        calib.read_log(log("free"))


def test_the_model_is_that_of_the_results_beside(tmp_path):
    path = tmp_path / log("choices").name
    path.write_bytes(log("choices").read_bytes())
    assert "model" not in calib.read_log(path).config
    time = path.stem.removeprefix("samples_tiny_choices_")
    (tmp_path / f"results_{time}.json").write_text('{"model_name": "a/model"}')
    assert calib.read_log(path).config["model"] == "a/model"


CHANGES = {
    "another correctness": (lambda line: line.update(acc=1 - line["acc"]), "line 1: acc is"),
    "no options": (lambda line: line.update(filtered_resps=[]), "line 1: expected two or more"),
    "no arguments": (lambda line: line.pop("arguments"), "line 1: arguments is missing"),
    "no numbers": (lambda line: line.update(filtered_resps=["x", "y"]), "log-likelihoods"),
    "NaN": (lambda line: line.update(filtered_resps=[["nan", "x"], ["-1", "x"]]), "got NaN"),
    "a target of none": (lambda line: line.update(target="pink"), "line 1: target: expected one"),
    "several targets": (lambda line: line.update(target="[0, 1]"), "line 1: target: expected"),
    "twice": (lambda line: line.update(doc_id=1), "line 2: doc_id 1 is there already, in line 1"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_damaged_log_is_refused_by_its_line(tmp_path, what):
    change, told = CHANGES[what]
    rows = lines(log("choices"))[:4]
    change(rows[0])
    path = tmp_path / "samples_x_2026-11-28T12-00-00.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=told):
        calib.read_log(path, "lm-eval")
