"""Trajectories of runs and of checkpoints: their order, their numbers, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import calib
from calib.records import InputError
from calib.trajectories.steps import checkpoints_in
from tests.trajectories.made import OPTIONS, RUN, made, rows


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def found(runs: list[Path]) -> calib.Trajectory:
    return calib.trajectory(runs)


def test_steps_are_in_order_however_they_are_given(runs: list[Path]):
    results = calib.trajectory([runs[2], runs[0], runs[1]]).results
    assert [each["step"] for each in results["checkpoints"]] == [100, 200, 300]
    assert results["order"] == "by the number at the end of the runs' names"
    given = calib.trajectory([runs[2], runs[0]], order="given").results
    assert [each["name"] for each in given["checkpoints"]] == ["run-300", "run-100"]
    assert given["order"] == "as given" and given["checkpoints"][0]["step"] is None


def test_the_step_of_a_model_and_of_none(tmp_path: Path):
    late, early = made(tmp_path, RUN[:2], name="{step}-a", n=60)
    for folder, model in ((late, "out/checkpoint-20"), (early, "out/checkpoint-9")):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model": model}))
    results = calib.trajectory([late, early]).results
    assert [each["name"] for each in results["checkpoints"]] == ["checkpoint-9", "checkpoint-20"]
    assert results["order"] == "by the number at the end of the models' names"
    nameless = made(tmp_path / "b", RUN[:2], name="{step}-b", n=60)
    results = calib.trajectory(nameless[::-1]).results
    assert results["order"] == "as given"
    assert [each["name"] for each in results["checkpoints"]] == ["200-b", "100-b"]


def test_numbers_against_the_records(runs: list[Path], found: calib.Trajectory):
    losses, gaps, right = [], [], []
    for number, each in enumerate(found.results["checkpoints"]):
        records = rows(RUN[number], 240, 0, 1)
        confidence = np.array([max(row["prob"]) for row in records])
        correct = np.array([row["prediction"] == row["answer"] for row in records], float)
        squares = [
            sum((p - (k == row["answer"])) ** 2 for k, p in enumerate(row["prob"]))
            for row in records
        ]
        wanted = {
            "accuracy": correct.mean(),
            "confidence": confidence.mean(),
            "gap": confidence.mean() - correct.mean(),
            "brier": np.mean(squares),
            "nll": -np.mean([np.log(row["prob"][row["answer"]]) for row in records]),
            "entropy": np.mean([row["entropy"] for row in records]),
            "parse_rate": 0.9,
        }
        for name, value in wanted.items():
            assert each["metrics"][name]["value"] == pytest.approx(value), name
            assert each["metrics"][name]["low"] <= value <= each["metrics"][name]["high"]
        ece = 0.0
        for b in range(15):
            here = (confidence * 15).astype(int).clip(max=14) == b
            ece += abs((confidence - correct)[here].sum()) / len(records)
        assert each["metrics"]["ece"]["value"] == pytest.approx(ece)
        assert 0 < each["metrics"]["ece"]["expected"] < 0.1
        losses.append(squares)
        gaps.append(confidence - correct)
        right.append(correct)
    for name, series in (("gap", gaps), ("accuracy", right)):
        change = found.results["changes"][name]
        means = [np.mean(each) for each in series]
        after = change["after"]
        assert change["value"] == pytest.approx(np.mean(means[after:]) - np.mean(means[:after]))
        assert change["before"] == f"run-{100 * after}"
    best = found.results["best"]["brier"]
    means = [float(np.mean(each)) for each in losses]
    assert best["values"] == pytest.approx(means)
    assert best["lowest_name"] == f"run-{100 * (1 + means.index(min(means)))}"


def test_what_is_shown_of_a_run_that_learns(found: calib.Trajectory):
    results = found.results
    assert results["changes"]["gap"]["holm"] < 0.05
    assert results["changes"]["gap"]["after"] == 2
    assert results["changes"]["gap"]["splits"] == []  # it falls, and rises at the end
    assert results["best"]["brier"]["kept"][0] >= 2
    assert results["ends"]["accuracy"]["value"] > 0.15
    assert results["ends"]["accuracy"]["holm"] < 0.001
    chosen = results["chosen"]
    assert chosen["chosen_on"] + chosen["judged_on"] == results["n"] == 240


def test_the_temperature_is_that_of_a_search(runs: list[Path], found: calib.Trajectory):
    records = rows(RUN[0], 240, 0, 1)
    logits = np.log([row["prob"] for row in records])
    gold = np.array([row["answer"] for row in records])

    def nll(t: float) -> float:
        z = logits / t
        z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
        return float(-z[np.arange(len(z)), gold].mean())

    grid = np.arange(1.0, 6.0, 0.002)
    best = grid[np.argmin([nll(t) for t in grid])]
    fitted = found.results["checkpoints"][0]["temperature"]
    assert fitted["value"] == pytest.approx(best, abs=0.003)
    assert fitted["low"] < fitted["value"] < fitted["high"]


def test_clusters_are_flipped_whole(tmp_path: Path):
    alone = calib.trajectory(made(tmp_path / "a", RUN[:3], n=120)).results
    whole = calib.trajectory(made(tmp_path / "b", RUN[:3], n=120, per=4)).results
    assert (alone["clusters"], whole["clusters"]) == (120, 30)
    assert alone["changes"]["gap"]["value"] == pytest.approx(whole["changes"]["gap"]["value"])
    assert alone["changes"]["gap"]["low"] != whole["changes"]["gap"]["low"]


@pytest.mark.parametrize("per", [1, 60])
@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_all_wrong_and_one_cluster(tmp_path: Path, right: float, per: int):
    models = [(right, 0.4 - 0.4 * right), (right, 0.5 - 0.5 * right)]
    results = calib.trajectory(made(tmp_path, models, n=60, per=per)).results
    if per == 60:
        assert results["untested"] and results["changes"] == {} and results["chosen"] is None
    else:
        assert results["changes"]["accuracy"]["value"] == pytest.approx(0.0, abs=0.1)
        assert results["changes"]["gap"]["value"] == pytest.approx(0.1 * (1 - right), abs=0.1)
    json.dumps(results, allow_nan=False)


def test_one_question(tmp_path: Path):
    results = calib.trajectory(made(tmp_path, RUN[:2], n=1)).results
    assert results["n"] == 1 and results["untested"]


def test_common_questions_alone_count(tmp_path: Path):
    folders = made(tmp_path, RUN[:2], n=80)
    text = (folders[1] / "records.jsonl").read_text().splitlines(keepends=True)
    (folders[1] / "records.jsonl").write_text("".join(text[:70]))
    results = calib.trajectory(folders).results
    assert results["n"] == 70 and results["left_out"] == {"run-100": 10}


def test_what_cannot_be_followed_is_refused(runs: list[Path], tmp_path: Path):
    cases = {
        "a trajectory has 2 to 40 checkpoints, got 1": lambda: calib.trajectory(runs[:1]),
        "takes each run once": lambda: calib.trajectory([runs[0], runs[0]]),
        "expected step or given, got 'size'": lambda: calib.trajectory(runs, order="size"),
        "expected one of the two, got none": calib.trajectory,
        "got both": lambda: calib.trajectory(runs, model=tmp_path),
        "expected the questions": lambda: calib.trajectory(model=tmp_path),
        "expected 2 to 40 folders named checkpoint-N, got 0": lambda: calib.trajectory(
            model=tmp_path, task="easy-vqa"
        ),
        "go with model": lambda: calib.trajectory(runs, limit=3),
        "it holds scored questions": lambda: calib.trajectory(runs, out=runs[0]),
    }
    for said, call in cases.items():
        with pytest.raises(InputError, match=re.escape(said)):
            call()
    (tmp_path / "checkpoint-7").mkdir()
    (tmp_path / "checkpoint-07").mkdir()
    with pytest.raises(InputError, match="two of its checkpoint-N folders are of one step"):
        checkpoints_in(tmp_path)
    other = made(tmp_path / "other", RUN[:1], n=20)
    records = (other[0] / "records.jsonl").read_text().replace(f'"{OPTIONS[0]}"', '"pink"')
    (other[0] / "records.jsonl").write_text(records)
    with pytest.raises(InputError, match="they are not the same question"):
        calib.trajectory([runs[0], other[0]])


def test_checkpoints_are_scored_one_by_one_and_go_on(tiny_model: Path, tmp_path: Path):
    """Random models as a Trainer names its checkpoints; one more comes, and one is another's."""
    from transformers import AutoModelForCausalLM

    outputs = tmp_path / "outputs"
    for step in (10, 9, 100):
        shutil.copytree(tiny_model, outputs / f"checkpoint-{step}")
        model = AutoModelForCausalLM.from_pretrained(tiny_model)
        for weight in model.parameters():
            weight.data *= 1 + 0.01 * step
        model.save_pretrained(outputs / f"checkpoint-{step}")
    shutil.move(outputs / "checkpoint-100", tmp_path / "later")
    questions = tmp_path / "even.jsonl"
    lines = [
        {"id": i, "question": f"Is {i} even?", "options": ["y", "n"], "answer": "yn"[i % 2]}
        for i in range(12)
    ]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    how = {"model": outputs, "task": str(questions), "out": tmp_path / "out"}
    first = calib.trajectory(**how)
    assert [each["step"] for each in first.results["checkpoints"]] == [9, 10]
    before = (tmp_path / "out/runs/checkpoint-9/records.jsonl").read_bytes()
    shutil.move(tmp_path / "later", outputs / "checkpoint-100")
    again = calib.trajectory(**how)
    assert [each["name"] for each in again.results["checkpoints"]][-1] == "checkpoint-100"
    assert (tmp_path / "out/runs/checkpoint-9/records.jsonl").read_bytes() == before
    assert len((tmp_path / "out/checkpoints.jsonl").read_text().splitlines()) == 3
    whole = calib.trajectory(sorted((tmp_path / "out/runs").iterdir()), seed=0)
    assert whole.results["checkpoints"][0]["metrics"] == again.results["checkpoints"][0]["metrics"]
    (outputs / "checkpoint-100/trainer_state.json").write_text("{}")
    with pytest.raises(InputError, match="it holds the checkpoints of a Trainer"):
        calib.trajectory(**{**how, "out": outputs})
    with pytest.raises(InputError, match="belongs to another run"):
        calib.trajectory(**how, limit=5)
    shutil.copy(outputs / "checkpoint-100/model.safetensors", outputs / "checkpoint-9")
    with pytest.raises(InputError, match="revision"):
        calib.trajectory(**how)
