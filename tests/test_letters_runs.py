"""Runs of protocol ``paper``: what is kept, counted, said and refused; the numbers by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli, metrics
from calib.hf.model import Model
from calib.intervals import paired_difference
from calib.records import CalibError, InputError, Item
from calib.report.csv_tables import tables_of
from calib.report.letters import FITTED
from calib.report.markdown import markdown
from calib.report.scores import score_page, write_report
from calib.runs import Run, open_run
from calib.summary import summarize
from calib.summary.compare import compare
from calib.tasks import Task
from tests.fake_model import Fake
from tests.hf.conftest import make_llama, make_tokenizer
from tests.twins import check_twins


def lettered(folder: Path, n: int = 300, seed: int = 0, **config: Any) -> Run:
    """A finished run: a fifth later, a sixth unparsed, one without an answer, one of NaN."""
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows = []
    for k in range(n):
        answer = int(chance.integers(3))
        readings = []
        for at in range(2):
            z = chance.normal(size=3) + 2 * (np.arange(3) == answer)
            prob = np.exp(z) / np.exp(z).sum()
            mass = float(chance.uniform(0.5, 0.95))
            best = int(prob.argmax())
            readings.append(
                {
                    "prediction": best,
                    "token": 7 + best,
                    "confidence_options": float(prob[best]),
                    "confidence_vocab": float(prob[best]) * mass,
                    "mass": mass,
                    "entropy": 0.5,
                    "vocab_entropy": 1.0,
                    "parsed": bool(at == 0 or mass > 0.7),
                    "valid": True,
                    "prob": prob.tolist(),
                    "logprob": (np.log(prob) + np.log(mass)).tolist(),
                }
            )
        letter, position = readings
        step = 0 if k % 5 else 1 + k % 3
        if step == 0:
            letter = dict(position)
        row = {
            "id": f"q{k}", "index": k, "task": "made", "group": "ab"[k % 2],
            "cluster": f"c{k // 2}",
            "question": "Which?", "images": [], "options": ["x", "y", "z"], "answer": answer,
            **letter, "confidence": letter["confidence_vocab"], "parsed": True,
            "correct": letter["prediction"] == answer, "step": step, "position": position,
            "batch": 0, "of_batch": n,
        }  # fmt: skip
        if k % 6 == 2:
            null = ("prediction", "token", "confidence", "confidence_options", "confidence_vocab",
                    "mass", "entropy", "vocab_entropy", "correct", "step")  # fmt: skip
            row |= dict.fromkeys(null)
            row |= {"parsed": False, "prob": [None] * 3, "logprob": [None] * 3}
        if k == 1:
            row |= {"answer": None, "correct": None}
        rows.append(row)
    given = {"model": "a/b", "task": "made", "confidence": "vocab", "protocol": "paper", "bins": 10}
    given |= {"questions": n, "seed": 0, **config}
    (folder / "config.json").write_text(json.dumps(given))
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_run(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return lettered(tmp_path_factory.mktemp("lettered") / "run")


@pytest.fixture(scope="module")
def found(run: Run) -> dict[str, Any]:
    return summarize(run)


def test_shares_as_counted_by_hand(run: Run, found: dict[str, Any]):
    rows = [row for row in run.rows() if row["answer"] is not None]
    stood = [row for row in rows if row["step"] is not None]
    letters = found["letters"]
    assert (letters["n"], letters["unparsed"]) == (len(rows), len(rows) - len(stood))
    assert letters["compared"] == found["counts"]["scored"] == len(stood)
    assert found["counts"]["unparsed"] == letters["unparsed"] and found["counts"]["invalid"] == 0
    for name, share in (
        ("parsed", len(stood) / len(rows)),
        ("parsed_at_position", np.mean([row["position"]["parsed"] for row in rows])),
        ("later", np.mean([row["step"] > 0 for row in stood])),
        ("other", np.mean([r["prediction"] != r["position"]["prediction"] for r in stood])),
        ("right", np.mean([row["prediction"] == row["answer"] for row in rows])),
        ("right_at_position", np.mean([r["position"]["prediction"] == r["answer"] for r in rows])),
    ):
        assert letters[name]["value"] == pytest.approx(share, abs=1e-12), name
        assert letters[name]["low"] < share < letters[name]["high"]
    assert {e["step"]: e["n"] for e in letters["steps"]} == {
        step: sum(row["step"] == step for row in stood) for step in range(4)
    }
    # Beside every accuracy, of all questions.
    rate = len(stood) / len(rows)
    assert found["metrics"]["parse_rate"]["value"] == found["overall"]["parse_rate"] == rate
    for group in found["groups"]:
        own = [row["step"] is not None for row in rows if row["group"] == group["group"]]
        assert group["parse_rate"] == pytest.approx(np.mean(own))


def test_both_eces_and_their_tests_by_hand(run: Run, found: dict[str, Any]):
    rows = [r for r in run.rows() if r["answer"] is not None and r["step"] is not None]
    clusters = [row["cluster"] for row in rows]
    right = np.array([row["correct"] for row in rows])
    first = np.array([row["position"]["prediction"] == row["answer"] for row in rows])
    readings = {
        "letter": (np.array([row["confidence"] for row in rows]), right),
        "position": (np.array([row["position"]["confidence_vocab"] for row in rows]), first),
        "options": (np.array([row["position"]["confidence_options"] for row in rows]), first),
    }
    own = found["letters"]["metrics"]
    for name, (confidence, correct) in readings.items():
        assert own[name]["ece"]["value"] == pytest.approx(
            metrics.ece(confidence, correct, bins=10), abs=1e-9
        )
        assert own[name]["accuracy"]["value"] == pytest.approx(correct.mean())
    assert found["metrics"]["ece"]["value"] == pytest.approx(own["letter"]["ece"]["value"])
    for name in ("position", "options"):
        test = found["letters"]["tests"][name]["debiased_rmsce"]
        expected = paired_difference(
            partial(metrics.debiased_rmsce, bins=10),
            readings[name],
            readings["letter"],
            clusters=clusters,
        )
        assert test["value"] == pytest.approx(expected.value, abs=1e-12)
        assert test["p"] == pytest.approx(expected.p, abs=1e-12)
        assert test["holm"] >= test["p"]
    assert list(found["letters"]["tests"]["options"]) == ["debiased_rmsce"]
    tests = [t for way in found["letters"]["tests"].values() for t in way.values()]
    assert all("at_most" in test for test in tests), "they are of the page's family"


def test_the_page_says_what_the_tests_show(run: Run, found: dict[str, Any]):
    page = score_page(found, run.path)
    text, letters = markdown(page), found["letters"]
    assert "Where the letter stood" in text
    assert f"{letters['unparsed']} are unparsed" in text
    assert f"to {letters['unparsed']} no letter was said" in text
    for name, way in letters["tests"].items():
        shown = any(test["holm"] < 0.05 for test in way.values())
        how = {"position": "among all tokens, ", "options": "which is protocol position, "}[name]
        assert (f"{how}is not shown to change anything" in text) is not shown
    (table,) = [table for table in tables_of(page) if table.name == "readings"]
    assert [row[0] for row in table.rows][-1] == "ECE if calibrated"
    assert not any("likeliest token was an option" in row[0] for t in tables_of(page)
                   for row in t.rows)  # fmt: skip


def test_the_report_is_written(run: Run):
    check_twins(write_report(run).parent)
    assert "no letter" in (run.path / "report.md").read_text()


def test_a_temperature_is_that_of_the_letters_step(run: Run):
    rows = [r for r in run.rows() if r["answer"] is not None and r["step"] is not None]
    scaling = calib.TemperatureScaling().fit(
        np.array([row["logprob"] for row in rows]), np.array([row["answer"] for row in rows])
    )
    other = CliRunner().invoke(
        cli.app, ["fit", str(run.path), "--evaluate", str(run.path), "--in_sample"]
    )
    assert other.exit_code == 0 and " ".join(FITTED.split()) in " ".join(other.output.split())
    saved = json.loads((run.path / "temperature.json").read_text())
    assert saved["temperature"] == pytest.approx(scaling.temperature_, rel=1e-6)


def test_runs_are_compared_where_letters_stood(run: Run, tmp_path: Path):
    other = lettered(tmp_path / "other", seed=0, model="a/c")
    compared = compare([run, other])
    assert compared["n"] == sum(r["confidence"] is not None and r["answer"] is not None
                                for r in run.rows())  # fmt: skip
    assert compared["pairs"][0]["both_wrong"] + compared["pairs"][0]["both_right"] == compared["n"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": None}, "step is None, but prediction is"),
        ({"position": None}, "position: expected an object"),
        ({"step": -1}, "step: expected a whole number from 0 or null"),
    ],
)
def test_records_that_cannot_be_are_refused(tmp_path: Path, change: Any, message: str):
    run = lettered(tmp_path / "run", n=6)
    lines = (run.path / "records.jsonl").read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), **change})
    (run.path / "records.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=f"line 1: {message}"):
        run.rows()


def test_one_question_has_a_page(tmp_path: Path):
    run = lettered(tmp_path / "run", n=1)
    found = summarize(run)
    assert (found["letters"]["n"], found["letters"]["compared"]) == (1, 1)
    assert all(t["p"] is None for way in found["letters"]["tests"].values() for t in way.values())
    text = markdown(score_page(found, run.path))
    assert text.count("is not shown to change anything") == 2 and "on 1 question with" in text


def test_no_letter_at_all_is_said_in_a_sentence(tmp_path: Path):
    run = lettered(tmp_path / "run", n=6)
    rows = [json.loads(line) for line in (run.path / "records.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["step"] is None]
    (run.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(CalibError, match=r"\(of 1 no letter was said\), so"):
        summarize(run)


@pytest.fixture(scope="module")
def tiny() -> Model:
    tokenizer, hf = make_tokenizer(), make_llama()
    for letter in "ABC":  # louder, so that some questions are answered
        hf.lm_head.weight.data[tokenizer.convert_tokens_to_ids(letter)] *= 1.4
    return Model("tiny", hf, tokenizer, None)


ITEMS = tuple(
    Item(
        f"q{k}", f"Which is it, {k}?", (), ("red", "blue", "none")[: 2 + k % 2], k % 2, f"g{k % 2}"
    )
    for k in range(22)
)


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_was_stopped_is_the_run_that_was_not(tiny: Model, tmp_path: Path):
    task = Task("made", ITEMS, "options")
    whole = calib.score(tiny, task, out=tmp_path / "whole", protocol="paper", batch_size=4)
    expected = (whole.path / "records.jsonl").read_bytes()
    assert (whole.config["prompt"], whole.config["confidence"]) == ("paper", "vocab")
    rows = whole.rows()
    assert len(rows) == len(ITEMS) and {row["parsed"] for row in rows} == {True, False}
    for cut in (0, 700, len(expected) // 2, len(expected) - 3):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "config.json").write_bytes((whole.path / "config.json").read_bytes())
        (folder / "records.jsonl").write_bytes(expected[:cut])
        calib.score(tiny, task, out=folder, protocol="paper", batch_size=4)
        assert (folder / "records.jsonl").read_bytes() == expected
    with pytest.raises(InputError, match="protocol: 'paper' there, 'position' now"):
        calib.score(tiny, task, out=whole.path, prompt="paper", confidence="vocab", batch_size=4)
    write_report(whole)  # counted while scored and in the records: the same


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("answer", [None, 0])
def test_one_question_and_items_without_an_answer(tiny: Model, tmp_path: Path, answer: int | None):
    items = (replace(ITEMS[0], answer=answer), replace(ITEMS[1], answer=1))
    run = calib.score(tiny, Task("two", items, "options"), out=tmp_path / "run", protocol="paper")
    first = run.rows()[0]
    assert (first["correct"] is None) is (answer is None or first["step"] is None)


def test_refused_before_there_is_a_folder(tiny: Model, tmp_path: Path):
    free = Task(
        "free", (replace(ITEMS[0], options=(), answer=None, meta={"aliases": ["x"]}),), "options"
    )
    many = Task("many", (replace(ITEMS[0], options=tuple(map(str, range(27)))),), "options")
    task = Task("made", ITEMS, "options")
    for model, asked, how, message in (
        (tiny, free, {}, "no options"),
        (tiny, many, {}, "27 options are more than letters"),
        (tiny, task, {"log_samples": "none"}, "log_samples: expected all with protocol paper"),
        (tiny, task, {"confidence": "options"}, "confidence: expected vocab"),
        (Fake(), task, {}, "protocol: expected position with fake, which gives no tokens"),
    ):
        with pytest.raises(InputError, match=message):
            calib.score(model, asked, out=tmp_path / "none", protocol="paper", **how)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--orders", "2"], "orders: expected 1 with protocol paper"),
        (["--normalize", "mean"], "normalize: 'mean' ranks options by no probability"),
        (["--confidence", "options"], "confidence: expected vocab with protocol paper"),
        (["--prompt", "listed"], "prompt: expected letters, llava or paper"),
        (["--reason"], "--reason: expected none with --protocol paper"),
        (["--log_samples", "none"], "log_samples: expected all with protocol paper"),
    ],
)
def test_the_command_refuses_at_once(flags: list[str], message: str):
    command = ["score", "--model", "nowhere", "--tasks", "easy-vqa", "--protocol", "paper", *flags]
    ran = CliRunner().invoke(cli.app, command)
    assert ran.exit_code == 2 and message in " ".join(ran.output.split()), ran.output
    assert len(ran.output.strip().splitlines()) == 1
