"""System One's labelled lines."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import EncodedImage, InputError, Item
from calib.tasks.files import read_file

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
QUESTIONS = {
    "refund": {"type": "noul", "instructions": "Is a refund asked for?"},
    "team": {
        "type": "choice",
        "instructions": "Whose is it?",
        "criteria": {"billing": "Charges and refunds", "other": None},
    },
    "urgency": {"type": "score", "instructions": "How urgent?", "criteria": ["later", "1", "now"]},
}
LINE = {
    "id": "t1",
    "state": {"ticket": "Charged twice, déjà", "tier": 2},
    "questions": QUESTIONS,
    "answers": {"refund": "true", "team": "billing", "urgency": "2"},
}


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(*lines: Any) -> tuple[Item, ...]:
        path = tmp_path / "q.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        return read_file(path)

    return write_and_read


def one(kind: str, label: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "state": "s",
        "questions": {"q": QUESTIONS[kind]},
        "answers": {"q": label},
        **more,
    }


def test_a_line_of_three_questions(read):
    refund, team, urgency = read(LINE)
    assert [item.id for item in (refund, team, urgency)] == ["t1#refund", "t1#team", "t1#urgency"]
    assert (refund.question, refund.options, refund.answer) == (
        "Is a refund asked for?", ("yes", "no"), 0,
    )  # fmt: skip
    assert team.options == ("billing: Charges and refunds", "other")
    assert team.meta["spellings"] == (("billing",), ("other",))
    assert (team.answer, team.group) == (0, "team")
    assert (urgency.options, urgency.answer) == (("later", "1", "now"), 2)
    assert {item.meta["cluster"] for item in (refund, team, urgency)} == {"t1"}
    assert json.loads(refund.meta["context"]) == LINE["state"]
    assert "déjà" in refund.meta["context"]


def test_descriptions_of_true_and_false(read):
    question = QUESTIONS["refund"] | {"criteria": {"false": "no money", "true": "money back"}}
    (item,) = read({**LINE, "questions": {"q": question}, "answers": {"q": False}})
    assert item.options == ("yes: money back", "no: no money")
    assert item.meta["spellings"] == (("yes",), ("no",))
    assert item.answer == 1


@pytest.mark.parametrize(
    ("kind", "label", "index"),
    [
        ("refund", True, 0),
        ("refund", False, 1),
        ("refund", "false", 1),
        ("refund", "Yes", 0),
        ("refund", "no", 1),
        ("refund", 1, 0),
        ("refund", 0.0, 1),
        ("refund", {"type": "noul", "noul": 0.0}, 1),
        ("refund", {"true": 1.0}, 0),
        ("team", "other", 1),
        ("team", {"type": "choice", "choice": "other", "probabilities": {"billing": 0.4}}, 1),
        ("team", {"label": "other", "probabilities": {"billing": 0.2, "other": 0.8}}, 1),
        ("team", {"billing": 0.0, "other": 1.0}, 1),
        ("urgency", 0, 0),
        ("urgency", "0", 0),
        ("urgency", 1, 1),
        ("urgency", 2.0, 2),
        ("urgency", "now", 2),
        ("urgency", {"score": 2}, 2),
        ("urgency", {"2": 1}, 2),
    ],
)
@pytest.mark.parametrize("name", ["answers", "targets", "gold", "labels", "expected"])
def test_labels(read, kind: str, label: Any, index: int, name: str):
    line = one(kind, label)
    line[name] = line.pop("answers")
    assert read(line)[0].answer == index


@pytest.mark.parametrize(
    ("kind", "label", "index"),
    [
        ("refund", 0.9, 0),
        ("refund", {"false": 0.7, "true": 0.3}, 1),
        ("team", {"probabilities": {"billing": 0.4, "other": 0.6}}, 1),
        ("urgency", {"1": 0.7, "2": 0.3}, 1),
    ],
)
def test_of_soft_labels_the_largest_counts_and_is_told(read, kind: str, label: Any, index: int):
    with pytest.warns(UserWarning, match="not used are shares of soft labels.*: 1"):
        assert read(one(kind, label))[0].answer == index


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("refund", 0.5),
        ("refund", 2),
        ("refund", "maybe"),
        ("team", "Billing"),
        ("team", 0),
        ("team", True),
        ("team", {"billing": 0.5, "other": 0.5}),
        ("team", {"billing": 0, "other": 0}),
        ("team", {"sales": 1.0}),
        ("team", {"billing": -1, "other": 1}),
        ("team", {"billing": "high"}),
        ("team", {}),
        ("urgency", 3),
        ("urgency", -1),
        ("urgency", 1.5),
        ("urgency", "soon"),
        ("urgency", ["2"]),
    ],
)
def test_a_label_that_means_no_one_option_is_refused(read, kind: str, label: Any):
    with pytest.raises(InputError, match=r"q\.jsonl, line 1, question 'q': .*(label|shares)"):
        read(one(kind, label))


def test_a_question_without_a_label_is_told(read):
    with pytest.warns(UserWarning, match=r"not used are questions without a label: 1 \(line 1, q"):
        items = read({**LINE, "answers": {"team": "other", "urgency": None, "refund": True}})
    assert [item.id for item in items] == ["t1#refund", "t1#team"]


def test_lines_as_tables_store_them(read):
    line = {name: json.dumps(LINE[name]) for name in ("state", "questions", "answers")}
    items = read({"id": 1, **line}, {"id": 2, **line, "state": "plain text"})
    assert [item.answer for item in items] == [0, 0, 2] * 2
    assert json.loads(items[0].meta["context"]) == LINE["state"]
    assert items[3].meta["context"] == "plain text"


@pytest.mark.parametrize(
    ("line", "options", "answer"),
    [
        ({"type": "choice", "options": ["x", "y"], "label": "y"}, ("x", "y"), 1),
        (
            {"type": "choice", "options": {"x": "an x", "y": None}, "label": "x"},
            ("x: an x", "y"),
            0,
        ),
        ({"type": "noul", "label": "false"}, ("yes", "no"), 1),
        ({"type": "score", "options": ["low", "high"], "label": 1}, ("low", "high"), 1),
    ],
)
def test_one_decision_a_line(read, line: Any, options: tuple[str, ...], answer: int):
    (item,) = read({"id": "d", "state": "s", "question": "Which?", "group": "g", **line})
    assert (item.id, item.question, item.group) == ("d", "Which?", "g")
    assert (item.options, item.answer) == (options, answer)


def test_assets_are_images_in_the_order_of_their_mention(read):
    asset = {"type": "image", "format": "png", "data_base64": PNG}
    question = {**QUESTIONS["refund"], "instructions": "Is img-1 like img-2?"}
    line = {
        "state": {"photo": "img-2"},
        "questions": {"a": question, "b": QUESTIONS["refund"]},
        "answers": {"a": True, "b": True},
        "assets": {"img-1": "one.png", "img-2": asset, "img-3": "unused.png"},
    }
    with pytest.warns(UserWarning, match="not used are assets that no text names: 1 .*'img-3'"):
        first, second = read(line)
    assert (first.id, second.id) == ("0#a", "0#b")
    assert isinstance(first.images[0], EncodedImage)
    assert first.images[0].data == base64.b64decode(PNG)
    assert isinstance(first.images[1], Path) and first.images[1].name == "one.png"
    assert len(second.images) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"answers": None}, "answers: expected an object"),
        ({"answers": {"other": 1}}, "answers: 'other' is not one of the questions"),
        ({"labels": {}}, "under one of answers, .*, but there are answers and labels"),
        ({"questions": []}, "questions: expected an object"),
        ({"questions": "nonsense"}, "questions: this is not JSON"),
        ({"questions": {"q": 3}}, "question 'q': expected a question of type"),
        ({"questions": {"q": {"type": "text"}}}, "expected a question of type noul, choice, score"),
        ({"questions": {"q": {"type": "noul"}}}, "instructions are missing"),
        ({"questions": {"q": {**QUESTIONS["refund"], "criteria": ["a"]}}}, "expected descriptions"),
        ({"questions": {"q": {**QUESTIONS["team"], "criteria": ["a", "b"]}}}, "expected an object"),
        ({"questions": {"q": {**QUESTIONS["team"], "criteria": {"a": None}}}}, "two or more op"),
        ({"questions": {"q": {**QUESTIONS["urgency"], "criteria": {}}}}, "two or more levels"),
        ({"questions": {"q": {**QUESTIONS["refund"], "choices": 1}}}, "not 'choices'"),
        ({"videos": ["v.mp4"]}, "can have no videos"),
        ({"options": ["x"]}, "can have no options"),
        ({"assets": {"Charged": {"type": "video"}}}, "asset 'Charged': expected"),
    ],
)  # fmt: skip
def test_what_the_format_does_not_say_is_refused(read, line: dict[str, Any], message: str):
    whole = {**LINE, **line}
    if "questions" in line and "answers" not in line:
        whole["answers"] = {}
    with pytest.raises(InputError, match=rf"q\.jsonl, line 1.*{message}") as caught:
        read(whole)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "asked", "context", "question"),
    [
        ("<image>\nA cat.", "Is it red?", "A cat.", "Is it red?"),
        ("A cat.", "Is <image> red?", "A cat.", "Is <image 1> red?"),
        ({"photo": "<image>"}, "Is it red?", '{\n  "photo": "<image 1>"\n}', "Is it red?"),
        ("A cat.", "Is it red? <image>", "A cat.", "Is it red?"),
    ],
)
@pytest.mark.parametrize("more", [{"assets": {"<image>": "1.png"}}, {"images": ["1.png"]}])
def test_a_placeholder_is_replaced(
    read, state: Any, asked: str, context: str, question: str, more: dict[str, Any]
):
    questions = {"q": {"type": "noul", "instructions": asked}}
    (item,) = read({**one("refund", True), "state": state, "questions": questions, **more})
    assert (item.meta["context"], item.question) == (context, question)
    assert [Path(str(image)).name for image in item.images] == ["1.png"]


def test_a_placeholder_has_its_pictures_number_in_the_prompt(read):
    questions = {"q": {"type": "noul", "instructions": "Is img-1 as <image> is?"}}
    more = {"images": "0.png", "assets": {"<image>": "2.png", "img-1": "1.png"}}
    (item,) = read({**one("refund", True), "questions": questions, **more})
    assert item.question == "Is img-1 as <image 3> is?"
    assert [Path(str(image)).name for image in item.images] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"state": "<image>"}, "0 images and 1 <image>"),
        ({"state": "<image> and <image>", "images": ["1.png"]}, "1 images and 2 <image>"),
        ({"state": "<image> <image>", "assets": {"<image>": "1.png"}}, "1 images and 2 <image>"),
        ({"questions": {"q": {**QUESTIONS["refund"], "criteria": {"true": "<image>"}}},
          "assets": {"<image>": "1.png"}}, "option 'yes: <image>' has the placeholder"),
    ],
)  # fmt: skip
def test_placeholders_without_pictures_are_refused(read, line: dict[str, Any], message: str):
    with pytest.raises(InputError, match=rf"q\.jsonl, line 1, question 'q': .*{message}"):
        read({**one("refund", True), **line})


def test_labels_are_asked_for(read):
    with pytest.raises(InputError, match=r"right answers under one of .*, but there are none"):
        read({name: LINE[name] for name in ("id", "state", "questions")})
