"""JSON that other readers take in silence, or that ends them with a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

START = '{"id": "a", "question": "q", "options": ["yes", "no"], "answer": "yes", '


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ('"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('"x": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "nested too deeply"),
        ('"x": ' + "1" * 5_000 + "}", "more than 4,300 digits; write it in quotes"),
        ('"x": -' + "1" * 5_000 + "}", "more than 4,300 digits"),
        ('"id": "b"}', "the key 'id' appears twice"),
        ('"x": {"k": 1, "l": 2, "k": 1}}', "the key 'k' appears twice"),
        ('"x": "\\ud800"}', r"'x' holds half of a surrogate pair (\ud800)"),
        ('"x": ["a", {"b": "\\udfff"}]}', r"'x' holds half of a surrogate pair (\udfff)"),
        ('"\\ud8ff": 1}', "half of a surrogate pair"),
        ('"x": {"\\uD9FF": 1}}', "half of a surrogate pair"),
        ('"x": "a\\u0000b"}', "'x' holds a NUL character"),
        ('"x": 1,}', "this is not JSON (a comma stands before the end"),
        ('"x": [1, ]}', "this is not JSON (a comma stands before the end"),
        ('"x": 1} {"id": 2}', "a second value begins behind the first"),
        ('"x": 1}{"id": 2}', "a second value begins behind the first"),
        ('"x": 01}', "this is not JSON"),
        ('"x": "tab\there"}', "this is not JSON"),
        ('"x": 1', "at the end"),
        ('"x": nan}', "this is not JSON"),
    ],
)
def test_a_line_that_cannot_be_kept(refusal, rest: str, words: str):
    said = refusal("q.jsonl", "\n" + START + rest + "\n")
    assert said.startswith("q.jsonl, line 2: ")
    assert words in said


def test_pairs_of_surrogates_are_characters(read_row):
    assert read_row(question="\U0001f600?").question == "\U0001f600?"


@pytest.mark.parametrize("text", ["[\n", "{\n", '[\n{"id": 1}\n]', '{\n"id": 1\n}\n'])
def test_one_value_over_many_lines_is_another_format(refusal, text: str):
    said = refusal("q.jsonl", text)
    assert said.startswith("q.jsonl, line 1: this is not JSON Lines")
    assert "name the file .json" in said


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("column", ["question", "group", "hint"])
def test_infinity_is_no_text(refusal, column: str, value: str):
    row = json.dumps({"id": "b", "question": "q", "options": ["x", "y"], "answer": 0, column: 7})
    said = refusal("q.jsonl", row.replace("7", value))
    assert f"{column}: expected text, got" in said


@pytest.mark.parametrize(
    ("value", "text"),
    [("3", "3"), ("3.0", "3.0"), ("0.50", "0.50"), ("1e3", "1e3"), ("true", "true"), ("-0", "0")],
)
def test_numbers_and_truth_values_are_the_texts_that_the_file_has(read, value: str, text: str):
    line = '{"id": 1, "question": "q", "options": [@, "x"], "answer": "A", "hint": @}'
    (item,) = read("q.jsonl", line.replace("@", value))
    assert item.options == (text, "x")
    assert item.meta["hint"] == text


def test_three_and_three_point_zero_are_two_texts(read_row, read):
    line = '{"id": 1, "question": "q", "options": [3.0, 3], "answer": 3.0}'
    (item,) = read("q.jsonl", line)
    assert (item.options, item.answer) == (("3.0", "3"), 0)


def test_a_field_of_megabytes_and_its_refusal(read, refusal):
    long = "né " * 2_000_000
    row: dict[str, Any] = {"id": "b", "question": long, "options": ["x", "y"], "answer": 0}
    (item,) = read("q.jsonl", json.dumps(row, ensure_ascii=False))
    assert item.question == long
    for column in ("answer", "options", "image", "answerable", "spellings"):
        refusal("q.jsonl", json.dumps(row | {column: long.strip()}))


@pytest.mark.parametrize("name", ["q.jsonl", "q.json"])
def test_conversations_without_ids_are_numbered_from_0(read, name: str):
    turns = [{"from": "human", "value": "q?\nA. x\nB. y"}, {"from": "gpt", "value": "A"}]
    lines = [json.dumps({"conversations": turns})] * 2
    text = "\n\n".join(lines) if name == "q.jsonl" else f"[{', '.join(lines)}]"
    with pytest.warns(UserWarning, match="no row has an id, so they are numbered from 0"):
        assert [item.id for item in read(name, text)] == ["0", "1"]
