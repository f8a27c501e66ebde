"""Prompt forms: the exact text a model is shown, and the texts that count as each option."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError, Item
from calib.tasks import load_task
from calib.tasks.prompts import FORMS, build

DATA = Path(__file__).parent / "data" / "prompts.jsonl"
ITEM = Item(
    "q", "Which colour?", images=(Path("a.png"),), options=("red", "green", "dark blue"), answer=2
)
LETTERS = (("A",), ("B",), ("C",))
UNTYPED = [name for name, form in FORMS.items() if not form.typed]  # test_decision.py has others
IN_CHAT = ["options", "listed", "letters", "llava", "reason", "verbalized"]
TEXTS = {
    "options": "Which colour?\nAnswer with one word or a short phrase.",
    "listed": (
        "Which colour?\nOptions:\nred\ngreen\ndark blue\nAnswer with the text of one option."
    ),
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
    assert set(TEXTS) == set(UNTYPED)


@pytest.mark.parametrize("form", IN_CHAT)
def test_a_turn_of_a_chat(form: str):
    prompt = build(ITEM, form)
    assert prompt.text == TEXTS[form]
    assert prompt.chat
    assert prompt.images == ITEM.images
    words = (("red",), ("green",), ("dark blue",))
    assert prompt.options == (words if form in ("options", "listed") else LETTERS)


@pytest.mark.parametrize("form", IN_CHAT)
def test_without_a_chat_template_the_text_ends_in_a_cue(form: str):
    prompt = build(ITEM, form, chat=False)
    assert prompt.text == TEXTS[form] + "\nAnswer:"
    assert not prompt.chat
    words = ((" red",), (" green",), (" dark blue",))
    letters = ((" A",), (" B",), (" C",))
    assert prompt.options == (words if form in ("options", "listed") else letters)


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


# Behind the item's request stands what a form adds to any.
BEHIND = {
    "paper": "\nAnswer: (",
    "verbalized": "\nAfter the answer, on a line of its own, state how sure you are that it is "
    "right, in percent, as: Confidence: N%",
}


@pytest.mark.parametrize("form", UNTYPED)
def test_an_items_own_instruction_is_asked_for(form: str):
    """In place of the form's wording; but to ask for reasons is the point of ``reason``."""
    own = "Reply with nothing else."
    text = build(Item("q", "?", options=("x", "y"), meta={"instruction": own}), form).text
    without = build(Item("q", "?", options=("x", "y")), form).text
    if form == "reason":
        assert text == without
        return
    above = without.removesuffix(BEHIND.get(form, "")).rpartition("\n")[0]
    assert text == f"{above}\n{own}{BEHIND.get(form, '')}"


@pytest.mark.parametrize("form", UNTYPED)
def test_a_request_for_words_enters_no_form_that_asks_for_a_letter(form: str):
    meta = {"ask_for_text": "Answer with one word."}
    text = build(Item("q", "?", options=("x", "y"), meta=meta), form).text
    assert ("one word" in text) == (form in ("options", "listed", "verbalized"))
    if form not in ("paper", "reason"):
        assert "\nAnswer with one word." in build(Item("q", "?", meta=meta), form).text
    both = {**meta, "instruction": "Say it."}
    assert "one word" not in build(Item("q", "?", options=("x", "y"), meta=both), form).text


@pytest.mark.parametrize("form", ["options", "listed", "letters", "llava", "verbalized"])
def test_without_options_an_answer_in_words_is_asked_for(form: str):
    text = build(Item("q", "?"), form).text
    assert text.startswith("?\nAnswer with one word or a short phrase.")
    assert build(Item("q", "?"), form).options == ()


def test_the_paper_form_needs_options():
    with pytest.raises(InputError, match="'q9': it has no options, and prompt paper asks for one"):
        build(Item("q9", "?"), "paper")


PASSAGES = {"hint": " It is red. ", "lecture": "Colours\nare seen.", "context": "A car passes."}
BEFORE = "Lecture: Colours\nare seen.\nContext: A car passes.\nHint: It is red.\n"


@pytest.mark.parametrize(("form", "chat"), list(product(UNTYPED, (True, False))))
def test_passages_stand_before_the_question_in_every_form(form: str, chat: bool):
    told = Item("q", ITEM.question, options=ITEM.options, meta=PASSAGES)
    prompt = build(told, form, chat=chat)
    assert prompt.text == BEFORE + build(ITEM, form, chat=chat).text
    assert prompt.options == build(ITEM, form, chat=chat).options
    empty = dict.fromkeys((*PASSAGES, "instruction", "ask_for_text"), " ")
    for meta in (empty, dict.fromkeys(empty)):
        bare = Item("q", ITEM.question, options=ITEM.options, meta=meta)
        assert build(bare, form, chat=chat).text == build(ITEM, form, chat=chat).text


TURNS = (("Is it a car?", "Yes."), ("And new?", "No:\nit is old."))


@pytest.mark.parametrize("form", UNTYPED)
def test_earlier_turns(form: str):
    """Turns of the chat where there is one, else text before the text."""
    for turns in (TURNS, [list(turn) for turn in TURNS]):
        item = Item("q", ITEM.question, options=ITEM.options, meta={"turns": turns})
        chat, plain = build(item, form), build(item, form, chat=False)
        before = "Is it a car?\nAnswer: Yes.\n\nAnd new?\nAnswer: No:\nit is old.\n\n"
        assert plain.text == before + build(ITEM, form, chat=False).text
        assert plain.turns == ()
        assert chat.options == build(ITEM, form).options
        if form == "paper":
            assert (chat.text, chat.turns) == (plain.text, ())
        else:
            assert (chat.text, chat.turns) == (build(ITEM, form).text, TURNS)


def test_reasons_are_given_behind_passages_and_turns():
    meta = {**PASSAGES, "turns": TURNS, "reasoning": "Hm. ", "instruction": "Be brief."}
    prompt = build(Item("q", ITEM.question, options=ITEM.options, meta=meta), "options")
    assert prompt.text == BEFORE + TEXTS["reason"]
    assert prompt.begun == "Hm.\nThe answer is"
    assert prompt.turns == TURNS
    assert prompt.options == ((" red",), (" green",), (" dark blue",))


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"hint": 5}, "hint: expected a text, got 5"),
        ({"lecture": ["a"]}, r"lecture: expected a text, got \['a'\]"),
        ({"context": float("nan")}, "context: expected a text, got nan"),
        ({"instruction": []}, r"instruction: expected a text, got \[\]"),
        ({"instruction": ("x" * 999,)}, r"instruction: expected a text, got .{77}\.\.\."),
        ({"turns": "ab"}, "turns: expected pairs of a question and its answer, got 'ab'"),
        ({"turns": [["a"]]}, "turns: expected pairs"),
        ({"turns": [["a", None]]}, "turns: expected pairs"),
        ({"turns": ["ab"]}, "turns: expected pairs"),
        ({"spellings": 5}, "spellings: expected a list of texts for each option, got 5"),
        ({"spellings": ["yes", "no"]}, "spellings: expected a list of texts for each option"),
        ({"spellings": [[1], ["no"]]}, "spellings: expected a list of texts for each option"),
        ({"spellings": [[], ["no"]]}, "spellings: expected a list of texts for each option"),
    ],
)
def test_meta_of_another_type_is_refused(meta: dict[str, Any], message: str):
    with pytest.raises(InputError, match=f"^item 'q9': {message}"):
        build(Item("q9", "?", options=("yes", "no"), meta=meta), "options")


def test_built_in_tasks_ask_what_they_always_asked():
    """Written down before passages, turns and instructions were shown."""
    tasks = {name: load_task(name) for name in ("easy-vqa", "easy-vqa-letters", "easy-vqa-idk")}
    tasks["capitals"] = load_task("capitals")
    items = {(name, item.id): item for name, task in tasks.items() for item in task}
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    assert len(rows) == 68
    for row in rows:
        item, chat = items[row["task"], row["id"]], row["chat_template"]
        prompt = build(item, row["form"], chat=chat)
        assert prompt.text == row["text"]
        assert [list(option) for option in prompt.options] == row["options"]
        assert (prompt.chat, prompt.begun, prompt.turns) == (row["chat"], "", ())
    defaults = {name: task.prompt for name, task in tasks.items()}
    assert defaults.pop("easy-vqa-letters") == "letters"
    assert set(defaults.values()) == {"options"}


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
    with pytest.raises(InputError, match="'mmlu': expected one of letters, llava, listed, options"):
        build(ITEM, "mmlu")


def test_more_options_than_letters():
    item = Item("q9", "?", options=tuple(str(i) for i in range(27)))
    assert len(build(item, "options").options) == 27
    assert build(item, "listed").text.endswith("\n25\n26\nAnswer with the text of one option.")
    reasoned = Item("q9", "?", options=item.options, meta={"reasoning": "Hm."})
    with pytest.raises(InputError, match="'q9': 27 options"):
        build(reasoned, "options")
    for form in ("letters", "llava", "paper", "reason", "verbalized"):
        with pytest.raises(InputError, match="'q9': 27 options"):
            build(item, form)
    assert build(Item("q", "?", options=item.options[:26]), "letters").options[-1] == ("Z",)


def test_spellings_that_do_not_go_with_the_options_are_refused():
    item = Item("q9", "?", options=("x", "y", "z"), answer=2, meta={"spellings": (("x",), ("y",))})
    with pytest.raises(InputError, match=r"'q9'.*spellings"):
        build(item, "options")


def test_the_page_shows_what_each_form_shows():
    question = "Which colour is the car?"
    criteria = {"red": None, "dark blue": None}
    asked = {"type": "choice", "instructions": question, "criteria": criteria}
    meta = {"system_one": {"state": "A car.", "question": asked}}
    item = Item("q", question, options=tuple(criteria), answer=0, meta=meta)
    page = (Path(__file__).parents[1] / "docs" / "prompts.md").read_text()
    shown = page.partition("| form | what is shown behind")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \| [^|]+ \|$", shown, re.M))
    assert rows.keys() == FORMS.keys()
    for form, row in rows.items():
        parts = [code or text for code, text in re.findall(r"`(.+?)`|\"(.+?)\"", row)]
        text = build(item, form).text
        assert parts and all(part in text for part in parts), (form, parts)
