"""Names of columns: other data sets', capitals, what is not used, ids."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from calib.tasks.files.columns import COLUMNS, MEANINGS, STAND_INS, plain

ROW: dict[str, Any] = {"id": "a", "question": "q", "options": ["x", "y"], "answer": "B"}


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name not in names} | more


@pytest.mark.parametrize(
    "row",
    [
        without("options", choices=["x", "y"]),
        without("options", "answer", choices=["x", "y"], answerKey="B"),
        without("answer", correct_choice_idx=1),
        without("answer", correct_answer="y"),
        without("question", question_stem="q"),
        without("id", question_id="a"),
        without("id", index="a"),
        without("options", A="x", B="y"),
        without("options", A="x", B="y", C=None, D=float("nan"), E=""),
        without("options", choice_a="x", choice_b="y"),
        without("options", option_a="x", option_b="y", option_c=None),
        without("options", **{"": "z"}, A="x", B="y"),
        without("options", "answer", **{"Option A": "x", "Option B": "y", "Correct Answer": "B"}),
        without("options", **{"OptionA": "x", "option-b": "y", "Option_C": None}),
        without("options", choice0="x", choice1="y"),
        without("options", "answer", choice0="x", choice1="y", choice2="", answer=1),
        without("options", option1="x", option2="y", option3=None),
        without("options", "answer", **{"Option 1": "x", "Option 2": "y"}, answer="y"),
        without("options", options={"A": "x", "B": "y"}),
        without("answer", answer_letter="b"),
        without("answer", **{"Answer Index": 1}),
        without("options", choices={"text": ["x", "y"], "label": ["A", "B"]}),
        without("options", choices=[{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]),
        without("options", answer="2", choices={"text": ["x", "y"], "label": ["1", "2"]}),
        without("options", answer=2, choices={"text": ["2", "y"], "label": [1, 2]}, x=0),
        {name.upper(): value for name, value in ROW.items()},
        {f" {name.title()} ": value for name, value in ROW.items()},
        {**ROW, "choices": ["x", "y"], "answerKey": "B"},
    ],
)
def test_names_of_other_data_sets(read, row: dict[str, Any]):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (item,) = read("q.jsonl", json.dumps(row))
    assert (item.id, item.question, item.options[1], item.answer) == ("a", "q", "y", 1)


def test_no_name_means_two_columns():
    names = [
        *COLUMNS,
        *(alias for column in (COLUMNS, STAND_INS) for a in column.values() for alias in a),
    ]
    assert len(set(map(plain, names))) == len(names) == len(MEANINGS)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"choices": ["y", "x"]}, "options is ['x', 'y'] and choices is ['y', 'x']"),
        ({"answerKey": "A"}, "answer is 'B' and answerKey is 'A'"),
        ({"Answer": "A"}, "answer is 'B' and Answer is 'A'"),
        ({"image": "1.png", "images": ["2.png"]}, "image is '1.png' and images is ['2.png']"),
        ({"A": "y", "B": "x"}, "options is ['x', 'y'] and A, ... is ['y', 'x']"),
        ({"answer_index": 0}, "answer 'B' is not the option of answer_index 0"),
    ],
)
def test_two_names_of_one_column_must_agree(refusal, columns: dict[str, Any], words: str):
    said = refusal("q.jsonl", json.dumps(ROW | columns))
    assert said.startswith("q.jsonl, line 1: ")
    assert words in said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (without("options", A="x", B=None, C="z"), "an option before C is empty"),
        (without("options", A="x", B="y", D="z"), "an option before D is empty"),
        (without("options", option1="x", option3="y"), "options is missing"),
        (without("options", option1="x", option2=None, option3="z"), "before option3 is empty"),
        (without("options", **{"A": "x", "B": "y", "a ": "z"}), "'A' and 'a ' mean the same"),
        (without("options", A="x", B=["y"]), "B: expected text, got ['y']"),
        (without("options", B="x", C="y"), "options is missing"),
        (without("options", choices={"text": ["x", "y"], "label": ["A"]}), "a label of its own"),
        (without("options", choices={"text": ["x", "y"], "label": ["A", "A"]}), "a label of its"),
        (
            without("options", choices={"text": ["x", "y"], "label": ["1", "2"]}),
            "answer 'B' is not among the labels ['1', '2']",
        ),
    ],
)
def test_options_that_are_not_whole(refusal, row: dict[str, Any], words: str):
    assert words in refusal("q.jsonl", json.dumps(row))


def test_columns_numbered_from_1_and_an_index_from_0_must_agree(read, refusal):
    row = without("options", "answer", option1="x", option2="y", option3="z")
    said = refusal("q.jsonl", json.dumps(row | {"answer": 1}))
    assert "'y' (by its index) and 'x' (by its column's number)" in said
    assert "write 'A' where 'x' is meant or 'B' where 'y' is meant" in said
    for answer, index in (("A", 0), (0, 0), (3, 2)):
        assert read("q.jsonl", json.dumps(row | {"answer": answer}))[0].answer == index
    assert read("q.jsonl", json.dumps(row | {"answer_index": 1}))[0].answer == 1


def test_stand_ins_that_are_alike_are_both_told(read):
    with pytest.warns(UserWarning, match="no question uses the column 'image path'"):
        (item,) = read("q.jsonl", json.dumps(ROW | {"image_path": "a.png", "image path": "b.png"}))
    assert item.images[0].name == "a.png"


def test_a_missing_column_is_told_with_those_that_are_there(refusal):
    row = {"id": 1, "frage": "q", "options": ["x", "y"], "answer": 0}
    assert refusal("q.jsonl", json.dumps(row)) == (
        "q.jsonl, line 1: question is missing; the columns are 'id', 'frage', 'options', 'answer'"
    )


def test_stand_ins_step_back_behind_the_column_itself(read):
    row = {**ROW, "index": 7, "group": "g", "category": "c"}
    with pytest.warns(UserWarning, match=r"columns 'index', 'category'$"):
        (item,) = read("q.jsonl", json.dumps(row))
    assert (item.id, item.group) == ("a", "g")
    assert item.meta == {"index": 7, "category": "c"}
    (item,) = read("q.jsonl", json.dumps({**ROW, "category": "c", "passage": "p"}))
    assert (item.group, item.meta) == ("c", {"context": "p"})


def test_columns_that_are_not_used_are_named_once(read):
    rows = [{**ROW, "id": n, "source": "web", f"x{n}": n} for n in range(3)]
    with pytest.warns(UserWarning) as told:
        items = read("q.jsonl", "\n".join(map(json.dumps, rows)))
    (said,) = told
    assert str(said.message).endswith("no question uses the columns 'source', 'x0', 'x1', 'x2'")
    assert items[2].meta == {"source": "web", "x2": 2}


def test_rows_without_ids_are_numbered(read, refusal):
    rows = [without("id"), without("id")]
    with pytest.warns(UserWarning, match="no row has an id, so they are numbered from 0"):
        items = read("q.jsonl", "\n".join(map(json.dumps, rows)))
    assert [item.id for item in items] == ["0", "1"]
    said = refusal("q.jsonl", "\n".join(map(json.dumps, [ROW, without("id")])))
    assert said.startswith("q.jsonl, line 2: id is missing")
    said = refusal("q.jsonl", "\n".join(map(json.dumps, [without("id"), ROW])))
    assert said.startswith("q.jsonl, line 2: it has an id, but the first row has none")


def test_an_id_given_twice_is_told_with_both_places(refusal):
    rows = [ROW, {**ROW, "id": 1}, {**ROW, "id": "1"}]
    said = refusal("q.jsonl", "\n".join(map(json.dumps, rows)))
    assert said == "q.jsonl, line 3: id '1' appears 2 times, first in line 2"
