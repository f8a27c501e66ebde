"""Answers that can be read in two ways: the advice of the refusal can be followed."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Callable

import pytest

from calib.tasks.files.answers import clear_form, readings_of


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["1", "2"], "1"),
        (["1", "0"], "1"),
        (["B", "A"], "A"),
        (["a", "x", "b"], "b"),
        (["0", "B", "A", "1"], "A"),
        (["(B)", "(A)"], "(A)"),
        (["4", "2", "6", "0"], "2"),
        (["A", "1", "B", "0"], "0"),
        (["no", "NO"], "No"),
        (["B.", "A."], "A."),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_the_advice_can_be_followed(read, refusal, options: list[str], answer: str, kind: str):
    def file(**row: object) -> str:
        if kind == "jsonl":
            return json.dumps(row)
        out = io.StringIO()
        writer = csv.DictWriter(out, row)
        writer.writeheader()
        writer.writerow(row | {"options": json.dumps(options)})
        return out.getvalue()

    start = {"id": 1, "question": "q", "options": options}
    said = refusal(f"q.{kind}", file(**start, answer=answer))
    advice = re.findall(r"('[^']*') where ('[^']*') is meant", said)
    assert len(advice) == 2
    for written, meant in advice:
        (item,) = read(f"q.{kind}", file(**start, answer=written.strip("'")))
        assert item.options[item.answer] == meant.strip("'")
    for index in {i for _, i in readings_of(answer, options)}:
        for row in ({"answer_index": index}, {"answer": answer, "answer_index": index}):
            assert read(f"q.{kind}", file(**start, **row))[0].answer == index


def test_many_numbers_have_no_letter_for_each(read, refusal):
    options = [str(number) for number in range(1, 31)]
    row = {"id": 1, "question": "q", "options": options, "answer": "28"}
    said = refusal("q.jsonl", json.dumps(row))
    assert "name the column answer_index" in said
    assert clear_form(27, options) == "27 in a column answer_index"
    assert read("q.jsonl", json.dumps(row | {"answer": None, "answer_index": 27}))[0].answer == 27


@pytest.mark.parametrize("answer", ["٣", "²", "01", "9" * 5_000, "x" * 5_000, "\u00df"])
def test_what_only_looks_like_an_index(refusal, answer: str):
    row = {"id": 1, "question": "q", "options": ["w", "x", "y", "z"], "answer": answer}
    assert " is neither a" in refusal("q.jsonl", json.dumps(row))


TRUTHS = [
    *(("yes", "no"), ("True", "False"), ("ja", "nein"), ("oui", "non"), ("sí", "no")),
    *(("wahr", "falsch"), ("Correct", "Incorrect"), ("y", "n"), ("T", "F"), ("VRAI", "FAUX")),
]


@pytest.mark.parametrize("options", TRUTHS)
@pytest.mark.parametrize("number", [1, 0])
@pytest.mark.parametrize("spell", [str, float, lambda n: f"{n}.0"])
def test_a_number_where_options_are_truth_values(
    read, refusal, options: tuple[str, str], number: int, spell: Callable[[int], object]
):
    """1 is true and the second option: what differs is refused, and the advice can be followed."""
    start = {"id": 1, "question": "q", "answer": spell(number)}
    (item,) = read("q.jsonl", json.dumps(start | {"options": options[::-1]}))
    assert item.answer == number
    row = start | {"options": options}
    said = refusal("q.jsonl", json.dumps(row))
    assert "(by its index)" in said
    assert "(as a truth value)" in said
    advice = re.findall(r"('[^']*') where ('[^']*') is meant", said)
    assert {meant.strip("'") for _, meant in advice} == set(options)
    for written, meant in advice:
        (item,) = read("q.jsonl", json.dumps(row | {"answer": written.strip("'")}))
        assert item.options[item.answer] == meant.strip("'")
    assert "name the column answer_index" in said
    row["answer_index"] = row.pop("answer")
    assert read("q.jsonl", json.dumps(row))[0].answer == number


@pytest.mark.parametrize("options", TRUTHS)
@pytest.mark.parametrize("number", [1, 0])
def test_a_whole_number_of_json_is_an_index(read, options: tuple[str, str], number: int):
    """As ScienceQA's rows and MMLU's have it; a note says what was read."""
    row = {"id": 1, "question": "q", "options": options, "answer": number}
    with pytest.warns(UserWarning, match="answers 0 and 1 are read as indices, the first of them"):
        (item,) = read("q.jsonl", json.dumps(row))
    assert item.answer == number


@pytest.mark.parametrize("options", [*TRUTHS, *(pair[::-1] for pair in TRUTHS)])
def test_json_truth_values_are_the_truth_words(read, options: tuple[str, str]):
    truths = {"yes", "true", "ja", "oui", "sí", "wahr", "correct", "y", "t", "vrai"}
    for answer in (True, False, "true", "FALSE"):
        row = {"id": 1, "question": "q", "options": options, "answer": answer}
        (item,) = read("q.jsonl", json.dumps(row))
        right = item.options[item.answer].casefold() in truths
        assert right == (answer in (True, "true"))


def test_a_third_option_leaves_the_index_alone(read):
    row = {"id": 1, "question": "q", "options": ["yes", "no", "maybe"], "answer": 1}
    assert read("q.jsonl", json.dumps(row))[0].answer == 1


@pytest.mark.parametrize(
    ("options", "answer", "index"),
    [
        (["x", "y"], 1.0, 1),
        (["x", "y"], "1.0", 1),
        (["1.0", "2.0"], "1.0", 0),
        (["2.0", "1.0"], 1.0, 1),
        (["0", "1"], 1.0, 1),
        (["1", "2"], 1.0, None),
        (["x", "y"], "1.5", None),
        (["x", "y"], "2.0", None),
    ],
)
def test_tables_write_1_0_for_1(read, refusal, options: list[str], answer: object, index):
    text = json.dumps({"id": 1, "question": "q", "options": options, "answer": answer})
    if index is None:
        refusal("q.jsonl", text)
    else:
        assert read("q.jsonl", text)[0].answer == index


def test_a_column_of_letters(read, refusal):
    row = {"id": 1, "question": "q", "options": ["c", "D", "b", "a"]}
    for letter, index in (("A", 0), ("b", 1), ("(C)", 2), ("D.", 3)):
        assert read("q.jsonl", json.dumps(row | {"answer_letter": letter}))[0].answer == index
    assert "answer_letter where it holds letters" in refusal(
        "q.jsonl", json.dumps(row | {"answer": "B"})
    )
    for columns in ({"answer": "B"}, {"answer_index": 1}, {"answer": "D", "answer_index": 1}):
        assert read("q.jsonl", json.dumps(row | columns | {"answer_letter": "B"}))[0].answer == 1
    said = refusal("q.jsonl", json.dumps(row | {"answer_letter": "E"}))
    assert "answer_letter: expected the letter of one of 4 options, got 'E'" in said
    said = refusal("q.jsonl", json.dumps(row | {"answer_letter": "A", "answer_index": 1}))
    assert "answer_letter 'A' is not the option of answer_index 1" in said
    said = refusal("q.jsonl", json.dumps(row | {"answer_letter": "A", "answer": "b."}))
    assert "answer 'b.' is not the option of answer_letter A" in said


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"answer": "C"}, "letter C, but there are 2 options ['x', 'y']"),
        ({"answer": 2}, "0-based indices, but there are 2 options ['x', 'y']"),
        ({"answer_index": 2}, "answer_index is 2, but there are 2 options, counted from 0"),
    ],
)
def test_an_answer_beyond_the_options(refusal, columns: dict[str, object], words: str):
    row = {"id": 1, "question": "q", "options": ["x", "y"]}
    assert words in refusal("q.jsonl", json.dumps(row | columns))


@pytest.mark.parametrize(
    ("columns", "is_told"),
    [
        ([{"answer": 1}, {"answer": 2}, {"answer": "3"}], True),
        ([{"answer_index": 1}, {"answer_index": 2}, {"answer_index": 1}], True),
        ([{"answer": 1}, {"answer": 2}], False),
        ([{"answer": 1}, {"answer": 0}, {"answer": 2}], False),
        ([{"answer": 1}, {"answer": "B"}, {"answer": 2}], False),
        ([{"answer": 1}, {"answer": "z"}, {"answer": 2}], False),
        ([{"answer_letter": "B"}, {"answer_letter": "C"}, {"answer_letter": "B"}], False),
    ],
)
def test_answers_that_may_be_counted_from_1(read, columns: list[dict[str, object]], is_told: bool):
    row = {"question": "q", "options": ["w", "x", "y", "z"]}
    lines = [json.dumps({"id": n} | row | more) for n, more in enumerate(columns)]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read("q.jsonl", "\n".join(lines))
    said = [str(warning.message) for warning in told]
    assert [one.endswith("counted from 1? answer_index counts from 0") for one in said] == (
        [True] if is_told else []
    )


def test_truth_values_mean_texts(read):
    row = {"id": 1, "question": "q", "options": [True, False], "answer": False}
    assert read("q.jsonl", json.dumps(row))[0].options == ("true", "false")
    for answer in (False, "False", "false", "B"):
        assert read("q.jsonl", json.dumps(row | {"answer": answer}))[0].answer == 1
