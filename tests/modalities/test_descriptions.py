"""Descriptions: their sentences, and where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calib.modalities.descriptions import checked, from_data, from_file, sentences_of
from calib.records import InputError, Item
from calib.tasks import Task, load_task


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A cat. It sleeps!  Does it? ", ("A cat.", "It sleeps!", "Does it?")),
        ("no full stop", ("no full stop",)),
        ("One line\nanother\r\n\nand one. More", ("One line", "another", "and one.", "More")),
        ("It costs 3.50 euros. Yes.", ("It costs 3.50 euros.", "Yes.")),
        ('He says "stop." She goes.', ('He says "stop."', "She goes.")),
        (["A. B.", " C "], ("A. B.", "C")),
    ],
)
def test_sentences(text: str | list[str], sentences: tuple[str, ...]):
    assert sentences_of(text, "here") == sentences


@pytest.mark.parametrize("value", ["", " \n", [], [" "], 3, None, ["a", 3], {"a": "b"}])
def test_what_is_no_description_is_refused(value: object):
    with pytest.raises(InputError, match=r"^here: expected a "):
        sentences_of(value, "here")


def test_files_of_descriptions(tmp_path: Path):
    wanted = {"a": ("One.", "Two."), "b": ("Three",)}
    (tmp_path / "d.json").write_text(json.dumps({"a": "One. Two.", "b": ["Three"]}))
    (tmp_path / "d.csv").write_text('description,id,more\n"One.\nTwo.",a,x\nThree,b,y\n')
    assert from_file(tmp_path / "d.json") == from_file(tmp_path / "d.csv") == wanted


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.json", "[1]", r"d\.json: expected an object of descriptions by id, got \[1\]"),
        ("d.json", "{", r"d\.json: this is not JSON"),
        ("d.json", '{"a": 3}', r"d\.json, id 'a': expected a text or a list of sentences, got 3"),
        ("d.json", '{"a": "x", "a": "y"}', r"d\.json: id 'a' appears twice"),
        ("d.csv", "id,text\na,b\n", r"expected the columns id and description, got id, text"),
        ("d.csv", "", "expected the columns id and description, got none"),
        ("d.csv", "id,description\na,x\na,y\n", r"d\.csv, line 3: id 'a' appears twice"),
        ("d.csv", "id,description\na,\n", r"d\.csv, line 2: expected a description, got an empty"),
        ("d.txt", "a", r"expected a file of descriptions ending in \.json or \.csv"),
    ],
)
def test_files_that_are_none_are_refused_by_place(
    tmp_path: Path, name: str, content: str, said: str
):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        from_file(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.json: it cannot be read"):
        from_file(tmp_path / "gone.json")


def test_the_descriptions_of_easy_vqa_are_of_its_own_attributes():
    task = load_task("easy-vqa-letters")
    found = from_data(task)
    assert set(found) == {item.id for item in task.items}
    for item in task.items:
        said = " ".join(found[item.id])
        if item.group in ("colour", "shape"):  # what is asked for is what the picture shows
            assert item.options[item.answer] in said, (item, said)
    whole = [said for said in found.values() if len(said) == 2]
    assert len(whole) / len(found) > 0.88
    assert found["0-0"][0].startswith("The picture shows one ")


def test_a_task_of_that_name_from_a_file_has_its_own(tmp_path: Path):
    item = Item("0-0", "Which?", (), ("a", "b"), 0, meta={"description": "Mine. Yes."})
    assert from_data(Task("easy-vqa", (item,), source="easy-vqa.jsonl")) == {
        "0-0": ("Mine.", "Yes.")
    }


def test_an_item_without_a_description_is_named():
    items = [Item("a", "Which?"), Item("b", "Which?")]
    with pytest.raises(InputError, match="item 'b': it has no description, which an arm or a cell"):
        checked({"a": ("x",)}, items)
