"""The study: the same questions in every cell, resumed after a stop, refused in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import calib
from calib import cli
from calib.modalities.cells import ARMS
from calib.modalities.study import Modality
from calib.records import CalibError, InputError
from calib.report.items.scored import scored
from calib.report.modality_tables import note
from calib.runs import open_run
from calib.tasks import Task
from calib.uncertainty.meaning import Meaning
from tests.fake_model import Fake
from tests.modalities.seer import Seer, questions

LEVELS = ("none", 900)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Modality:
    out = tmp_path_factory.mktemp("study") / "whole"
    return calib.modality(Seer(), questions(pictures), noise=LEVELS, samples=4, out=out)


def cells(study: Modality) -> dict[str, dict[str, Any]]:
    return {cell["name"]: cell for cell in study.results["cells"]}


def test_every_cell_is_a_run_of_the_same_questions(study: Modality):
    assert list(cells(study)) == [
        *("absent-k0", "absent-k3", "clean-k0", "clean-k3", "blank-k0", "shuffled-k0", "mean-k0"),
        *("clean-k1", "clean-k2", "noise-900-k0", "noise-900-k1", "noise-900-k2", "noise-900-k3"),
    ]
    ids = {tuple(open_run(study.path / c["run"]).scores()["id"]) for c in cells(study).values()}
    assert len(ids) == 1 and len(ids.pop()) == study.results["questions"] == 24
    assert study.results["clusters"] == 12 and study.results["resampled"] == "image"
    assert study.results["arms"]["both"] == "clean-k3" and list(study.results["arms"]) == list(ARMS)


def test_the_numbers_of_a_cell_by_hand(study: Modality):
    for cell in cells(study).values():
        rows = open_run(study.path / cell["run"]).scores()
        prob = np.array(rows["prob"].tolist())
        metrics = {name: m["value"] for name, m in cell["metrics"].items()}
        right = np.eye(3)[rows["answer"]]
        assert metrics["accuracy"] == pytest.approx(rows["correct"].mean())
        assert metrics["confidence"] == pytest.approx(prob.max(1).mean())
        assert metrics["entropy"] == pytest.approx(-(prob * np.log(prob)).sum(1).mean())
        assert metrics["mass"] == pytest.approx(0.5)
        assert metrics["confidence_vocab"] == pytest.approx(0.5 * prob.max(1).mean())
        assert metrics["brier"] == pytest.approx(((prob - right) ** 2).sum(1).mean())
        bins = np.minimum((prob.max(1) * 15).astype(int), 14)
        gaps = np.bincount(bins, prob.max(1) - rows["correct"].astype(float))
        assert metrics["ece"] == pytest.approx(abs(gaps).sum() / len(rows))
        assert cell["metrics"]["ece"]["expected"] > 0
        texts = open_run(study.path / "answers" / cell["name"]).answers()
        shares = texts.groupby("id")["text"].value_counts(normalize=True)
        by_hand = -(shares * np.log(shares)).groupby("id").sum().mean()
        assert metrics["semantic_entropy"] == pytest.approx(by_hand)


def test_a_meaning_of_ones_own(study: Modality, pictures: Path):
    """All samples mean the same to it: the entropies are 0, and results and page say whose rule."""
    meaning = Meaning("nli:all", lambda pairs: ["entailment"] * len(pairs))
    how = {"noise": LEVELS, "samples": 4, "out": study.path.parent / "own"}
    shutil.copytree(study.path, how["out"])
    own = calib.modality(Seer(), questions(pictures), equivalence=meaning, **how)
    assert {cell["metrics"]["semantic_entropy"]["value"] for cell in own.results["cells"]} == {0.0}
    assert own.results["equivalence"]["name"] == "nli:all"
    assert study.results["equivalence"]["name"] == "normalized"
    assert "two the same where each entails the other" in note(own.results)
    unsampled = ["modality", "--model", "x", "--tasks", "easy-vqa", "--equivalence", "exact"]
    ran = CliRunner().invoke(cli.app, unsampled)
    assert ran.exit_code == 2 and "--samples is 0" in ran.output


def test_what_is_known_makes_it_surer_and_the_tests_say_so(study: Modality):
    tests = {(t["name"], t["measure"]): t for t in study.results["tests"]}
    assert tests["both-image", "confidence"]["value"] > 0
    assert tests["both-image", "entropy"]["value"] < 0
    assert tests["image-text", "confidence"]["value"] < 0
    assert len(tests) == 18 and all(t["p"] <= t["holm"] <= 1 for t in tests.values())


def questions_of(folder: Path) -> list[Any]:
    return list(scored(open_run(folder)).questions)


def test_records_keep_the_source_and_the_recipe_and_no_copies(study: Modality, pictures: Path):
    rows = open_run(study.path / "cells" / "noise-900-k1").rows()
    assert rows[0]["images"] == [str(pictures / "0.png")]
    assert rows[0]["made"] == ["noise 900, seed 0, picture 0 of 0-0, 448 px"]
    told = [q.pictures[0].name for q in questions_of(study.path / "cells" / "noise-900-k1")]
    assert told[0] == "0.png, seen as: noise 900, seed 0, picture 0 of 0-0, 448 px"
    assert "made" not in open_run(study.path / "cells" / "clean-k1").rows()[0]
    assert not list(study.path.glob("*/*/images"))
    named = {path.name for path in (study.path / "shown").iterdir()}
    assert named == {f"{n}.png" for n in ("none", "900", "blank", "shuffled", "mean")}


@pytest.mark.parametrize("batch", [1, 5, 30])
def test_a_study_that_was_stopped_goes_on(
    study: Modality, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
):
    monkeypatch.setattr(Seer, "batches", 0)
    monkeypatch.setattr(Seer, "stops_after", batch)
    how = {"noise": LEVELS, "samples": 4, "out": tmp_path / "study"}
    with pytest.raises(KeyboardInterrupt):
        calib.modality(Seer(), questions(pictures), **how)
    assert not (tmp_path / "study" / "results.json").exists()
    monkeypatch.setattr(Seer, "stops_after", 0)
    again = calib.modality(Seer(), questions(pictures), **how)
    assert again.results == study.results
    for cell in cells(study).values():
        before, after = (open_run(s.path / cell["run"]).rows() for s in (study, again))
        assert before == after


def test_a_study_grows_and_asks_nothing_twice(
    study: Modality, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    how = {"out": tmp_path / "study", "samples": 4}
    task = questions(pictures)
    calib.modality(Seer(), task, arms=["image"], noise=(), sentences=1, **how)
    monkeypatch.setattr(Seer, "batches", 0)
    grown = calib.modality(Seer(), task, noise=LEVELS, **how)
    assert Seer.batches == 12 * 24 / 4  # of 13 cells one was there; a batch is four questions
    assert grown.results == study.results
    with pytest.raises(InputError, match=r"belongs to another run .*seed: 0 there, 1 now"):
        calib.modality(Seer(), task, noise=LEVELS, seed=1, **how)
    others = {item.id: "Another." for item in task.items}
    with pytest.raises(InputError, match=r"belongs to another run .*descriptions"):
        calib.modality(Seer(), task, noise=LEVELS, descriptions=others, **how)


def test_other_descriptions_of_one_source_are_refused(pictures: Path, tmp_path: Path):
    task, file = questions(pictures), tmp_path / "d.json"
    how = {"arms": ["text"], "noise": (), "descriptions": file, "out": tmp_path / "study"}
    file.write_text(json.dumps({item.id: f"Of {item.id}." for item in task.items}))
    calib.modality(Seer(), task, **how)
    file.write_text(json.dumps({item.id: "Changed." for item in task.items}))
    with pytest.raises(InputError, match=r"a study with other descriptions \(descriptions.jsonl\)"):
        calib.modality(Seer(), task, **how)


def test_the_model_describes_each_picture_once(pictures: Path, tmp_path: Path):
    task = questions(pictures)
    made = calib.modality(
        Seer(), task, arms=["text"], noise=(), describe=True, out=tmp_path / "study"
    )
    asked = open_run(made.path / "descriptions")
    assert len(asked.answers()) == 12 and asked.config["greedy"]
    assert asked.answers()["id"].tolist()[0] == "0-0"
    lines = (made.path / "descriptions.jsonl").read_text().splitlines()
    rows = list(map(json.loads, lines))
    assert rows[1] == {"id": "0-1", "sentences": ["A square.", "It is seen."]}
    assert made.results["descriptions"] == "the model" and made.results["sentences"] == 2


def test_a_model_that_says_nothing_is_told_by_item(pictures: Path, tmp_path: Path):
    class Silent(Seer):
        said = " "

    how = {"arms": ["text"], "noise": (), "describe": True, "out": tmp_path / "study"}
    with pytest.raises(CalibError, match="item '0-0': the model describes its picture with no"):
        calib.modality(Silent(), questions(pictures), **how)


def without(task: Task, **entries: Any) -> Task:
    """The task, its third item changed."""
    items = list(task.items)
    items[2] = replace(items[2], **entries)
    return replace(task, items=tuple(items))


REFUSED: dict[str, tuple[Callable[[Task], Task], dict[str, Any], str]] = {
    "no picture": (
        lambda t: without(t, images=()),
        {},
        "item '1-0': it has no picture, which arm image shows",
    ),
    "no picture for the grid": (
        lambda t: without(t, images=()),
        {"arms": ["text"]},
        "item '1-0': it has no picture, which a level of noise shows",
    ),
    "no description": (
        lambda t: without(t, meta={"cluster": "1"}),
        {},
        "item '1-0': it has no description, which an arm or a cell shows",
    ),
    "no answer": (
        lambda t: without(t, answer=None),
        {},
        "item '1-0': it has no answer",
    ),
    "no sentences": (lambda t: t, {"sentences": 0}, "sentences: expected 1 or more, as arm text"),
    "too many": (lambda t: t, {"sentences": 4}, "sentences: expected at most 3"),
    "nothing": (lambda t: t, {"arms": [], "noise": []}, "expected at least one arm or level"),
    "decision": (
        lambda t: t,
        {"prompt": "decision"},
        "prompt: expected one of letters, .*decision",
    ),
    "one sample": (lambda t: t, {"samples": 1}, "samples: expected 0, or 2 or more answers, got 1"),
    "two sources": (
        lambda t: t,
        {"describe": True, "descriptions": {"a": "b"}},
        "descriptions, describe: expected one of the two, got both",
    ),
    "side": (lambda t: t, {"side": 0}, "side: expected a positive whole number of pixels, got 0"),
    "one cluster": (
        lambda t: replace(t, items=t.items[:2]),
        {"arms": ["image"], "noise": []},
        "questions of two clusters or more, got one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_come_before_a_folder(name: str, pictures: Path, tmp_path: Path):
    change, how, said = REFUSED[name]
    with pytest.raises(InputError, match=said):
        calib.modality(Fake(), change(questions(pictures)), out=tmp_path / "study", **how)
    assert not (tmp_path / "study").exists()


def test_text_alone_needs_no_picture(tmp_path: Path, pictures: Path):
    task = questions(pictures)
    bare = replace(task, items=tuple(replace(item, images=()) for item in task.items))
    made = calib.modality(Seer(), bare, arms=["text", "neither"], noise=(), out=tmp_path / "study")
    assert made.results["tests"] == [] and made.results["example"] is None
