"""The search: what it asks, what it keeps, that it goes on where it stopped, what it refuses."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import calib
from calib.prompts.ladder import going_on, rungs
from calib.prompts.ledger import FILE
from calib.prompts.objectives import of_calibration
from calib.prompts.questions import questions_of
from calib.records import CalibError, InputError
from tests.prompts.cued import Cued, heat, questions

SEARCH: dict[str, Any] = {"rounds": 3, "search": 50, "held_out": 60}


def found(folder: Path, model: Cued | None = None, **how: Any) -> dict[str, Any]:
    calib.optimize_prompts(model or Cued(), questions(), out=folder, **{**SEARCH, **how})
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return results


def test_the_winner_is_the_first_by_the_key_of_all_that_were_asked_everything(tmp_path: Path):
    results = found(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    texts = [w["text"] for line in lines if "round" in line for w in line["wordings"]]
    rows: dict[int, dict[int, Any]] = {}
    for line in lines:
        for w, outcome in zip(line.get("wordings", ()), line.get("outcomes", ()), strict=False):
            rows.setdefault(w, {})[line["question"]] = outcome
    keys = []
    for w, own in rows.items():
        if len(own) == 50:
            sure = np.array([row["confidence"] for row in own.values()])
            right = np.array([row["correct"] for row in own.values()])
            bin_of = np.minimum((sure * 15).astype(int), 14)
            ece = sum(abs((sure[bin_of == b] - right[bin_of == b]).sum()) for b in range(15)) / len(
                sure
            )
            keys.append(
                (-(5 * int(right.sum()) // 50), ece, ((sure - right) ** 2).mean(), texts[w])
            )
    best = min(keys, key=lambda key: (key[0], round(key[1], 12), round(key[2], 12), key[3]))
    assert results["winner"] == best[3]
    assert heat(results["winner"]) > heat("The answer must be"), "the seeds are far too sure"


def test_held_out_questions_choose_nothing_and_are_asked_once(tmp_path: Path):
    model = Cued()
    results = found(tmp_path, model)
    sides = questions_of(questions(), "ece", prompt=None, bins=15, search=50, held_out=60, seed=0)
    held = {item.id for item in sides.items[50:]}
    counted = Counter(model.asked)
    assert set(counted.values()) == {1}, "nothing is asked twice"
    cues = {cue for name, cue in counted if name in held}
    assert cues == {results["winner"], results["seed"]}
    clusters = [
        {item.meta["cluster"] for item in own} for own in (sides.items[:50], sides.items[50:])
    ]
    assert not clusters[0] & clusters[1]


def test_reading_is_at_most_a_third_of_scoring_the_whole_pool(tmp_path: Path):
    model = Cued()
    how = {"rounds": 10, "search": 200, "held_out": 200, "patience": 0}
    calib.optimize_prompts(model, questions(400), out=tmp_path, **how)
    results = json.loads((tmp_path / "results.json").read_text())
    pairs = pairwise(results["history"])
    whole = sum((len(before["kept"]) + after["new"]) * 200 for before, after in pairs)
    assert results["whole_pool"] == whole and whole > 50_000
    assert results["read"] <= results["whole_pool"] / 3
    assert results["read"] == len(model.asked) - 2 * 200


def test_the_same_seed_finds_the_same_and_a_stopped_search_goes_on(tmp_path: Path):
    whole = found(tmp_path / "whole")
    for most in (1, 55, 300, 900):
        folder = tmp_path / f"stopped-{most}"
        with pytest.raises(KeyboardInterrupt):
            found(folder, Cued(most))
        second = Cued()
        assert found(folder, second) == whole
        lines = [(tmp_path / name / FILE).read_bytes() for name in ("whole", folder.name)]
        assert lines[0] == lines[1]
    torn = tmp_path / "stopped-300"
    with (torn / FILE).open("ab") as file:
        file.write(b'{"question": 3, "wor')
    assert found(torn) == whole
    assert found(tmp_path / "other", seed=1)["history"] != whole["history"]


def test_a_search_goes_on_to_more_rounds_and_not_to_fewer(tmp_path: Path):
    found(tmp_path / "a", rounds=2)
    model = Cued()
    longer = found(tmp_path / "a", model, rounds=4)
    whole = found(tmp_path / "b", rounds=4)
    assert longer["continued"] and not whole["continued"]
    assert {**longer, "continued": False} == whole
    assert found(tmp_path / "a", rounds=4) == longer, "it stays said"
    with pytest.raises(InputError, match=r"belongs to another run \(rounds: 4 there, 2 now"):
        found(tmp_path / "a", rounds=2)


def test_a_search_without_news_ends(tmp_path: Path):
    results = found(tmp_path, rounds=10, patience=2, rewriter=lambda text: [])
    assert results["settled"] and results["rounds"] == 2
    assert results["winner"] == results["seed"] and results["held_out"]["judged"] == []
    assert results["gain"] is None


def test_all_that_were_kept_are_judged_together(tmp_path: Path):
    results = found(tmp_path, judged="kept", keep=3)
    held = results["held_out"]
    others = [row["text"] for row in results["history"][-1]["kept"]]
    assert held["judged"] == [text for text in others if text != results["seed"]]
    tests = [
        t for pair in held["pairs"] for t in pair["differences"].values() if t["p"] is not None
    ]
    ordered = sorted(tests, key=lambda test: test["p"])
    worst = 0.0
    for place, test in enumerate(ordered):
        worst = max(worst, min(1.0, test["p"] * (len(ordered) - place)))
        assert test["holm"] == pytest.approx(worst, abs=1e-12)


def test_the_gain_by_hand(tmp_path: Path):
    results = found(tmp_path)
    gain = results["gain"]
    runs = [
        calib.open_run(tmp_path / name).scores().set_index("id")
        for name in (results["run"], "held_out/seed")
    ]
    squares = [(run["confidence"] - run["correct"]) ** 2 for run in runs]
    assert gain["held_out"]["value"] == pytest.approx((squares[0] - squares[1]).mean(), abs=1e-12)
    inside, outside, chosen = gain["searched"], gain["held_out"], gain["selection"]
    assert chosen["value"] == pytest.approx(inside["value"] - outside["value"], abs=1e-15)
    half = [(each["high"] - each["low"]) / 2 for each in (inside, outside, chosen)]
    assert half[2] ** 2 == pytest.approx(half[0] ** 2 + half[1] ** 2, rel=1e-9)


def test_other_tasks_judge_the_winner(tmp_path: Path):
    other = calib.tasks.Task(
        "other", tuple(_renamed(item) for item in questions(60).items), "letters"
    )
    (row,) = found(tmp_path, elsewhere=[other])["elsewhere"]
    assert row["task"] == "other" and row["compared"] == 60
    with pytest.raises(InputError, match="elsewhere: cued holds questions of the search"):
        found(tmp_path / "same", elsewhere=[questions()])


def _renamed(item: Any) -> Any:
    return replace(item, id=f"other {item.id}")


def test_bands_are_whole_numbers():
    def band(right: int, n: int) -> float:
        rows = [{"confidence": 0.5, "correct": k < right} for k in range(n)]
        return of_calibration(rows, 15)["band"]

    assert [band(k, 5) for k in range(6)] == [0, 1, 2, 3, 4, 5]
    assert band(59, 100) == 2 and band(60, 100) == 3
    rows = [{"confidence": None, "correct": True}, {"confidence": 0.5, "correct": True}]
    assert of_calibration(rows, 15)["n"] == 1
    with pytest.raises(CalibError, match="no question has finite numbers"):
        of_calibration(rows[:1], 15)


def test_the_ladder():
    assert rungs(200) == [25, 50, 100, 200] and rungs(49) == [49] and rungs(50) == [25, 50]
    assert [going_on(n, 5) for n in (25, 13, 7, 5, 2)] == [13, 7, 5, 5, 2]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "part": ({"part": "tone"}, "part 'tone': expected one of cue"),
    "objective": ({"objective": "auc"}, "objective 'auc': expected one of ece"),
    "rounds": ({"rounds": 0}, "rounds: expected a whole number from 1, got 0"),
    "keep": ({"keep": True}, "keep: expected a whole number from 1, got True"),
    "patience": ({"patience": -1}, "patience: expected a whole number from 0"),
    "cache": ({"cache_gb": float("nan")}, "cache_gb: expected gigabytes from 0"),
    "judged": ({"judged": "all"}, "judged: expected one of winner, kept"),
    "few": ({"search": 10}, "search: expected 20 questions or more, got 10"),
    "clusters": ({"search": 61, "held_out": 59}, "cannot be had for it of 120 in 60 clusters"),
    "many": ({"search": 100, "held_out": 100}, "120 questions have a known answer"),
    "no seeds": ({"seeds": []}, "seeds: expected at least one wording"),
    "one text": ({"seeds": "The answer"}, "seeds: expected a list of texts"),
    "twice": ({"seeds": ["a", "a "]}, "seeds: every wording may appear only once"),
    "empty": ({"seeds": [" "]}, "cue: expected a text"),
    "surrogate": ({"seeds": ["\ud800"]}, "cue: expected characters alone"),
    "long": ({"seeds": ["a" * 5000]}, "cue: expected at most 4,000 characters"),
    "template": ({"part": "permission", "seeds": ["hm"]}, "expected {question} in it"),
    "rewriter": ({"rewriter": "gpt"}, "rewriter 'gpt': expected synonyms or model"),
    "elsewhere": ({"elsewhere": "capitals"}, "elsewhere: expected a list of tasks"),
    "labels": ({"objective": "truthful"}, "expected the folder of an IDK set"),
    "fixed": ({"part": "instruction", "prompt": "reason"}, "words its request itself"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, tmp_path: Path):
    how, message = BAD[name]
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace("{", r"\{")):
        found(tmp_path, **how)
    assert not list(tmp_path.iterdir()), "before there is a folder"


@pytest.mark.parametrize(
    ("rewriter", "message"),
    [
        (lambda text: 1 / 0, "rewriter: it failed on 'The answer m.*ZeroDivisionError"),
        (lambda text: "another", "rewriter: expected a list of texts"),
        (lambda text: [1], "rewriter: expected a list of texts"),
    ],
)
def test_a_rewriter_that_fails_is_named(rewriter: Any, message: str, tmp_path: Path):
    with pytest.raises(CalibError, match=message):
        found(tmp_path, rewriter=rewriter)


def test_texts_that_are_no_wordings_are_passed_over(tmp_path: Path):
    results = found(
        tmp_path,
        rounds=1,
        rewriter=lambda text: ["", " ", "The answer must be", "Surely", "x" * 5000],
    )
    assert results["wordings"] == 3


def test_a_damaged_ledger_is_refused(tmp_path: Path):
    found(tmp_path)
    path = tmp_path / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b'{"question": "x"}\n', *lines[5:]]))
    with pytest.raises(InputError, match="line 6: this is not a line of a search"):
        found(tmp_path)


class Strict(Cued):
    """A model that cannot be asked in a wording with a picture's placeholder."""

    def scores(self, items, how):
        if any("<image>" in str(item.meta.get("cue")) for item in items):
            raise CalibError("2 <image> tokens and 1 images")
        return super().scores(items, how)


def test_what_cannot_be_asked_is_left_out(tmp_path: Path):
    def rewriter(text: str) -> list[str]:
        return ["Fine words", "look at <image> it is", f"So, {text}"]

    how: dict[str, Any] = {"rewriter": rewriter, "rounds": 2}
    results = found(tmp_path / "a", Strict(), **how)
    assert list(results["refused"]) == ["look at <image> it is"]
    kept = [row["text"] for row in results["history"][-1]["kept"]]
    assert "look at <image> it is" not in kept and "Fine words" in kept
    before = (tmp_path / "a" / FILE).read_bytes()
    assert found(tmp_path / "a", Strict(), **how) == results
    assert (tmp_path / "a" / FILE).read_bytes() == before
    with pytest.raises(CalibError, match="2 <image> tokens"):
        found(tmp_path / "b", Strict(), seeds=["So", "<image>"])
    assert not (tmp_path / "b").exists()


def test_more_seeds_than_are_kept_count_as_the_first_pool(tmp_path: Path):
    results = found(tmp_path, keep=1, rewrites=1, rounds=1, seeds=["A", "B", "C", "D"])
    assert results["whole_pool"] == 5 * 50 and results["read"] <= 250


def test_questions_are_named_in_the_ledger(tmp_path: Path):
    found(tmp_path, rounds=1)
    sides = questions_of(questions(), "ece", prompt=None, bins=15, search=50, held_out=60, seed=0)
    for line in (tmp_path / FILE).read_text().splitlines():
        row = json.loads(line)
        if "question" in row:
            assert row["id"] == sides.items[row["question"]].id


def test_questions_without_options_are_named(tmp_path: Path):
    free = calib.tasks.Task(
        "free", tuple(calib.Item(f"q{k}", "Which?", meta={"aliases": ("a",)}) for k in range(50))
    )
    with pytest.raises(InputError, match="'q0' has no options to score"):
        calib.optimize_prompts(Cued(), free, out=tmp_path)


def test_pictures_of_the_search_are_told_of(tmp_path: Path):
    from PIL import Image

    same = Image.new("RGB", (4, 4), "red")
    task = questions()
    task = calib.tasks.Task(
        task.name, tuple(replace(item, images=(same,)) for item in task.items), "letters"
    )
    other = calib.tasks.Task("other", tuple(_renamed(item) for item in task.items), "letters")
    with pytest.warns(UserWarning, match="other has 1 of the pictures that the search was about"):
        calib.optimize_prompts(Cued(), task, out=tmp_path, elsewhere=[other], **SEARCH)


def test_other_tasks_are_refused_before_anything_is_asked(tmp_path: Path):
    few = tuple(_renamed(item) for item in questions(10).items)
    model = Cued()
    with pytest.raises(InputError, match="elsewhere: other has 10 questions with an answer"):
        found(tmp_path / "a", model, elsewhere=[calib.tasks.Task("other", few, "letters")])
    assert not model.asked and not (tmp_path / "a").exists()
