"""Cues, system prompts and templates: what the model is shown, and what is scored behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import calib
from calib.hf.model import Model
from calib.prompts.parts import PARTS, reworded, wording_of
from calib.prompts.rewriters import Synonyms, one_line
from calib.records import CalibError, InputError, Item
from calib.tasks import Task
from calib.tasks.prompts import FORMS, build
from tests.hf.conftest import TEMPLATE, make_llama, make_llava, make_processor, make_tokenizer

CAR = Item("car", "Which colour?", (), ("red", "blue"), 0)


def cued(text: str) -> Item:
    return replace(CAR, meta={"cue": text})


@pytest.mark.parametrize(
    ("form", "begun", "spelled"),
    [
        ("letters", "It is: (", ("A", "B")),
        ("llava", "It is:", (" A", " B")),
        ("listed", "It is:", (" red", " blue")),
        ("options", "It is:", (" red", " blue")),
        ("verbalized", "It is: (", ("A", "B")),
        ("reason", "It is: (", ("A", "B")),
    ],
)
def test_a_cue_begins_the_reply_or_ends_what_is_completed(form: str, begun: str, spelled: tuple):
    chat, plain = (build(cued("It is"), form, chat=chat) for chat in (True, False))
    bare = build(CAR, form, chat=True)
    assert chat.text == bare.text and chat.begun == begun and not plain.begun
    assert plain.text == f"{bare.text}\n{begun}"
    for prompt in (chat, plain):
        assert tuple(option[0] for option in prompt.options) == spelled


def test_the_papers_cue_stands_before_its_bracket():
    assert build(CAR, "paper").text.endswith("\nAnswer: (")
    prompt = build(cued("The answer might be"), "paper")
    assert prompt.text == build(CAR, "paper").text.replace("Answer: (", "The answer might be: (")
    assert prompt.options == (("A",), ("B",))


def test_a_cues_own_colon_is_not_doubled_and_reasoning_stands_before_it():
    assert build(cued("It is: ("), "letters").begun == "It is: ("
    reasoned = replace(CAR, meta={"cue": "It is", "reasoning": "Cars are red."})
    assert build(reasoned, "options").begun == "Cars are red.\nIt is: ("
    assert build(replace(CAR, meta={"reasoning": "x"}), "letters").begun == "x\nThe answer is"


def test_every_form_without_a_cue_is_as_it_was():
    for form in FORMS:
        if FORMS[form].typed:
            continue
        for chat in (True, False):
            prompt = build(CAR, form, chat=chat)
            assert prompt.begun == "" and prompt.system == ""


@pytest.fixture(params=["llama", "llava"])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param == "llava":
        processor = make_processor()
        return Model("llava", make_llava(), processor.tokenizer, processor)
    return Model("llama", make_llama(), make_tokenizer(), None)


def test_options_behind_a_cue_have_the_logits_of_the_whole_prompt(model: Model):
    images = (Image.new("RGB", (8, 8), "red"),) if model.processor else ()
    item = replace(cued("So it is"), images=images)
    (row,) = model.option_scores([item], prompt="options")
    (encoded,) = model.encode([item], "options")
    assert encoded.text.endswith("A:So it is:")
    inputs = model.reader.inputs([encoded])
    with torch.inference_mode():
        logits = model.hf(**inputs).logits[0, -1]
    share = logits.log_softmax(0)
    firsts = [ids[0][0] for ids in encoded.options]
    single = [len(ids[0]) == 1 for ids in encoded.options]
    for logprob, first, alone in zip(row["logprob"], firsts, single, strict=True):
        if alone:
            assert logprob == pytest.approx(float(share[first]), abs=1e-4)
    assert any(single)


def test_a_system_prompt_is_the_first_turn(model: Model):
    images = (Image.new("RGB", (8, 8), "red"),) if model.processor else ()
    item = replace(CAR, images=images, meta={"system": "Be honest."})
    (encoded,) = model.encode([item], "options")
    (bare,) = model.encode([replace(item, meta={})], "options")
    assert encoded.text == bare.text.replace("<bos>", "<bos>Be honest.<eos>", 1)


def test_a_system_prompt_without_a_place_is_refused():
    item = replace(CAR, meta={"system": "Be honest."})
    plain = Model("plain", make_llama(), make_tokenizer(None), None)
    with pytest.raises(InputError, match="'car': a system prompt has no place in prompt options"):
        plain.encode([item], "options")
    with pytest.raises(InputError, match="it is completed as it is"):
        build(item, "paper")
    heard = "for message in messages if message.role != 'system'"
    deaf = TEMPLATE.replace("for message in messages", heard)
    forgets = Model("deaf", make_llama(), make_tokenizer(deaf), None)
    with pytest.raises(CalibError, match="leaves out one of the turns"):
        forgets.encode([item], "options")


def test_a_run_is_asked_in_a_wording(tmp_path: Path):
    model = Model("llama", make_llama(), make_tokenizer(), None)
    task = Task("cars", (CAR, replace(CAR, id="other")), "options")
    part, text = wording_of("cue=It is")
    run = calib.score(model, reworded(task, part, text), out=tmp_path)
    assert all(prompt.endswith("A:It is:") for prompt in run.prompts().values())
    with pytest.raises(InputError, match=r"belongs to another run \(items"):
        calib.score(model, task, out=tmp_path)


@pytest.mark.parametrize("argument", ["tone=soft", "nowhere", "cue=", "permission=no"])
def test_what_is_no_wording(argument: str):
    with pytest.raises(InputError):
        wording_of(argument)


def test_synonyms_are_decided_by_text_and_seed():
    made = Synonyms()("The answer might be")
    assert made == Synonyms()("The answer might be") != Synonyms(1)("The answer might be")
    assert sorted(made) == sorted(Synonyms(1)("The answer might be"))
    assert len(set(made)) == len(made) > 25 and "The answer might be" not in made
    assert {"The answer must be", "So, the answer might be", "My answer might be"} <= set(made)
    asked = Synonyms()("Answer with the option's letter.")
    assert "Be honest. Answer with the option's letter." in asked
    assert not [text for text in asked if text.startswith(("So,", "I am", "If I"))]
    assert "The answer might be" in Synonyms()("So, the answer might be")
    assert Synonyms()("xyzzy")[0].endswith("Xyzzy")
    for text in PARTS["permission"].seeds("letters", [CAR]):
        assert all("{question}" in other for other in Synonyms()(text))
    assert "I am sure that it is so" in Synonyms()("It is so")


def test_an_answers_first_line_is_a_wording():
    assert one_line('\n  "The reply is" \nbecause') == "The reply is" and one_line(" \n") == ""


def test_a_wording_has_a_place_or_is_refused(tmp_path: Path):
    from calib.cli.arguments import worded

    task = Task("cars", (CAR,), "options")
    assert worded(task, ["cue=So", "system=Be brief."], None).items[0].meta["cue"] == "So"
    with pytest.raises(InputError, match="cue is worded twice"):
        worded(task, ["cue=So", "cue=Then"], None)
    with pytest.raises(InputError, match="prompt reason words its request itself"):
        worded(task, ["instruction=Say it"], "reason")
    with pytest.raises(InputError, match="every word of prompt decision is the pipeline's own"):
        worded(task, ["cue=So"], "decision")


def test_a_files_cue_and_system_prompt_are_shown(tmp_path: Path):
    from typer.testing import CliRunner

    from calib import cli

    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"id": "a", "question": "Which?", "options": ["x", "y"], "answer": "A", "cue": "Well", '
        '"system": "Be brief."}\n'
    )
    shown = CliRunner().invoke(cli.app, ["tasks", "show", str(path)]).output
    assert "no question uses" not in shown
    assert "the system:" in shown and "the model begins:" in shown and "Well: (" in shown
