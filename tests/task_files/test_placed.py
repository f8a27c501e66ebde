"""Placeholders of pictures in plain rows."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("question", "pictures", "asked"),
    [
        ("<image>\nWhich?", 1, "Which?"),
        ("Which? <image>", 1, "Which?"),
        ("Which?\n<image>\nSay it.", 1, "Which?\nSay it."),
        ("Is <image> red?", 1, "Is <image 1> red?"),
        ("Is <image> like <image>?", 2, "Is <image 1> like <image 2>?"),
        ("<image><image> Which?", 2, "Which?"),
        ("<image> Which?", 2, "Which?"),
        ("Is <image 2> like <image 1>?", 2, "Is <image 2> like <image 1>?"),
        ("Which <IMAGE>, <img> or <image_1>?", 0, "Which <IMAGE>, <img> or <image_1>?"),
    ],
)
def test_placeholders_of_a_question(read_row, question: str, pictures: int, asked: str):
    images = [f"{number}.png" for number in range(pictures)]
    item = read_row(question=question, images=images)
    assert (item.question, len(item.images)) == (asked, pictures)


def test_passages_come_before_the_question(read_row):
    item = read_row(
        hint="Look at <image>!",
        context="<image>\nA page.",
        question="Is it <image> or not?",
        images=["1.png", "2.png", "3.png"],
    )
    assert item.meta["context"] == "A page."
    assert item.meta["hint"] == "Look at <image 2>!"
    assert item.question == "Is it <image 3> or not?"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"question": "<image> Which?"}, "there are 0 pictures and 1 <image>"),
        ({"question": "<image> or <image>?", "image": "1.png"}, "are 1 pictures and 2 <image>"),
        ({"hint": "<image>", "question": "<image>?", "image": "1.png"}, "are 1 pictures and 2 <im"),
        ({"question": "<image 2>?", "image": "1.png"}, "<image 2> stands in the text, but there"),
        ({"question": "<image 0>?", "image": "1.png"}, "<image 0> stands in the text, but there"),
        ({"context": "<image 1>"}, "<image 1> stands in the text, but there are 0 pictures"),
        ({"question": "<image 1> <image>?", "images": ["1.png", "2.png"]}, "number all or none"),
        ({"options": ["<image>", "x"], "image": "1.png"}, "is a picture, and options are texts"),
        ({"options": ["x", "<image 1>"], "image": "1.png"}, "is a picture, and options are texts"),
        ({"turns": [["<image>?", "yes"]], "image": "1.png"}, "turns: <image> stands there"),
        ({"question": "<image>", "image": "1.png"}, "question is missing"),
    ],
)
def test_placeholders_without_a_picture(row_refusal, columns: dict[str, Any], words: str):
    assert words in row_refusal(**columns)


def test_a_table_has_them_too(refusal, read):
    text = "id,question,A,B,answer,image\n1,<image> q?,x,y,A,{}\n"
    assert read("q.csv", text.format("1.png"))[0].question == "q?"
    assert refusal("q.csv", text.format("")).startswith("q.csv, line 2: expected a picture for")
