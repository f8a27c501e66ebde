"""Plain tables of every format: read as what they are, or refused by file, line and column."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

import calib
from calib import metrics
from calib.logs.formats import FORMATS
from calib.records import InputError

CONFIDENCE = [0.9, 0.8, 0.55, 1.0]
CORRECT = [1, 1, 0, 1]
LOGITS = [[2.0, 1.0, -1.0], [0.5, 0.25, 3.0], [0.0, 1.0, 0.5], [4.0, 0.0, 0.0]]
LABELS = [0, 2, 2, 0]


def columns_of(**columns: Any) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in columns.items()}


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    """The columns in the format that the path's ending says."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerow(columns)
            for row in rows:
                writer.writerow([json.dumps(v) if isinstance(v, list) else v for v in row.values()])
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table(columns), path)
    else:
        np.savez(path, **{name: np.array(values) for name, values in columns.items()})
    return path


ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".npz")


@pytest.mark.parametrize("ending", ENDINGS)
def test_confidence_and_correctness(tmp_path, ending):
    path = write(
        tmp_path / f"t{ending}",
        columns_of(confidence=CONFIDENCE, correct=CORRECT, group="aabb", cluster=[1, 1, 2, 3]),
    )
    run = calib.read_log(path)
    rows = run.rows()
    assert run.kind == "imported" and run.config["format"] == ending[1:]
    assert [row["confidence"] for row in rows] == CONFIDENCE
    assert [row["correct"] for row in rows] == [bool(value) for value in CORRECT]
    assert [row["group"] for row in rows] == list("aabb")
    assert [row["cluster"] for row in rows] == ["1", "1", "2", "3"]
    assert len(run.scores()) == 4


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_logits_or_probabilities_and_label(tmp_path, ending, kind):
    z = np.array(LOGITS)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    values = (z if kind == "logits" else p).tolist()
    path = write(tmp_path / f"t{ending}", columns_of(**{kind: values}, label=LABELS))
    rows = calib.read_log(path).rows()
    assert np.allclose([row["prob"] for row in rows], p, atol=1e-12)
    assert [row["answer"] for row in rows] == LABELS
    assert [row["prediction"] for row in rows] == p.argmax(axis=1).tolist()
    assert np.allclose([row["confidence"] for row in rows], p.max(axis=1), atol=1e-12)


@pytest.mark.parametrize("ending", ENDINGS)
def test_probabilities_that_are_named_logits_are_refused(tmp_path, ending):
    z = np.array(LOGITS)
    p = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)).round(3)
    path = write(tmp_path / f"t{ending}", columns_of(logits=p.tolist(), label=LABELS))
    told = (
        "logits is named as logits, and every row has values from 0 to 1 that sum to 1, .* "
        "probabilities=logits or logits=logits"
    )
    with pytest.raises(InputError, match=told):
        calib.read_log(path)
    rows = calib.read_log(path, probabilities="logits").rows()
    assert np.allclose([row["prob"] for row in rows], p, atol=2e-3)
    meant = calib.read_log(path, logits="logits").rows()
    assert np.allclose([row["prob"] for row in meant], softmax(p, axis=1), atol=1e-12)
    # One row that is none makes logits of all.
    p[-1] = [0.2, 0.3, 0.9]
    path = write(tmp_path / f"u{ending}", columns_of(logits=p.tolist(), label=LABELS))
    rows = calib.read_log(path).rows()
    assert np.allclose([row["prob"] for row in rows], softmax(p, axis=1), atol=1e-12)
    columns = {f"logit_{k}": [0.5, 0.5 * k] for k in (0, 2)}
    path = write(tmp_path / f"v{ending}", columns | {"label": [0, 1]})
    with pytest.raises(InputError, match=r"probabilities=logit_\* or logits=logit_\*"):
        calib.read_log(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_column_for_each_class(tmp_path, ending):
    columns = {f"logit_{k}": [row[k] for row in LOGITS] for k in (2, 0, 1)}
    rows = calib.read_log(write(tmp_path / f"t{ending}", columns | {"y_true": LABELS})).rows()
    assert [row["prediction"] for row in rows] == np.argmax(LOGITS, axis=1).tolist()
    assert rows[0]["options"] == ["0", "1", "2"]


def test_classes_may_have_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("prob_cat,prob_dog,label\n0.9,0.1,cat\n0.2,0.8,cat\n")
    rows = calib.read_log(path).rows()
    assert rows[0]["options"] == ["cat", "dog"]
    assert [row["correct"] for row in rows] == [True, False]


def test_one_probability_is_that_of_class_1(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("y_true,y_prob\n1,0.9\n0,0.2\n1,0.3\n")
    rows = calib.read_log(path).rows()
    assert [row["confidence"] for row in rows] == pytest.approx([0.9, 0.8, 0.7])
    assert [row["correct"] for row in rows] == [True, True, False]


def test_right_is_what_equals_its_label(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("pred,label,conf\nParis,Paris,0.9\nBern,Oslo,0.4\n")
    assert [row["correct"] for row in calib.read_log(path).rows()] == [True, False]


def test_columns_of_other_names_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("score,ok,confidence\n0.9,1,0.1\n0.4,0,0.2\n")
    rows = calib.read_log(path, confidence="score", correct="ok").rows()
    assert [row["confidence"] for row in rows] == [0.9, 0.4]
    path.write_text("0,1,label\n0.51,0.48,0\n")
    assert calib.read_log(path, probabilities="[0-9]*").rows()[0]["options"] == ["0", "1"]
    path.write_text("s_a,s_b,label\n1.5,-1,a\n0.1,0.3,b\n")
    rows = calib.read_log(path, logits="s_*").rows()
    assert [row["options"] for row in rows] == [["a", "b"]] * 2


def test_a_runs_own_records_are_a_table(tmp_path, make_run):
    folder = make_run(tmp_path / "run", n=30)
    own = calib.open_run(folder).rows()
    read = calib.read_log(folder / "records.jsonl").rows()
    for a, b in zip(own, read, strict=True):
        assert a["id"] == b["id"] and a["correct"] == b["correct"]
        assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-12)


def test_floats_of_32_bits_may_round_past_one(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, confidence=np.array([1.0000001, 0.5], np.float32), correct=[True, False])
    assert calib.read_log(path).rows()[0]["confidence"] == 1.0


REFUSED = {
    "no such column": ("a,b\n1,2\n", "expected columns confidence and correct, .*'a', 'b'"),
    "no truth": ("confidence,x\n0.5,2\n", "expected columns confidence and correct"),
    "no label": ("logit_0,logit_1\n0.5,2\n", "expected columns .*'logit_0', 'logit_1'"),
    "per cent": ("confidence,correct\n0.5,1\n87.5,1\n", "line 3: confidence: .*divide by 100"),
    "per cent sign": ("confidence,correct\n87 %,1\n", "line 2: confidence: .*per cent"),
    "logprob": ("confidence,correct\n-0.5,1\n", r"line 2: .*take exp\(\) of it"),
    "above 100": ("confidence,correct\n101,1\n", "from 0 to 1, got 101"),
    "NaN": ("confidence,correct\n0.5,1\nnan,0\n", "line 3: confidence: .*NaN"),
    "no value": (
        "confidence,correct\n0.5,1\n,0\n",
        "line 3: confidence: expected a number, got ''",
    ),
    "decimal comma": ("confidence;correct\n0,95;1\n", "line 2: .*decimal point, got '0,95'"),
    "text": ("confidence,correct\nhigh,1\n", "line 2: confidence: expected a number, got 'high'"),
    "half right": ("confidence,correct\n0.5,0.5\n", "line 2: correct: expected 0, 1, true or fal"),
    "mixed": ("confidence,correct\n0.5,1\n0.5,True\n", "line 3: correct: .*as numbers"),
    "yes": ("confidence,correct\n0.5,yes\n", "expected 0, 1, true or false, got 'yes'"),
    "ids": ("id,confidence,correct\na,0.5,1\na,0.5,1\n", "line 3: the id 'a' is .* in line 2"),
    "empty": ("", "the file is empty"),
    "header alone": ("confidence,correct\n", "it holds no rows"),
    "no header": ("0.5,1\n0.6,0\n", "line 1: expected a header"),
    "fields": ("confidence,correct\n0.5\n", "line 2: it has 1 fields, and the header has 2"),
    "twice": ("confidence,confidence\n0.5,1\n", "'confidence' appears twice"),
    "two names": ("conf,msp,correct\n0.5,0.5,1\n", "'conf' and 'msp' may both be the confidence"),
    "sum": ("prob_0,prob_1,label\n0.5,0.2,1\n", "line 2: prob_0: .*sum to 1, got a sum of 0.7"),
    "label": ("prob_0,prob_1,label\n0.5,0.5,2\n", "line 2: label: expected one of 2 classes"),
    "disagree": (
        "prob_0,prob_1,label,confidence,correct\n0.9,0.1,0,0.4,1\n",
        "line 2: it states confidence 0.4 .* its classes give 0.9",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_that_cannot_be_is_refused(tmp_path, what):
    text, told = REFUSED[what]
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as refused:
        calib.read_log(path)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


REFUSED_JSON = {
    "text for a number": ('{"confidence": "0.5", "correct": 1}', "line 1: confidence: .*'0.5'"),
    "truth for a number": ('{"confidence": true, "correct": 1}', "line 1: confidence: .*True"),
    "missing": ('{"confidence": 0.5, "correct": 1}\n{"correct": 1}', "line 2: confidence: .*None"),
    "mixed": (
        '{"confidence": 0.5, "correct": 1}\n{"confidence": 0.5, "correct": true}',
        "line 2: correct: it is True",
    ),
    "a list": ("[1, 2]", "line 1: expected an object"),
    "no JSON": ("confidence", "line 1: "),
    "NaN": ('{"confidence": NaN, "correct": 1}', "line 1: "),
    "one logit": ('{"logits": [1.0], "label": 0}', "line 1: logits: .*two or more"),
    "NaN logit": ('{"logits": [1.0, "x"], "label": 0}', "line 1: logits: expected a number"),
}


@pytest.mark.parametrize("what", REFUSED_JSON)
def test_lines_that_cannot_be_are_refused(tmp_path, what):
    text, told = REFUSED_JSON[what]
    path = tmp_path / "t.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=told):
        calib.read_log(path)


def test_arrays_that_cannot_be_are_refused(tmp_path):
    path = tmp_path / "t.npz"
    for arrays, told in (
        ({"confidence": [0.5, 0.6], "correct": [1]}, "arrays of one length, got confidence 2"),
        ({"confidence": np.array([0.5, None]), "correct": [1, 0]}, "it cannot be read as npz"),
        ({"confidence": [np.nan, 0.5], "correct": [1, 0]}, "row 0: confidence: .*NaN"),
        ({"logits": np.zeros((2, 2, 2)), "label": [0, 1]}, r"logits is \(2, 2, 2\)"),
        ({"logits": np.zeros((2, 2))}, "expected columns .*'logits'"),
        ({"probs": np.eye(2), "label": np.eye(2)}, r"row 0: label: expected a text or number"),
        ({"arr_0": [0.5], "arr_1": [1]}, "the columns are 'arr_0', 'arr_1'"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=told):
            calib.read_log(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(InputError, match="it cannot be read as npz"):
        calib.read_log(path)
    np.save(tmp_path / "t.npy", np.zeros(3))
    with pytest.raises(InputError, match="got one array"):
        calib.read_log(tmp_path / "t.npy")


def test_arguments_that_cannot_be_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", columns_of(confidence=CONFIDENCE, correct=CORRECT))
    for call, told in (
        (lambda: calib.read_log(tmp_path), "expected a file, got a folder"),
        (lambda: calib.read_log(tmp_path / "gone.csv"), "there is no such file"),
        (lambda: calib.read_log(path, "excel"), "format: expected one of lm-eval, jsonl"),
        (lambda: calib.read_log(path, confidence="x"), "there is no column 'x'; .*'confidence'"),
        (lambda: calib.read_log(path, metric="acc"), "csv takes the arguments .*'metric'"),
        (lambda: calib.read_log(path, bins=0), "bins: expected"),
        (lambda: calib.read_log(path.rename(tmp_path / "t.xlsx")), "ends in .csv"),
    ):
        with pytest.raises(InputError, match=told):
            call()


def test_every_format_says_what_it_is():
    assert list(FORMATS) == ["lm-eval", "jsonl", "csv", "tsv", "parquet", "npz"]
    assert all(each.about and each.arguments for each in FORMATS.values())


def test_the_ece_is_that_of_the_columns(tmp_path):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=300).round(3)
    correct = rng.uniform(size=300) < confidence
    path = write(tmp_path / "t.csv", columns_of(confidence=confidence, correct=correct.astype(int)))
    found = calib.summarize(calib.read_log(path))
    expected = metrics.ece(confidence, correct, bins=15)
    assert found["metrics"]["ece"]["value"] == pytest.approx(expected, abs=1e-12)
    for absent in ("nll", "brier", "mass", "parse_rate", "classwise_ece", "tie_rate"):
        assert absent not in found["metrics"]
    assert "mass" not in found["overall"] and "parsed" not in found["counts"]


@pytest.mark.parametrize("names", ["ab", "AB", "st"])
def test_classes_whose_first_column_is_called_like_a_role(tmp_path: Path, names: str) -> None:
    path = tmp_path / "x.csv"
    head = ",".join(f"prob_{name}" for name in names)
    path.write_text(f"{head},label\n0.9,0.1,{names[0]}\n0.8,0.2,{names[0]}\n0.3,0.7,{names[1]}\n")
    rows = calib.read_log(path).rows()
    assert [row["correct"] for row in rows] == [True, True, True]
    assert [row["options"] for row in rows] == [list(names)] * 3
