"""Records that were damaged or cannot be are refused by their line; a torn end is none of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from calib import cli
from calib.records import InputError
from calib.report.scores import write_report
from calib.runs import open_run

N = 40


@pytest.fixture
def damaged(make_run, tmp_path: Path):
    """A finished run of N questions whose lines a function has changed."""

    def change(function: Any) -> Path:
        folder = make_run(tmp_path / "run", n=N)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "questions": N}))
        records = folder / "records.jsonl"
        lines = records.read_bytes().splitlines(keepends=True)
        records.write_bytes(b"".join(function(lines)))
        return folder

    return change


def edited(line: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(line), **values}).encode() + b"\n"


def without(line: bytes, name: str) -> bytes:
    row = json.loads(line)
    del row[name]
    return json.dumps(row).encode() + b"\n"


def nudged(line: bytes, by: float) -> bytes:
    """With the last option's probability that much higher."""
    *others, last = json.loads(line)["prob"]
    return edited(line, prob=[*others, last + by])


def another_option(line: bytes) -> bytes:
    """Of two options the one that was not taken."""
    row = json.loads(line)
    taken = 1 - row["prediction"]
    return edited(line, prediction=taken, correct=taken == row["answer"])


BAD_LINES = {
    "garbage": b"garbage\n",
    "blank": b"\n",
    "a list": b"[]\n",
    "no text": b"\xff\xfe\n",
    "many digits": b'{"id": ' + b"1" * 5000 + b"}\n",
    "deep": b'{"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n",
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_among_others_is_damage(damaged, kind: str):
    folder = damaged(lambda lines: [*lines[:10], BAD_LINES[kind], *lines[11:]])
    with pytest.raises(
        InputError, match=r"records.jsonl, line 11: this is not a record, and other"
    ):
        open_run(folder).rows()


@pytest.mark.parametrize("tail", [*BAD_LINES.values(), b'{"id": "q', b"\0" * 4096])
def test_a_torn_end_is_passed_over(damaged, tail: bytes):
    folder = damaged(lambda lines: [*lines, tail])
    assert len(open_run(folder).rows()) == N


CHANGES = {
    "doubled line": (lambda lines: [*lines[:5], lines[4], *lines[5:]], "index 4 is there already"),
    "doubled file": (lambda lines: lines * 2, "line 41: index 0 is there already, in line 1"),
    "doubled id": (
        lambda lines: [lines[0], edited(lines[1], id="q0000"), *lines[2:]],
        "id 'q0000' is there already, in line 1",
    ),
    "out of plan": (
        lambda lines: [*lines[:-1], edited(lines[-1], index=99)],
        "line 40: index 99 is not of this run",
    ),
    "a lie": (
        lambda lines: [edited(lines[0], correct=not json.loads(lines[0])["correct"]), *lines[1:]],
        "line 1: correct is",
    ),
    "right, of no prediction": (
        lambda lines: [edited(lines[0], prediction=None), *lines[1:]],
        "but prediction is null",
    ),
    "right, of no answer": (
        lambda lines: [edited(lines[0], answer=None), *lines[1:]],
        "but answer is null",
    ),
    "a text for a truth value": (
        lambda lines: [edited(lines[0], correct="false"), *lines[1:]],
        "correct: expected true, false or null, got 'false'",
    ),
    "log-probability above 0": (
        lambda lines: [edited(lines[0], logprob=[5.0, -1.0]), *lines[1:]],
        "logprob: expected a list of numbers not above 0",
    ),
    "confidence": (lambda lines: [edited(lines[0], confidence=2.5), *lines[1:]], "confidence: exp"),
    "confidence of 400 digits": (
        lambda lines: [edited(lines[0], confidence=10**400), *lines[1:]],
        "confidence: expected a number from 0 to 1 or null",
    ),
    "confidence in words": (
        lambda lines: [edited(lines[0], confidence="high"), *lines[1:]],
        "confidence: expected a number from 0 to 1 or null, got 'high'",
    ),
    "short prob": (
        lambda lines: [edited(lines[0], prob=[1.0]), *lines[1:]],
        "prob has 1 values, but there are 2 options",
    ),
    "prob of two": (
        lambda lines: [edited(lines[0], prob=[0.9, json.loads(lines[0])["prob"][1]]), *lines[1:]],
        "line 1: prob of option 0 is 0.9, but of the row's log-probabilities it is ",
    ),
    "prob of one in eight": (
        lambda lines: [lines[0], nudged(lines[1], 0.001), *lines[2:]],
        "line 2: prob of option 7 is",
    ),
    "confidence of another": (
        lambda lines: [edited(lines[0], confidence=0.99), *lines[1:]],
        "line 1: confidence (options) is 0.99, but of the row's log-probabilities it is ",
    ),
    **{
        f"{name} of another": (
            lambda lines, name=name: [edited(lines[0], **{name: 0.123}), *lines[1:]],
            f"line 1: {name} is 0.123, but of the row's log-probabilities it is ",
        )
        for name in ("confidence_options", "confidence_vocab", "mass")
    },
    "not the likeliest": (
        lambda lines: [another_option(lines[0]), *lines[1:]],
        "line 1: prediction is",
    ),
    "not the likeliest by ranked": (
        lambda lines: [edited(lines[0], ranked=json.loads(lines[0])["logprob"][::-1]), *lines[1:]],
        "is likelier by its ranked",
    ),
    "no log-probability": (
        lambda lines: [edited(lines[0], logprob=[None, None]), *lines[1:]],
        "line 1: prob is known, though no option has a log-probability",
    ),
    "answer": (lambda lines: [edited(lines[0], answer=99), *lines[1:]], "answer 99 is none of 2"),
    "prediction in words": (
        lambda lines: [edited(lines[0], prediction="yes"), *lines[1:]],
        "prediction: expected an option's index or null",
    ),
    "options": (lambda lines: [edited(lines[0], options=None), *lines[1:]], "options: expected a"),
    **{
        f"no {name}": (
            lambda lines, name=name: [*lines[:2], without(lines[2], name), *lines[3:]],
            f"line 3: {name} is missing",
        )
        for name in ("id", "index", "mass", "options", "confidence", "parsed", "correct", "prob")
    },
}


@pytest.mark.parametrize("kind", CHANGES)
def test_rows_that_cannot_be_are_refused(damaged, kind: str):
    change, message = CHANGES[kind]
    folder = damaged(change)
    with pytest.raises(InputError) as caught:
        open_run(folder).rows()
    assert message in str(caught.value)
    ran = CliRunner().invoke(cli.app, ["report", str(folder)])
    assert ran.exit_code == 2, ran.output


@pytest.mark.parametrize("n", [5, 30, 32])
def test_an_unfinished_run_is_reported_as_such(damaged, n: int):
    """Inside its first batch, inside another and between two."""
    folder = damaged(lambda lines: lines[:n])
    page = write_report(open_run(folder)).read_text(encoding="utf-8")
    assert f"Unfinished, {n} of 40" in page


def in_float32(row: dict[str, Any], far: float) -> dict[str, Any]:
    """As scoring in float32 writes it, with log-probabilities so far below 0."""
    logprob = np.log(row["prob"]).astype(np.float32) - np.float32(far)
    prob = np.exp(logprob.astype(np.float64) - logprob.max())
    best = float(np.exp(np.float64(logprob.max())))
    return {
        **row,
        "logprob": logprob.tolist(),
        "prob": row["prob"],
        "prediction": int(np.argmax(row["prob"])),
        "confidence_vocab": best,
        "mass": best * float(prob.sum()),
    }


@pytest.mark.parametrize("far", [0, 20, 300, 5000])
def test_rounding_is_no_contradiction(damaged, far: float):
    def rounded(lines: list[bytes]) -> list[bytes]:
        return [json.dumps(in_float32(json.loads(line), far)).encode() + b"\n" for line in lines]

    assert len(open_run(damaged(rounded)).rows()) == N


def test_of_equal_options_any_is_the_likeliest(damaged):
    logprob = [math.log(0.5)] * 2
    both = {"prob": [0.5, 0.5], "logprob": logprob, "ranked": None, "mass": 1.0}
    both |= dict.fromkeys(("confidence", "confidence_options", "confidence_vocab"), 0.5)
    folder = damaged(
        lambda lines: [
            edited(lines[0], prediction=0, answer=0, correct=True, **both),
            *lines[1:3],
            edited(lines[3], prediction=1, answer=0, correct=False, **both),
            *lines[4:],
        ]
    )
    assert [open_run(folder).rows()[k]["prediction"] for k in (0, 3)] == [0, 1]


def test_ranked_rules_where_it_is_there(damaged):
    """With normalize="mean" probabilities are those of ``ranked``, the mass of ``logprob``."""
    ranked, logprob = [math.log(0.2), math.log(0.8)], [-1.0, -3.0]
    row = {"ranked": ranked, "logprob": logprob, "prob": [0.2, 0.8], "prediction": 1}
    row |= dict.fromkeys(("confidence", "confidence_options"), 0.8)
    row |= {"confidence_vocab": math.exp(-3), "mass": math.exp(-1) + math.exp(-3)}
    folder = damaged(lambda lines: [edited(lines[0], answer=1, correct=True, **row), *lines[1:]])
    assert open_run(folder).rows()[0]["prob"] == [0.2, 0.8]


def test_a_confidence_is_that_of_the_config(damaged):
    folder = damaged(lambda lines: lines)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "confidence": "vocab"}))
    with pytest.raises(InputError, match=r"line 1: confidence \(vocab\) is"):
        open_run(folder).rows()


SETTINGS = {
    "temperature": (0, "temperature: expected a positive number, got '0'"),
    "confidence": ("mean", "confidence: expected options or vocab, got 'mean'"),
    "normalize": ("max", "normalize: expected sum or mean, got 'max'"),
    "bins": (10**9, "bins: expected a whole number from 1 to 10,000, got '1000000000'"),
    "seed": ("x", "seed: expected a whole number from 0, got 'x'"),
    "samples": (-3, "samples: expected a whole number from 1, got '-3'"),
    "questions": (True, "questions: expected a whole number from 1, got 'True'"),
    "model": (["a"], "model: expected text"),
    "task": ("\ud800", "task: expected text"),
    "anything": ("\ud800", "half of a surrogate pair"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_cannot_be_are_refused(damaged, name: str):
    value, message = SETTINGS[name]
    folder = damaged(lambda lines: lines)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(InputError) as caught:
        open_run(folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"seed": ' + "1" * 5000 + "}", "{", "[]", "\udc80"]
)
def test_a_config_that_is_none_is_refused(damaged, text: str):
    folder = damaged(lambda lines: lines)
    (folder / "config.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=r"config\.json: "):
        open_run(folder)
