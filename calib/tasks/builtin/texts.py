"""Questions without pictures: a part of MMLU, and TruthfulQA.

``mmlu.csv`` and ``truthfulqa.csv`` are made by ``parts.py`` of the published files; ``README.md``
beside them says of which, and under which licences.
"""

from __future__ import annotations

import csv
from pathlib import Path

from calib.records import Item
from calib.tasks.files.truthfulqa import of_answers, ordered

FOLDER = Path(__file__).parent
LETTERS = "ABCD"


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mmlu_items() -> tuple[Item, ...]:
    """Ten test questions of each of MMLU's 57 subjects; the group is the subject's field.

    An id is the subject and the question's number in its published table, from 0.
    """
    return tuple(
        Item(
            id=f"{row['subject']}-{row['number']}",
            question=row["question"],
            options=tuple(row[letter] for letter in LETTERS),
            answer=LETTERS.index(row["answer"]),
            group=row["field"],
            meta={"subject": row["subject"]},
        )
        for row in rows_of("mmlu.csv")
    )


def truthfulqa_items() -> tuple[Item, ...]:
    """TruthfulQA's 790 questions, with the best answer and every incorrect one as options (MC1).

    An id is the row's number in the published table, from 0; the group is the category.
    """
    return tuple(
        truthfulqa_item(number, row, *of_answers(row["Best Answer"], row["Incorrect Answers"], ""))
        for number, row in enumerate(rows_of("truthfulqa.csv"))
    )


def truthfulqa_binary_items() -> tuple[Item, ...]:
    """The same questions with two options, the best answer and the best incorrect one."""
    return tuple(
        truthfulqa_item(number, row, row["Best Answer"].strip(), [row["Best Incorrect Answer"]])
        for number, row in enumerate(rows_of("truthfulqa.csv"))
    )


def truthfulqa_item(number: int, row: dict[str, str], best: str, incorrect: list[str]) -> Item:
    question = row["Question"]
    options, answer = ordered(question, best, [text.strip() for text in incorrect])
    return Item(
        id=str(number),
        question=question,
        options=tuple(options),
        answer=answer,
        group=row["Category"],
        meta={"ask_for_text": "Answer with one short sentence."},
    )
