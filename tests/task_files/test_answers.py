"""Answers that can be read in two ways: the advice of the refusal can be followed."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from calib.task_files.answers import clear_form, readings_of


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
    assert "neither a letter" in refusal("q.jsonl", json.dumps(row))


def test_truth_values_mean_texts(read):
    row = {"id": 1, "question": "q", "options": [True, False], "answer": False}
    assert read("q.jsonl", json.dumps(row))[0].options == ("true", "false")
    for answer in (False, "False", "false", "B", 1):
        assert read("q.jsonl", json.dumps(row | {"answer": answer}))[0].answer == 1
