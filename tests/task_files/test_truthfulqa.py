"""TruthfulQA as it is published, as a table, and as the Hub has it, as rows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import datasets
import pytest

from calib import load_task
from calib.records import InputError, Item

ANSWERS = [
    ("Where?", "Here", ["There", "Nowhere", "At sea, or so"]),
    ("When?", "Now", ["Then"]),
    ("Why?", "Because", ["Why not", "It is so", "Why not"]),  # one is written twice
]
COLUMNS = (
    *("Type", "Category", "Question", "Best Answer", "Best Incorrect Answer", "Correct Answers"),
    *("Incorrect Answers", "Source"),
)
GENERATION = [
    {
        "type": "Adversarial",
        "category": "Law",
        "question": question,
        "best_answer": best,
        "correct_answers": [best],
        "incorrect_answers": incorrect,
        "source": "page.jpg",
    }
    for question, best, incorrect in ANSWERS
]
CHOICE = [
    {
        "question": question,
        "mc1_targets": {
            "choices": [best, *dict.fromkeys(incorrect)],
            "labels": [1] + [0] * len(set(incorrect)),
        },
        "mc2_targets": {"choices": [best], "labels": [1]},
    }
    for question, best, incorrect in ANSWERS
]

pytestmark = pytest.mark.filterwarnings(
    r"ignore:[^;]*no row has an id, so they are numbered from 0$:UserWarning"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "TruthfulQA.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for question, best, incorrect in ANSWERS:
            wrong = "; ".join(incorrect) + ";"
            writer.writerow(["T", "Law", question, best, incorrect[0], best, wrong, "page.jpg"])
    return path


def said(items: tuple[Item, ...]) -> list[tuple[str, tuple[str, ...], int | None]]:
    return [(item.question, item.options, item.answer) for item in items]


def test_the_options_are_the_best_answer_and_every_incorrect_one_once(table: Path) -> None:
    items = load_task(table).items
    for item, (question, best, incorrect) in zip(items, ANSWERS, strict=True):
        assert item.question == question
        assert item.options[item.answer or 0] == best
        assert sorted(item.options) == sorted({best, *incorrect})
        assert (item.group, dict(item.meta)) == ("Law", {})


def test_each_published_form_gives_the_same_items(table: Path) -> None:
    of_table = said(load_task(table).items)
    for rows in (GENERATION, CHOICE):
        assert said(load_task(rows).items) == of_table
        assert said(load_task(datasets.Dataset.from_list(rows)).items) == of_table
        # A part of the rows has the options in the same order as the whole.
        assert said(load_task(rows[1:]).items) == of_table[1:]


def test_the_right_one_stands_anywhere() -> None:
    rows = [GENERATION[0] | {"question": f"Where is {number}?"} for number in range(400)]
    answers = [item.answer for item in load_task(rows)]
    # 100 expected of each place, 4 sigma is 35.
    assert all(65 < answers.count(place) < 135 for place in range(4))


@pytest.mark.filterwarnings("ignore:.*no question uses:UserWarning")
def test_rows_with_options_of_their_own_are_read_by_these() -> None:
    own = {"options": ["x", "y"], "answer": "y"}
    (item,) = load_task([GENERATION[0] | own]).items
    assert (item.options, item.answer) == (("x", "y"), 1)


def targets(choices: Any, labels: Any) -> dict[str, Any]:
    return {"question": "?", "mc1_targets": {"choices": choices, "labels": labels}}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GENERATION[0] | {"incorrect_answers": []}, "expected a best answer and an incorrect one"),
        (GENERATION[0] | {"incorrect_answers": " ; "}, "expected a best answer and an incorrect"),
        (GENERATION[0] | {"best_answer": " "}, "expected a best answer and an incorrect one"),
        (GENERATION[0] | {"best_answer": ["a"]}, "Best Answer: expected text"),
        (GENERATION[1] | {"incorrect_answers": ["Now"]}, "expected two or more options"),
        (targets(["a", "b"], [1, 1]), "one of them 1 and the others 0"),
        (targets(["a", "b"], [1]), "as many labels"),
        (targets([], []), "as many labels"),
        ({"question": "?", "mc1_targets": "a"}, "mc1_targets: expected an object"),
    ],
)
def test_a_row_without_an_answer_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=f"^rows, row 0: .*{words}"):
        load_task([row])
