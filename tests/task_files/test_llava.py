"""Conversations as tasks: LLaVA's JSON, and chat messages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError, Item
from calib.tasks.files import read_file

DATA = Path(__file__).parents[1] / "data" / "task_files"
ASK = "Answer with the option's letter from the given choices directly."


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(*entries: Any, name: str = "q.json") -> tuple[Item, ...]:
        path = tmp_path / name
        lines = "\n".join(map(json.dumps, entries))
        path.write_text(lines if name.endswith("l") else json.dumps(entries))
        return read_file(path)

    return write_and_read


def entry(*said: str, **more: Any) -> dict[str, Any]:
    names = ("human", "gpt")
    turns = [{"from": names[i % 2], "value": text} for i, text in enumerate(said)]
    return {"id": "x", "conversations": turns, **more}


def right(item: Item) -> str:
    assert item.answer is not None
    return item.options[item.answer]


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("gap", ["east"]),
        ("roman", ["only II"]),
        ("llava_multiline", ["dog", "no"]),
        ("llava_sqa", ["no", "yes", "yes", "yes", "yes", "yes"]),
    ],
)
def test_given_files(name: str, answers: list[str]):
    assert [right(item) for item in read_file(DATA / f"{name}.json")] == answers


def test_the_published_form_of_scienceqa():
    items = read_file(DATA / "llava_sqa.json")
    context = "Context: The picture shows one geometric shape of one colour."
    assert items[0].question == f"{context}\nis there a black shape?"
    assert items[0].options == ("yes", "no")
    assert items[0].images == (DATA / "0/image.png",)
    assert items[3].images == (DATA / "3/image.png", DATA / "4/image.png")
    assert items[5].images == ()


def test_the_marked_letters_count(read):
    items = read(
        entry("Which?\n(B) cat\n(A) dog", "A", id=1),
        entry("Who?\nI. have a hint: Dutch\nA. Rembrandt\nB. Vermeer", "B", id=2),
        entry("q?\nA. cat\n  and mouse\nB. dog", "A", id=3),
    )
    assert [right(item) for item in items] == ["dog", "Vermeer", "cat and mouse"]
    assert items[1].question == "Who?\nI. have a hint: Dutch"


# In the style of published sets: ScienceQA, A-OKVQA, TQA, AI2D and geometry in LLaVA's form.
PUBLISHED = [
    ("<image>\nContext: N/A\nWhich state is highlighted?\nA. Ohio\nB. Utah\n" + ASK, "B", "Utah"),
    ("<image>\nWhich of these is a pure substance?\nContext: Select the better answer.\n"
     "Options: (A) basil (B) iron (C) tea", "The answer is B.", "iron"),
    ("What is the man by the bags awaiting?\nA. skateboarder\nB. train\nC. delivery\nD. cab\n"
     + ASK + "\n<image>", "D", "cab"),
    ("<image>\nQuestion: What feeds on hawks?\nChoices:\n(A) none\n(B) grass\nAnswer:", "(A)",
     "none"),
    ("<image>\nWhich label refers to the leaf?\nA. A\nB. C\nC. B\nD. D\nPlease answer directly "
     "with only the letter of the correct option and nothing else.", "C. B", "B"),
    ("<image>\nAB∥CD and ∠1=50°, then ∠2 is ( )\nA. 40°\nB. 50°\nC. 130°\nD. 140°", "B", "50°"),
    ("<image>\nFind x. A. 30° B. 45° C. 60° D. 90°", "Answer: C", "60°"),
    ("<image>\nWhat is the length?\nA.3.5\nB.4.2\nC.5", "A", "3.5"),
    ("<image>\nWhat does the vitamin do?\nA. Vitamin A. It helps sight.\nB. Vitamin C. It heals.",
     "B. Vitamin C. It heals.", "Vitamin C. It heals."),
    ("<image>\nWho signed it?\nA. U.S.\nB. U.K.\nC. J. Smith et al.", "U.K.", "U.K."),
    ("At 10 A.M. what is shown? (A) a clock (B) a sundial", "(B)", "a sundial"),
    ("<image>\nWhich is right?\n(A) f(x) = (a) x\n(B) f(x) = (b) x", "B", "f(x) = (b) x"),
    ("Consider:\n1. All are red.\n2. None is.\nWhich follow?\nA. 1\nB. 2\nC. both", "A", "1"),
    ("<image>\nSelect the correct option: A) oak B) elm C) ash", "c", "ash"),
    ("Is it true?\na. yes\nb. no\n", "b", "no"),
    ("<image>\nWhat is it?\nOptions:\n- A. cup\n- B. jug\n\nGive the letter only.", "A", "cup"),
    ("<image>\nWhat is it?\n**A.** cup\n**B.** jug\n\n**Answer:**", "B", "jug"),
    ("<image>\nHint: Please answer the question and provide the correct option letter, e.g., A, B, "
     "at the end.\nQuestion: How many?\nChoices:\n(A) 11\n(B) 4\n(C) 6", "The answer is C", "6"),
    ("<image>\nThere are several options:\nA. The sun rises. Then it sets.\nB. It rains\n" + ASK,
     "A. The sun rises. Then it sets.", "The sun rises. Then it sets."),
    ("Which comes last?\nB. one\nD. three\nA. zero\nC. two", "D", "three"),
    ("<image>\nWhich organ?\nA: heart\nB: lung\nAnswer with one letter.", "B: lung", "lung"),
]  # fmt: skip


MARKS = re.compile(r"<image>|[-*(\[]*\b[A-Za-z](?:[)\]:*]|[.](?![A-Z]))[.*]*|\*\*|- ")


@pytest.mark.parametrize(("said", "answer", "text"), PUBLISHED)
def test_styles_of_published_sets(read, said: str, answer: str, text: str):
    image = {"image": "1.png"} if "<image>" in said else {}
    (item,) = read(entry(said, answer, **image))
    assert right(item) == text
    kept = " ".join([item.question, *item.options, item.meta.get("instruction", "")])
    # Only the marks and a header are gone: a prompt's form writes its own.
    words = MARKS.sub(" ", said).split()
    assert [word for word in words if word not in kept] in ([], ["Options:"], ["Choices:"])


def test_each_turn_with_options_is_a_question_behind_those_before(read):
    said = ["<image>\nWhat is it?", "A dog.", "Colour?\nA. red\nB. tan", "B"]
    said += ["Age?\n(A) old (B) young", "The answer is (A)."]
    with pytest.warns(UserWarning, match=r"not used are turns without options.*: 1 \(entry 0, que"):
        first, second = read(entry(*said, image="1.png", source="web"))
    assert (first.id, right(first)) == ("x#1", "tan")
    assert first.meta["turns"] == (("What is it?", "A dog."),)
    assert (second.id, right(second)) == ("x#2", "old")
    earlier = (("What is it?", "A dog."), ("Colour?\nA. red\nB. tan", "B"))
    assert second.meta["turns"] == earlier
    assert first.images == second.images != ()
    assert first.meta["cluster"] == second.meta["cluster"] == "1.png"


def test_questions_of_a_conversation_without_images_are_one_cluster(read):
    first, second = read(entry("p?\nA. x\nB. y", "A", "q?\nA. x\nB. y", "B"))
    assert first.meta["cluster"] == second.meta["cluster"] == "x"
    assert (first.id, second.id) == ("x#1", "x#2")


def test_an_entry_without_an_id_has_its_number(read):
    plain = entry("q?\nA. x\nB. y", "A")
    del plain["id"]
    with pytest.warns(UserWarning, match="some rows have no id, so they are numbered from 0"):
        assert [item.id for item in read(entry("q?\nA. x\nB. y", "A"), plain)] == ["x", "1"]


def test_turns_of_one_picture_each(read, tmp_path: Path):
    said = ["<image>\np?\nA. x\nB. y", "A", "And <image> to <image>?\nA. x\nB. y", "B"]
    first, second = read(entry(*said, image=["1.png", "2.png", "3.png"]))
    assert first.images == (tmp_path / "1.png",)
    assert second.images == tuple(tmp_path / f"{n}.png" for n in (1, 2, 3))
    assert second.question == "And <image 2> to <image 3>?"


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("<image>\nq?", "q?"),
        ("q?\n<image>", "q?"),
        ("q\n<image>\nmore?", "q\nmore?"),
        ("Is <image> red?", "Is <image 1> red?"),
    ],
)
def test_a_placeholder_outside_the_sentences_is_dropped(read, said: str, question: str):
    (item,) = read(entry(f"{said}\nA. x\nB. y", "A", image="1.png"))
    assert item.question == question


def test_images_without_placeholders_stand_in_front(read, tmp_path: Path):
    (item,) = read(entry("q?\nA. x\nB. y", "A", image=["1.png", "2.png"]))
    assert item.images == (tmp_path / "1.png", tmp_path / "2.png")


def test_chat_messages(read, tmp_path: Path):
    parts = [
        {"type": "image_url", "image_url": {"url": "1.png"}},
        {"type": "text", "text": "q?\nA. x\nB. y\n" + ASK},
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [{"type": "text", "text": "B"}]},
    ]
    (item,) = read({"id": 1, "messages": messages}, name="q.jsonl")
    assert (item.question, item.options, item.answer) == ("q?", ("x", "y"), 1)
    assert item.images == (tmp_path / "1.png",)
    assert item.meta["context"] == "Be brief."
    assert item.meta["instruction"] == ASK


@pytest.mark.parametrize("part", [{"type": "image"}, {"type": "image", "image": "1.png"}])
def test_a_part_may_leave_its_image_to_the_entry(read, tmp_path: Path, part: dict[str, str]):
    content = [part, {"type": "text", "text": "q?\nA. x\nB. y"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "A"}]
    (item,) = read({"id": 1, "messages": messages, "images": ["1.png"]})
    assert item.images == (tmp_path / "1.png",)


def test_plain_rows_and_conversations_in_one_list(read):
    row = {"id": "r", "question": "Which?", "options": ["x", "y"], "answer": "y"}
    assert [item.answer for item in read(row, entry("q?\nA. x\nB. y", "A"))] == [1, 0]


OPTIONS = "q?\nA. x\nB. y"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (entry("q?\n(B) x\n(C) y", "C"), "entry 0: expected options of which one is marked A"),
        (entry(OPTIONS, "C"), "entry 0: answer 'C' is not the letter or text of one option"),
        (entry(OPTIONS, "maybe"), "entry 0: answer 'maybe' is not"),
        (entry(OPTIONS), "expected an answer after each question, but .* has none"),
        (entry(OPTIONS, "A", "Why?"), "'Why[?]' has none"),
        (entry(), "no turns"),
        (entry(f"<image>\n{OPTIONS}", "A"), "there are 0 images .* and 1 <image>"),
        (entry(f"<image>\n{OPTIONS}", "A", image=["1", "2"]), "are 2 images .* and 1 <image>"),
        (entry(f"<image>\n{OPTIONS}", "A", image=[None]), "there are 0 images"),
        (entry(f"<image>\n{OPTIONS}", "A", image=[None, "1"]), "entry 0: entry 0 of .* is null"),
        (entry(f"<image><image>\n{OPTIONS}", "A", image="1"), "there are 1 images"),
        (entry("q?\n(A) <image>\n(B) <image>", "A", image=["1", "2"]), "option A is a picture"),
        (entry(OPTIONS, "A", image="1", images=["2"]), "both image and images"),
        (entry(OPTIONS, "A", question="q"), "both conversations and question"),
        (entry(OPTIONS, "A", messages=[]), "both conversations and messages"),
        ({"messages": [{"role": "system", "content": "<image>"},
                       {"role": "user", "content": OPTIONS},
                       {"role": "assistant", "content": "A"}], "image": "1"}, "a system turn has"),
        ({"conversations": None}, "entry 0: expected a list of turns, got None"),
        ({"conversations": [{"value": "q?"}, 3]}, "entry 0, turn 1: expected from"),
        ({"conversations": [{"from": "human", "value": 3}]}, "turn 1: expected value"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "turn 1: expected from .*'robot'"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "but the assistant begins"),
        ({"conversations": [{"from": "user", "value": "x"}] * 2}, "after 1 turns comes the user"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "parts of text"),
        (3, "entry 0: expected an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(read, content: Any, message: str):
    with pytest.raises(InputError, match=rf"q\.json.*{message}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["q.json", "q.jsonl"])
def test_a_file_without_options_says_what_was_looked_for(read, name: str):
    with pytest.raises(
        InputError, match=r"it holds no questions .*without options marked \(A\).*: 2"
    ):
        read(entry("What is it?", "A dog."), entry("Why?", "So."), name=name)


def test_one_object_as_a_file(tmp_path: Path):
    path = tmp_path / "q.json"
    path.write_text(json.dumps(entry(OPTIONS, "B")))
    assert [item.answer for item in read_file(path)] == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"id": 1}, "expected a list of objects"),
        ([], "no question"),
        ({}, "expected a list of objects"),
        (3, "expected a list of objects"),
        ({"a": [{"x": 1}], "b": [{"x": 1}]}, "expected a list of objects"),
        ({"train": ["1"], "test": ["2"]}, "expected a list of objects"),
    ],
)
def test_json_of_another_kind(tmp_path: Path, content: Any, message: str):
    path = tmp_path / "q.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_file(path)


def test_a_list_under_a_name(tmp_path: Path):
    path = tmp_path / "q.json"
    row = {"id": "r", "question": "Which?", "options": ["x", "y"], "answer": "y"}
    path.write_text(json.dumps({"version": "1", "data": [row]}))
    with pytest.warns(
        UserWarning, match=r"not used are what stands beside the list: 1 \(version\)"
    ):
        assert [item.answer for item in read_file(path)] == [1]


def test_lines_in_a_file_named_json(tmp_path: Path):
    path = tmp_path / "q.json"
    row = json.dumps({"id": "r", "question": "Which?", "options": ["x", "y"], "answer": "y"})
    path.write_text(f"{row}\n{row}\n")
    with pytest.raises(InputError, match=r"not JSON .*to be named \.jsonl"):
        read_file(path)
