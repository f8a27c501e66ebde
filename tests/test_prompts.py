"""Prompt forms: the exact text a model is shown, and the texts that count as each option."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.prompts import FORMS, build
from calib.records import InputError, Item

ITEM = Item(
    "q", "Which colour?", images=(Path("a.png"),), options=("red", "green", "dark blue"), answer=2
)
LETTERS = (("A",), ("B",), ("C",))
TEXTS = {
    "options": "Which colour?\nAnswer with one word or a short phrase.",
    "letters": (
        "Which colour?\n(A) red\n(B) green\n(C) dark blue\nAnswer with the option's letter."
    ),
    "llava": (
        "Which colour?\nA. red\nB. green\nC. dark blue\n"
        "Answer with the option's letter from the given choices directly."
    ),
    "paper": (
        "Which colour?\n(A) red\n(B) green\n(C) dark blue\n"
        "Please provide the option letter directly.\nAnswer: ("
    ),
    "reason": "Which colour?\n(A) red\n(B) green\n(C) dark blue\nThink step by step, then answer.",
    "verbalized": (
        "Which colour?\n(A) red\n(B) green\n(C) dark blue\nAnswer with the option's letter.\n"
        "After the answer, on a line of its own, state how sure you are that it is right, in "
        "percent, as: Confidence: N%"
    ),
}


def test_every_form_is_tested_here():
    assert set(TEXTS) == set(FORMS)


@pytest.mark.parametrize("form", ["options", "letters", "llava", "reason", "verbalized"])
def test_a_turn_of_a_chat(form: str):
    prompt = build(ITEM, form)
    assert prompt.text == TEXTS[form]
    assert prompt.chat
    assert prompt.images == ITEM.images
    words = (("red",), ("green",), ("dark blue",))
    assert prompt.options == (words if form == "options" else LETTERS)


@pytest.mark.parametrize("form", ["options", "letters", "llava", "reason", "verbalized"])
def test_without_a_chat_template_the_text_ends_in_a_cue(form: str):
    prompt = build(ITEM, form, chat=False)
    assert prompt.text == TEXTS[form] + "\nAnswer:"
    assert not prompt.chat
    words = ((" red",), (" green",), (" dark blue",))
    assert prompt.options == (words if form == "options" else ((" A",), (" B",), (" C",)))


@pytest.mark.parametrize("chat", [True, False])
def test_the_paper_form_is_completed_behind_its_bracket(chat: bool):
    prompt = build(ITEM, "paper", chat=chat)
    assert prompt.text == TEXTS["paper"]
    assert not prompt.chat
    assert prompt.options == LETTERS


def test_spellings_count_where_texts_are_scored():
    spelled = (("red", "crimson"), ("green",), ("dark blue", "navy"))
    item = Item("q", "?", options=ITEM.options, meta={"spellings": spelled})
    assert build(item, "options").options == spelled
    assert build(item, "options", chat=False).options == (
        (" red", " crimson"),
        (" green",),
        (" dark blue", " navy"),
    )
    assert build(item, "letters").options == LETTERS


def test_an_items_own_instruction_is_asked_for():
    item = Item("q", "?", options=("x", "y"), meta={"instruction": "Answer with one word."})
    assert build(item, "options").text == "?\nAnswer with one word."
    assert build(item, "verbalized").text.startswith(
        "?\n(A) x\n(B) y\nAnswer with one word.\nAfter"
    )
    free = build(Item("q", "?"), "verbalized").text
    assert free.startswith("?\nAnswer with one word or a short phrase.\nAfter")


def test_curly_brackets_and_percent_signs_stay_as_they_are():
    item = Item("q", "{0} 5%?", options=("{}", "{x}"))
    assert build(item, "letters").text.startswith("{0} 5%?\n(A) {}\n(B) {x}\n")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("red", {"red", " red", "Red", " Red"}),
        ("Red", {"Red", " Red"}),
        ("dark blue", {"dark blue", " dark blue", "Dark blue", " Dark blue"}),
        ("NO", {"NO", " NO"}),
        ("3", {"3", " 3"}),
    ],
)
@pytest.mark.parametrize("chat", [True, False])
def test_variants_of_a_text(option: str, expected: set[str], chat: bool):
    item = Item("q", "?", options=(option, "other"))
    found = build(item, "options", variants=True, chat=chat).options[0]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found[0] == (option if chat else f" {option}")


@pytest.mark.parametrize("form", ["letters", "llava", "paper"])
def test_variants_of_a_letter(form: str):
    found = build(ITEM, form, variants=True).options
    assert [set(option) for option in found] == [
        {"A", " A", "a", " a"},
        {"B", " B", "b", " b"},
        {"C", " C", "c", " c"},
    ]
    assert all(len(option) == 4 for option in found)


def test_variants_of_several_spellings_are_there_once():
    item = Item("q", "?", options=("yes", "no"), meta={"spellings": (("yes", "Yes"), ("no",))})
    found = build(item, "options", variants=True).options[0]
    assert sorted(found) == [" Yes", " yes", "Yes", "yes"]


def test_without_variants_a_spelling_is_left_alone():
    assert build(ITEM, "options", variants=False).options == (("red",), ("green",), ("dark blue",))


def test_an_unknown_form_is_refused():
    with pytest.raises(InputError, match="'mmlu': expected one of options, letters, llava, paper"):
        build(ITEM, "mmlu")


def test_more_options_than_letters():
    item = Item("q9", "?", options=tuple(str(i) for i in range(27)))
    assert len(build(item, "options").options) == 27
    for form in ("letters", "llava", "paper"):
        with pytest.raises(InputError, match="'q9': 27 options"):
            build(item, form)
    assert build(Item("q", "?", options=item.options[:26]), "letters").options[-1] == ("Z",)


def test_spellings_that_do_not_go_with_the_options_are_refused():
    item = Item("q9", "?", options=("x", "y", "z"), answer=2, meta={"spellings": (("x",), ("y",))})
    with pytest.raises(InputError, match=r"'q9'.*spellings"):
        build(item, "options")
