"""Tasks: what is in the built-in ones, what a selection draws, what is refused before a model."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from calib.records import EncodedImage, InputError, Item
from calib.tasks import Task, load_task
from calib.tasks.prompts import build
from calib.tasks.task import digest


def items(count: int) -> list[Item]:
    return [Item(f"q{i}", f"{i}?", options=("yes", "no"), answer=i % 2) for i in range(count)]


@pytest.fixture(scope="module")
def easy() -> Task:
    return load_task("easy-vqa")


def test_easy_vqa_has_every_test_question_once(easy: Task):
    assert len(easy) == 9673
    assert len({item.id for item in easy}) == 9673
    assert len({item.meta["cluster"] for item in easy}) == 1000
    assert len({item.images for item in easy}) == 1000
    assert {item.group for item in easy} == {"yes/no", "colour", "shape"}


def test_easy_vqa_options_go_with_the_kind(easy: Task):
    sizes = {"yes/no": 2, "colour": 8, "shape": 3}
    assert all(len(item.options) == sizes[item.group or ""] for item in easy)
    assert all(len(set(item.options)) == len(item.options) for item in easy)
    assert all("color" in item.question for item in easy if item.group == "colour")
    assert not any("color" in item.question for item in easy if item.group == "shape")


def test_easy_vqa_answers_agree_with_the_published_file(easy: Task):
    # Looked at: picture 0 is a red triangle, picture 1 a yellow rectangle.
    answers = {(i.meta["cluster"], i.question): i.options[i.answer or 0] for i in easy}
    assert answers["0", "what is the red shape?"] == "triangle"
    assert answers["0", "what is the color of the triangle?"] == "red"
    assert answers["0", "does the image contain a circle?"] == "no"
    assert answers["0", "is there not a black shape in the image?"] == "yes"
    assert answers["1", "what is the color of the rectangle?"] == "yellow"
    assert answers["1", "is there a triangle?"] == "no"


def test_letters_ask_the_same_questions(easy: Task):
    lettered = load_task("easy-vqa-letters")
    assert lettered.items == easy.items
    assert (easy.prompt, lettered.prompt) == ("options", "letters")


def test_a_selection_is_drawn_by_its_seed_and_keeps_the_order():
    task = load_task(items(200))
    first = task.selection(20, seed=1)
    assert first == task.selection(20, seed=1)
    assert first != task.selection(20, seed=2)
    places = [int(item.id[1:]) for item in first]
    assert len(set(places)) == 20
    assert places == sorted(places)
    assert places != list(range(20))


def test_a_selection_is_the_same_in_every_process():
    # Written down once: a run begun with an earlier version must go on with this one.
    drawn = [item.id for item in load_task(items(100)).selection(3, seed=0)]
    assert drawn == ["q49", "q53", "q97"]


def test_every_question_is_drawn_equally_often():
    task = load_task(items(10))
    drawn = Counter(item.id for seed in range(1000) for item in task.selection(3, seed))
    assert len(drawn) == 10
    assert all(240 < count < 360 for count in drawn.values())  # 300 expected, 4 sigma is 58


def test_a_limit_beyond_the_task_takes_it_all():
    task = load_task(items(5))
    assert task.selection(None, 3) == task.selection(5, 3) == task.selection(99, 3) == task.items


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int):
    with pytest.raises(InputError, match="limit"):
        load_task(items(5)).selection(limit, 0)


BASE = Item("a", "?", options=("x", "y"), answer=0, group="g", meta={"cluster": "1"})


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "b"},
        {"question": "??"},
        {"options": ("x", "z")},
        {"options": ("y", "x")},
        {"options": ("x", "y", "z")},
        {"answer": 1},
        {"answer": None},
        {"group": "h"},
        {"meta": {"cluster": "2"}},
        {"meta": {"cluster": "1", "instruction": "Be brief."}},
        {"images": (Image.new("RGB", (4, 4), "red"),)},
    ],
    ids=",".join,
)
def test_the_digest_changes_with(changed: dict):
    assert digest([BASE]) == digest([replace(BASE)])
    assert digest([BASE]) != digest([replace(BASE, **changed)])


def test_the_digest_changes_with_order_and_number():
    a, b = items(2)
    assert len({digest([a, b]), digest([b, a]), digest([a]), digest([])}) == 4


def test_the_digest_tells_images_in_memory_apart():
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    wide, tall = Image.new("RGB", (8, 2)), Image.new("RGB", (2, 8))
    seen = [digest([replace(BASE, images=(image,))]) for image in (red, blue, wide, tall)]
    assert len(set(seen)) == 4


def test_the_digest_changes_with_an_image_file_of_equal_size(tmp_path: Path):
    path = tmp_path / "a.bmp"
    seen = set()
    for colour in ("red", "blue"):
        Image.new("RGB", (4, 4), colour).save(path)
        seen.add(digest([replace(BASE, images=(path,))]))
    assert len(seen) == 2


def test_the_digest_does_not_depend_on_where_the_files_lie(tmp_path: Path):
    seen = set()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        Image.new("RGB", (4, 4)).save(folder / "x.png")
        seen.add(digest([replace(BASE, images=(folder / "x.png",))]))
    assert len(seen) == 1


def test_functions_lists_and_paths_are_tasks(tmp_path: Path):
    def mine() -> Iterator[Item]:
        yield from items(3)

    assert load_task(mine) == Task("mine", tuple(items(3)), "letters")
    assert load_task(items(3)).items == tuple(items(3))
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "a", "question": "?", "options": ["x", "y"], "answer": "y"}\n')
    assert load_task(path) == load_task(str(path))
    assert load_task(path).name == "own"
    assert load_task(path).items[0].answer == 1


TWO, FREE = Item("a", "?", options=("x", "y")), Item("b", "?", meta={"aliases": ["x"]})
SPELLED = replace(TWO, id="c", meta={"spellings": (("x", "ex"), ("y",))})
MANY = Item("d", "?", options=tuple(map(str, range(27))), answer=0)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ([TWO], "letters"),
        ([replace(MANY, options=MANY.options[:26])], "letters"),
        ([TWO, FREE], "letters"),
        ([FREE], "options"),
        ([TWO, SPELLED], "listed"),
        ([TWO, MANY], "listed"),
        ([FREE, SPELLED], "listed"),
    ],
)
def test_questions_without_a_form_of_their_own_show_their_options(given: list[Item], form: str):
    assert load_task(given).prompt == load_task(lambda: given).prompt == form
    assert load_task(Task("own", tuple(given), "llava")).prompt == "llava"
    for item in given:
        build(item, form)


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ('{"id": "a", "question": "?", "options": ["x", "y"], "answer": "y"}', "letters"),
        ('{"id": "a", "question": "?", "options": [["x", "ex"], "y"], "answer": "y"}', "listed"),
        ('{"id": "a", "question": "?", "aliases": ["x"]}', "options"),
    ],
)
def test_a_file_without_a_form_shows_its_options(tmp_path: Path, row: str, form: str):
    path = tmp_path / "own.jsonl"
    path.write_text(f"{row}\n")
    assert load_task(path).prompt == form


def test_a_run_of_a_built_in_task_goes_on_whatever_its_keys_are_called():
    """Digests of an earlier version, when ``ask_for_text`` was called ``instruction``."""
    digests = {"easy-vqa": "7ea67c9078f1", "easy-vqa-idk": "6ffe6176c6f6"}
    digests["capitals"] = "4839a0907006"
    assert {name: digest(load_task(name)) for name in digests} == digests


def test_a_task_is_a_task():
    task = Task("own", tuple(items(3)), prompt="letters")
    assert load_task(task) is task


@pytest.mark.parametrize("name", ["easy_vqa", "mml", "", "questions.txt", "hf"])
def test_an_unknown_name_says_what_there_is(name: str):
    with pytest.raises(InputError, match=r"easy-vqa, easy-vqa-letters.*\.jsonl, \.csv, \.json"):
        load_task(name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no question"),
        ([BASE, BASE], "'a' appears 2 times"),
        ([BASE, BASE, BASE, replace(BASE, id="b"), replace(BASE, id="b")], r"3 times \(and 1 more"),
        ([replace(BASE, options=("x",))], "'a': expected two or more options"),
        ([replace(BASE, options=())], "two or more options"),
        ([replace(BASE, answer=2)], "answer 2 is not the index"),
        ([replace(BASE, answer=-1)], "answer -1 is not the index"),
        ([replace(BASE, images=(Path("gone.png"),))], r"'a', image gone\.png: there is no such"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: list[Item], message: str):
    with pytest.raises(InputError, match=message):
        load_task(given)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": 5}, "item 5: id: expected text, got 5"),
        ({"id": " "}, "id is missing"),
        ({"id": "a\ud800"}, r"id holds half of a surrogate pair \(.ud800\)"),
        ({"question": ["a"]}, r"question: expected text, got \['a'\]"),
        ({"question": None}, "question: expected text, got None"),
        ({"question": b"Which?"}, "question: expected text, got b'Which"),
        ({"question": "x\udfff"}, r"question holds half of a surrogate pair \(.udfff\)"),
        ({"question": "x\0"}, "question holds a NUL character"),
        ({"question": "\n"}, "question is missing"),
        ({"options": ("x", None)}, "options: expected text, got None"),
        ({"options": ("x", 5)}, "options: expected text, got 5"),
        ({"options": ("x", ("y",))}, "options: expected text"),
        ({"options": ("x", " ")}, "options: one of .* has no text"),
        ({"options": "xy"}, "options: expected a list, got 'xy'"),
        ({"options": ("x", "y\ud800")}, "options holds half"),
        ({"answer": True}, "answer True is not the index"),
        ({"answer": "x"}, "answer 'x' is not the index"),
        ({"answer": 0.0}, "answer 0.0 is not the index"),
        ({"group": 5}, "group: expected text, got 5"),
        ({"images": (b"\x89PNG",)}, "images: expected paths, PIL images or EncodedImage, got b"),
        ({"images": (None,)}, "images: expected paths"),
        ({"meta": None}, "meta: expected named entries, got None"),
        ({"meta": {"spellings": ("yes", "no")}}, "spellings: expected a list, got 'yes'"),
        ({"meta": {"spellings": 5}}, "spellings: expected a list, got 5"),
        ({"meta": {"spellings": (("x",),)}}, "spellings of 1 options, but there are 2"),
        ({"meta": {"spellings": (("x",), ("x", "y"))}}, "'x' counts as 'x' and as 'y'"),
        ({"meta": {"spellings": ((1,), (2,))}}, "spellings: expected text, got 1"),
        ({"meta": {"aliases": "Paris"}}, "aliases: expected a list, got 'Paris'"),
        ({"meta": {"aliases": [7]}}, "aliases: expected text, got 7"),
        ({"meta": {"aliases": [" "]}}, "aliases: one of .* has no text"),
        ({"meta": {"instruction": 5}}, "instruction: expected text, got 5"),
        ({"meta": {"instruction": []}}, r"instruction: expected text, got \[\]"),
        ({"meta": {"hint": {}}}, "hint: expected text"),
        ({"meta": {"answerable": "false"}}, "answerable: expected true or false, got 'false'"),
        ({"meta": {"answerable": 0}}, "answerable: expected true or false, got 0"),
        ({"meta": {"turns": ["a"]}}, "turns: expected a list, got 'a'"),
        ({"meta": {"turns": [("a", "b", "c")]}}, "turns: expected pairs"),
        ({"meta": {"turns": [("a", 5)]}}, "turns: expected text, got 5"),
        ({"meta": {"idk": 2}}, "idk: 2 is not the index"),
        ({"meta": {"idk": "y"}}, "idk: 'y' is not the index"),
        ({"meta": {"cluster": ["1"]}}, "cluster: expected text"),
    ],
)
def test_items_made_in_python_are_checked_by_id(changed: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_task([replace(BASE, id="z"), replace(BASE, **changed)])
    assert str(caught.value).startswith("task items, item ")
    assert str(caught.value).isprintable()


def test_equal_options_are_asked_by_letter_alone():
    item = replace(BASE, options=("yes", " yes", "no"), answer=1)
    assert load_task([item]).prompt == "letters"
    assert build(item, "letters").options == (("A",), ("B",), ("C",))
    for form in ("listed", "options"):
        with pytest.raises(InputError, match=f"prompt {form} scores texts; prompt letters tells"):
            build(item, form)


def test_a_picture_that_is_missing_is_told_with_its_file(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text(
        '{"id": "a", "question": "?", "options": ["x", "y"], "answer": "y", "image": "gone.png"}\n'
    )
    with pytest.raises(InputError, match=rf"^{path}: item 'a', image .*gone.png: there is no such"):
        load_task(path)


def test_what_is_no_item_is_refused():
    with pytest.raises(InputError, match=r"expected items, got \{'id': 1\} at 1"):
        load_task([BASE, {"id": 1}])  # type: ignore[list-item]


def test_a_question_that_nobody_can_answer_needs_no_options():
    item = replace(BASE, options=(), answer=None, meta={"answerable": False})
    assert load_task([item]).items == (item,)


def test_pictures_in_memory_are_items_images():
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "PNG")
    encoded = EncodedImage(file.getvalue(), "table.csv, line 2")
    task = load_task([replace(BASE, images=(encoded, Image.new("RGB", (4, 4))))])
    assert digest(task.items) != digest([replace(task.items[0], images=task.items[0].images[1:])])


def test_a_question_whose_answer_is_not_known_may_be_asked():
    assert load_task([replace(BASE, answer=None)]).items[0].answer is None


def test_easy_vqa_without_its_package_names_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install easy-vqa"):
        load_task("easy-vqa")
