"""Twins: what each way guarantees, what has none and why, and the file that every command loads."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import calib
from calib import cli
from calib.images import open_image
from calib.records import EncodedImage, InputError, Item, MadeImage
from calib.tasks import Task, load_task
from calib.tasks.prompts import build
from calib.tasks.task import image_name
from calib.twin_sets.file import make_twins
from calib.twin_sets.make import make
from calib.twin_sets.nouns import nouns_in, replaced
from calib.twin_sets.ways import Known, Reason, remove, swap, twin_of
from tests.twin_sets.rooms import is_grey, rooms


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return rooms(tmp_path_factory.mktemp("rooms"))


def by_id(task: Task) -> dict[str, Item]:
    return {item.id: item for item in task.items}


def test_every_twin_is_its_question_but_for_one_thing(task: Task):
    made, own = make(task), by_id(task)
    assert made.made == {"swap": 32, "mask": 32, "remove": 32, "noun": 16}
    for item in made.task.items:
        question = own[item.meta["pair"]]
        if "how" not in item.meta:
            assert (item.id, item.answer, item.images) == (
                question.id,
                question.answer,
                question.images,
            )
            continue
        way = item.meta["how"]
        assert item.answer is None and item.meta["answerable"] is False
        assert item.id == f"{question.id}#{way}" and item.group == question.group
        changed = {
            "swap": item.images != question.images and not is_grey(item),
            "mask": is_grey(item),
            "remove": item.options != question.options,
            "noun": item.question != question.question,
        }
        assert [name for name, differs in changed.items() if differs] == [way]
        assert open_image(item.images[0]).size == open_image(question.images[0]).size


def test_a_swapped_picture_is_another_of_its_group_and_not_asked_the_same(task: Task):
    own = by_id(task)
    asked: dict[str, set[str]] = {}
    for item in task.items:
        asked.setdefault(image_name(item.images[0]), set()).add(item.question)
    for item in calib_twins(task, "swap").items:
        if item.meta.get("how"):
            shown = image_name(item.images[0])
            assert shown != image_name(own[item.meta["pair"]].images[0])
            assert item.question not in asked[shown]


def calib_twins(task: Task, how: str, seed: int = 0) -> Task:
    with pytest.warns(UserWarning, match="have none, as"):
        return calib.twins(task, how, seed=seed)


def test_a_copy_of_the_same_picture_is_no_other(tmp_path: Path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / name)
    items = [
        Item(name, f"What is {name}?", (tmp_path / name,), ("x", "y", "z"), 0)
        for name in ("a.png", "b.png")
    ]
    found = twin_of(items[0], "swap", Known(items), 0)
    assert isinstance(found, Reason) and "shows the same" in found.text


def test_pictures_of_another_group_are_not_taken(task: Task):
    some = [item for item in task.items if item.group == "animal"][:2]
    known = Known([some[0], replace(some[1], group="other")])
    assert isinstance(twin_of(some[0], "swap", known, 0), Reason)
    assert isinstance(twin_of(some[0], "swap", Known(some), 0), Item)


def test_the_same_seed_makes_the_same_twins_and_another_others(task: Task):
    again, other = calib_twins(task, "swap,noun"), calib_twins(task, "swap,noun", seed=1)
    assert calib_twins(task, "swap,noun") == again != other
    few = make(task, "swap", limit=5)
    assert few.made == {"swap": 5} and len(few.task) == 10
    ids = {item.id for item in make(task, "swap").task.items}
    assert {item.id for item in few.task.items} < ids


OPTIONS = ("a dog", "a cat", "a cow")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": ("a", "b")}, "fewer than two wrong options"),
        ({"options": ("a", "b", "I don't know")}, "fewer than two wrong options"),
        ({"options": (*OPTIONS, "None of the above")}, "an option is about the others"),
        ({"options": (*OPTIONS, "Both A and B")}, "an option is about the others"),
        ({"options": (*OPTIONS, "A  Dog")}, "its right option is there twice"),
        ({"options": (), "answer": None, "meta": {"aliases": ("x",)}}, "it has no options"),
    ],
)
def test_what_cannot_lose_its_right_option_says_why(changes: dict[str, object], told: str):
    item = replace(Item("a", "Which?", (), OPTIONS, 0), **changes)
    found = twin_of(item, "remove", Known([item]), 0)
    assert isinstance(found, Reason) and told in found.text


def test_what_stands_by_an_option_goes_with_it():
    meta = {"spellings": (("dog",), ("cat",), ("cow",), ("no idea",)), "idk": 3}
    item = Item("a", "Which?", (), (*OPTIONS, "no idea"), 1, None, meta)
    found = remove(item, Known([item]), random.Random(0))
    assert isinstance(found, Item) and found.options == ("a dog", "a cow", "no idea")
    assert found.meta["spellings"] == (("dog",), ("cow",), ("no idea",))
    assert found.meta["idk"] == 2


@pytest.mark.parametrize("way", ["swap", "mask", "noun"])
@pytest.mark.parametrize(
    "changes",
    [
        {"options": ("yes", "no"), "answer": 0},
        {"options": ("no", "maybe", "Yes"), "answer": 1},
        {"question": "How many dogs are in the room?"},
        {"options": (), "answer": None, "meta": {"aliases": ("No",)}},
    ],
)
def test_what_may_have_an_answer_of_any_picture_has_no_twin(
    task: Task, way: str, changes: dict[str, object]
):
    item = replace(task.items[0], **changes)
    found = twin_of(item, way, Known([item, *task.items[1:]]), 0)
    assert isinstance(found, Reason) and "of any picture" in found.text


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What colour is the dog?", ["dog"]),
        ("What is on the small table next to the sofa?", ["table", "sofa"]),
        ("What is the colour of the dog?", ["dog"]),
        ("Is a red rectangle present?", ["rectangle"]),
        ("What is the man eating?", []),
        ("What is in the image on the left?", []),
        ("Which city is Paris in?", []),
        ("Was ist das?", []),
        ("the", []),
    ],
)
def test_nouns_are_found_by_where_they_stand(question: str, words: list[str]):
    assert [noun.text for noun in nouns_in(question)] == words


def test_an_article_goes_with_its_noun():
    question = "Where is a dog?"
    (noun,) = nouns_in(question)
    assert replaced(question, noun, "elephant") == "Where is an elephant?"
    question = "An apple is where?"
    (noun,) = nouns_in(question)
    assert replaced(question, noun, "pear") == "A pear is where?"


def test_a_new_noun_is_of_another_group_and_not_spoken_of(task: Task):
    own = by_id(task)
    about: dict[str, str] = {}
    for item in task.items:
        gold = item.options[item.answer or 0]
        about[str(item.meta["cluster"])] = (
            about.get(str(item.meta["cluster"]), "") + f" {item.question} {gold}"
        )
    twins = [item for item in calib_twins(task, "noun").items if item.meta.get("how")]
    for twin in twins:
        question = own[twin.meta["pair"]]
        old = set(re.findall(r"\w+", question.question))
        (word,) = set(re.findall(r"\w+", twin.question)) - old
        assert word not in about[str(question.meta["cluster"])]
        assert word not in " ".join(question.options)
        assert any(word in item.question for item in task.items if item.group != question.group)


def test_what_has_no_twin_is_named_and_a_task_without_any_refused(task: Task):
    with pytest.warns(UserWarning, match=r"swap: 16 of 48 have none, as it is one of yes or no"):
        calib.twins(task, "swap")
    with pytest.raises(InputError, match=r"no question has a twin; swap: 1 of 1 have none"):
        make(Task("one", task.items[:1]), "swap")
    with pytest.raises(InputError, match="how: expected one of swap, mask, remove, noun"):
        make(task, "swap,blur")
    with pytest.raises(InputError, match="got none"):
        make(task, [])
    nobody = replace(task.items[0], answer=None, meta={"answerable": False})
    found = twin_of(nobody, "mask", Known([nobody]), 0)
    assert isinstance(found, Reason) and found.text == "nobody can answer it as it is"


def test_the_file_loads_as_the_pairs_that_were_made(task: Task, tmp_path: Path):
    picture = EncodedImage((task.items[0].images[0]).read_bytes(), "row 1")  # type: ignore[union-attr]
    items = [
        replace(
            item,
            images=(picture,) if item.id == "0-1" else item.images,
            meta={**item.meta, "hint": "look", "own": {"deep": [1, None]}},
        )
        for item in task.items
    ]
    facts = make_twins(Task("rooms", tuple(items), "letters"), tmp_path / "out")
    assert facts == json.loads((tmp_path / "out" / "made.json").read_text())
    made = make(Task("rooms", tuple(items))).task
    with pytest.warns(UserWarning, match="no question uses the column 'own'$"):  # the items' own
        read = load_task(tmp_path / "out" / "twins.jsonl")
    assert read.prompt == "letters" and len(read) == len(made) == 4 * 32 + 16
    for one, other in zip(made.items, read.items, strict=True):
        assert (one.id, one.question, one.options, one.answer) == (
            other.id,
            other.question,
            other.options,
            other.answer,
        )
        assert one.group == other.group and dict(one.meta) == dict(other.meta)
        assert open_image(one.images[0]).tobytes() == open_image(other.images[0]).tobytes()
        assert build(one, "letters").text == build(other, "letters").text
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    with pytest.warns(UserWarning):
        assert len(load_task(moved / "twins.jsonl")) == 144


def test_the_command_makes_and_counts(task: Task, tmp_path: Path):
    source = tmp_path / "q.jsonl"
    rows = [
        {
            "id": item.id,
            "question": item.question,
            "images": [str(item.images[0])],
            "options": list(item.options),
            "answer": item.options[item.answer or 0],
            "group": item.group,
        }
        for item in task.items
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    told = ["twins", "make", "--tasks", str(source), "--output_path", str(out), "--how"]
    done = CliRunner().invoke(cli.app, [*told, "mask,remove", "--limit", "3"])
    assert done.exit_code == 0, done.stderr
    assert re.search(r"mask\s+3", done.output) and re.search(r"remove\s+3", done.output)
    assert "mask: 16 of 48 questions have no twin: it is one of yes or no" in done.stderr
    assert len(load_task(out / "twins.jsonl")) == 9
    refused = CliRunner().invoke(cli.app, [*told, "blur"])
    assert refused.exit_code == 2 and "how: expected one of swap" in refused.stderr
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"kind": "score", "model": "m"}')
    with pytest.raises(InputError, match="it holds scored questions"):
        make_twins(task, tmp_path / "run")


def test_swap_gives_as_many_pictures_as_the_question_has(task: Task):
    two = replace(task.items[0], images=task.items[0].images * 2)
    found = swap(two, Known([two, *task.items[1:]]), random.Random(0))
    assert isinstance(found, Reason)


def pictured(folder: Path, *rows: tuple[str, str, str]) -> list[Item]:
    """Questions of (pictures by name, question, group); a picture's colour is its name's."""
    for name in " ".join(row[0] for row in rows).split():
        Image.new("RGB", (4, 4), tuple(name.encode()[:3])).save(folder / f"{name}.png")
    return [
        Item(str(k), question, tuple(folder / f"{n}.png" for n in names.split()), OPTIONS, 0, group)
        for k, (names, question, group) in enumerate(rows)
    ]


def test_a_swapped_twin_shares_no_picture_at_any_position(tmp_path: Path):
    asked = "Which of image 1 and image 2 shows a dog?"
    own, *rest = pictured(
        tmp_path,
        ("dog ball", asked, "g"),
        ("ball dog", "Which of both is greener?", "g"),  # the same in another order
        ("ball boat", "Which of both is larger?", "g"),  # one in another place
        ("dog dog", "Are they alike, or which is older?", "g"),
        ("lamp boat", "Which of both is smaller?", "g"),
        ("clock chair", "Which of both is older?", "g"),
        ("chair boat", asked, "g"),  # asked the same of one of the above
    )
    known = Known([own, *rest])
    found = swap(own, known, random.Random(0))
    assert isinstance(found, Reason) and "shows the same" in found.text
    (free,) = pictured(tmp_path, ("pen cup", "Which of both is dearer?", "g"))
    assert Known([own, *rest, free]).others(own) == [free.images]


def test_a_new_noun_is_said_of_none_of_the_pictures(tmp_path: Path):
    own, *rest = pictured(
        tmp_path,
        ("dog ball", "Which of image 1 and image 2 shows a dog?", "g"),
        ("dog", "What stands beside the lamp?", "h"),
        ("clock ball", "Which of both shows the boats?", "h"),
        ("boat", "Where is the boat?", "h"),
        ("sofa ball", "Which of both is cheap?", "h"),
        ("sofa", "Where is the sofa?", "h"),
        ("dog", "What is it?", "h"),
        ("tea", "Where is the cup?", "h"),
        ("pen", "Where is a kite?", "h"),
    )
    rest[5] = replace(rest[5], meta={"hint": "Look at the cups."})
    assert Known([own, *rest]).nouns_for(own, "dog") == ["kite", "sofa"]


def test_a_new_noun_is_said_of_no_question_about_the_passage():
    items = [
        Item("1", "Where is the dog?", (), OPTIONS, 0, "g", {"context": "It barks  at night."}),
        Item("2", "Who holds the lamp?", (), OPTIONS, 0, "h", {"context": "It barks at night."}),
        Item("3", "Where is the kite?", (), OPTIONS, 0, "h", {"context": "A tale."}),
    ]
    assert Known(items).nouns_for(items[0], "dog") == ["kite"]


def test_a_picture_made_of_its_own_is_no_other(tmp_path: Path):
    own, other = pictured(tmp_path, ("dog", "What is it?", "g"), ("dog", "Which?", "g"))
    made = MadeImage(tmp_path / "dog.png", "darker", lambda image: image)
    other = replace(other, images=(made,))
    assert Known([own, other]).others(own) == []
