"""P(True): what a model is asked, of which answer, what is written, and where it is read again."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import calib
from calib import cli
from calib.hf.model import Model
from calib.records import InputError, Item
from calib.runs import open_run
from calib.tasks import Task
from calib.tasks.prompts import build
from calib.uncertainty.p_true import questions
from calib.uncertainty.side_by_side import cases, p_true_in, side_by_side
from tests.hf.conftest import make_llama, make_llava, make_processor, make_tokenizer
from tests.sampled import make

pytestmark = pytest.mark.usefixtures("one_thread")
SAID = {"known": ["Rome", "Rome.", "Rome"], "guessed": ["Oslo\nor so", "Bern", "Paris"]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make(tmp_path / "run", {f"{kind}{i}": SAID[kind] for i in range(6) for kind in SAID})


@pytest.fixture(scope="module")
def llama() -> Model:
    return Model("tiny", make_llama(), make_tokenizer(), None)


def asked(run: Path, answers: Path | None = None, **how: Any) -> list[Item]:
    separate = None if answers is None else open_run(answers)
    return list(questions(open_run(run), separate, **{"shown": 5, **how}))


def test_the_question(run: Path, tmp_path: Path) -> None:
    right, wrong = asked(run, shown=1)[:2]
    assert build(wrong, "letters").text == (
        "Question: ?\n"
        "Here are some brainstormed ideas:\n"
        "Bern\n"
        "Possible answer: Oslo or so\n"
        "Is the possible answer true?\n"
        "(A) True\n"
        "(B) False\n"
        "Answer with the option's letter."
    )
    assert build(wrong, "options").text.endswith("true?\nAnswer with True or False.")
    assert build(wrong, "options").options == (("True",), ("False",))
    assert (right.answer, wrong.answer) == (0, 1)
    assert (right.id, right.meta["cluster"]) == ("known0", "known0")
    bare = asked(run, shown=0)[1]
    assert bare.question == "Question: ?\nPossible answer: Oslo or so\nIs the possible answer true?"


def test_options_are_listed_where_they_were_shown(tmp_path: Path) -> None:
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    task = Task("t", (Item("q", "Which?", options=("red", "no"), answer=0),))
    for form, lists in (("letters", "(A) red\n(B) no\n"), ("listed", "red\nno\n"), ("options", "")):
        out = tmp_path / form
        run = calib.sample(model, task, out=out, prompt=form, samples=1, max_new_tokens=2)
        text = questions(run, None, shown=5).items[0].question
        assert text.startswith(f"Question: Which?\n{lists}Possible answer: ")


def test_what_stood_before_the_question_stands_before_it_again(tmp_path: Path) -> None:
    model = Model("tiny", make_llama(), make_tokenizer(), None)
    meta = {"hint": "It is dusk.", "turns": [["Is it?", "Yes."]], "instruction": "Be brief."}
    task = Task("t", (Item("q", "Which?", options=("red", "no"), answer=0, meta=meta),))
    run = calib.sample(model, task, out=tmp_path, samples=1, max_new_tokens=2)
    prompt = build(questions(run, None, shown=5).items[0], "letters")
    assert prompt.turns == (("Is it?", "Yes."),)
    assert prompt.text.startswith("Hint: It is dusk.\nQuestion: Which?\nPossible answer: ")
    assert prompt.text.endswith("(A) True\n(B) False\nAnswer with the option's letter.")


def test_separate_answers_are_asked_about_and_all_samples_shown(run: Path, tmp_path: Path) -> None:
    ids = [item.id for item in open_run(run).items()]
    greedy = make(tmp_path / "greedy", {name: ["Confidence: 9%. Rome"] for name in ids})
    item = asked(run, greedy)[1]
    assert "ideas:\nOslo or so\nBern\nParis\nPossible answer: Confidence: 9%. Rome\n" in (
        item.question
    )
    assert item.answer == 0
    stated = make(tmp_path / "stated", {name: ["Rome.\nConfidence: 90%"] for name in ids})
    assert "Possible answer: Rome\n" in asked(run, stated)[1].question


def test_an_unknown_answer_is_asked_about_without_a_right_option(llama: Model, tmp_path: Path):
    task = Task("t", (Item("q", "Which?", options=("red", "no")),))
    run = calib.sample(llama, task, out=tmp_path, samples=2, max_new_tokens=2)
    assert questions(run, None, shown=5).items[0].answer is None


def test_the_probability_is_that_of_true_among_both(llama: Model, run: Path) -> None:
    found = calib.p_true(llama, run, shown=2)
    assert found.path == run / "p_true"
    for item, row in zip(asked(run, shown=2), found.rows(), strict=True):
        text = f"<bos>{build(item, 'letters').text}<eos>A:"
        ids = llama.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logits = llama.hf(ids).logits[0, -1]
        both = logits[[llama.tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]]
        assert row["prob"][0] == pytest.approx(both.softmax(0)[0].item(), abs=1e-5)


def test_it_stands_beside_the_other_measures(llama: Model, run: Path, tmp_path: Path) -> None:
    assert "p_true" not in {row["measure"] for row in side_by_side(open_run(run))["measures"]}
    rows = calib.p_true(llama, run).rows()
    found = side_by_side(open_run(run))
    measures = {row["measure"]: row for row in found["measures"]}
    right = [row["answer"] == 0 for row in rows]
    expected = roc_auc_score(right, [row["prob"][0] for row in rows])
    assert measures["p_true"]["auroc"] == pytest.approx(expected)
    assert measures["p_true"]["n"] == 12
    assert found["facts"]["P(True)"] == str(run / "p_true")
    # Of separate answers there is none yet; then it is theirs.
    greedy = make(
        tmp_path / "greedy",
        {item.id: ["Rome" if i % 3 else "Bern"] for i, item in enumerate(open_run(run).items())},
    )
    both = {"answers": open_run(greedy)}
    names = {row["measure"] for row in side_by_side(open_run(run), **both)["measures"]}
    assert "p_true" not in names
    rows = calib.p_true(llama, run, answers=greedy).rows()
    measures = {row["measure"]: row for row in side_by_side(open_run(run), **both)["measures"]}
    expected = roc_auc_score([i % 3 > 0 for i in range(12)], [row["prob"][0] for row in rows])
    assert measures["p_true"]["auroc"] == pytest.approx(expected)


def test_among_all_tokens(llama: Model, run: Path) -> None:
    rows = calib.p_true(llama, run, confidence="vocab").rows()
    assert p_true_in(rows[0], "vocab") == pytest.approx(math.exp(rows[0]["logprob"][0]))
    assert p_true_in(rows[0], "vocab") < p_true_in(rows[0], "options") == rows[0]["prob"][0]
    assert math.isnan(p_true_in({"prob": [None, None]}, "options"))


def test_a_stopped_run_goes_on(llama: Model, run: Path) -> None:
    calib.p_true(llama, run, batch_size=4)
    file = run / "p_true" / "records.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    rows = {row["measure"]: row for row in side_by_side(open_run(run))["measures"]}
    assert rows["p_true"]["n"] == file.read_bytes().count(b"\n") == 5  # known of whole lines
    calib.p_true(llama, run, batch_size=4)
    assert file.read_bytes() == whole
    with pytest.raises(InputError, match="4 shown' now"):
        calib.p_true(llama, run, batch_size=4, shown=4)


def test_the_model_sees_the_image(tmp_path: Path) -> None:
    processor = make_processor()
    model = Model("tiny", make_llava(), processor.tokenizer, processor)
    images = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    items = [Item(str(i), "red", (image,), ("yes", "no"), 0) for i, image in enumerate(images)]
    run = calib.sample(model, Task("t", tuple(items)), out=tmp_path, samples=3, max_new_tokens=4)
    made = questions(run, None, shown=5).items
    assert [Image.open(item.images[0]).getpixel((0, 0)) for item in made] == [
        (255, 0, 0),
        (0, 0, 255),
    ]
    rows = calib.p_true(model, run).rows()
    assert all(0 < row["prob"][0] < 1 for row in rows)
    swapped = [replace(item, images=made[1 - i].images) for i, item in enumerate(made)]
    other = model.option_scores(swapped, prompt="letters")
    assert all(abs(a["prob"][0] - b["prob"][0]) > 1e-4 for a, b in zip(rows, other, strict=True))


def test_refusals(llama: Model, run: Path, tmp_path: Path, make_run: Any) -> None:
    with pytest.raises(InputError, match="shown: expected 0 or more samples, got -1"):
        calib.p_true(llama, run, shown=-1)
    with pytest.raises(InputError, match="calib p_true takes sampled answers"):
        calib.p_true(llama, run, answers=make_run(tmp_path / "scored", n=12))
    with pytest.raises(InputError, match="prompt: expected one of"):
        calib.p_true(llama, run, prompt="aloud")
    with pytest.raises(InputError, match="judge 'mine'"):
        calib.p_true(llama, run, judge="mine")
    (run / "records-0.jsonl").write_text("")
    with pytest.raises(InputError, match="expected a finished run of 1 or more samples"):
        calib.p_true(llama, run)
    assert not (run / "p_true").exists()


def test_the_command(
    llama: Model, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []

    def load(name: str, **arguments: Any) -> Model:
        loaded.append((name, arguments))
        return llama

    monkeypatch.setattr("calib.hf.model.load_model", load)
    runner = CliRunner()
    refused = runner.invoke(cli.app, ["p_true", str(run), "--answers", str(tmp_path)])
    assert refused.exit_code == 2 and not loaded
    command = ["p-true", str(run), "--shown", "2", "--device", "cpu", "--prompt", "options"]
    done = runner.invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert loaded == [("m", {"device": "cpu"})]
    assert open_run(run / "p_true").config["task"] == "t: P(True), 2 shown"
    assert runner.invoke(cli.app, ["report", str(run)]).exit_code == 0
    assert "1 − P(True)" in (run / "report.md").read_text()
    # The model's judgement of its answers is a scored run like any other.
    assert runner.invoke(cli.app, ["report", str(run / "p_true")]).exit_code == 0


def test_which_answers_stand_in_a_case(run: Path) -> None:
    opened = open_run(run)
    _, given, others = next(cases(opened, opened.items(), None, least=1))
    assert given.text == "Rome" and [a.text for a in others] == ["Rome.", "Rome"]
