"""MMLU as it is published, as a folder of tables, and as the Hub has it, as rows."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from calib import load_task
from calib.records import InputError, Item
from calib.tasks.files import read_file

# The second question has the text "2" among its options, and the answer with the index 2.
QUESTIONS = {
    "algebra": [("Degree, over Q?", ["0", "4", "2", "6"], 1), ("Index?", ["8", "2", "24", "9"], 2)],
    "world_facts": [('A comma, "quoted"?\nNext line', ["None", "a, b", "N/A", "d"], 3)],
}
BARE = {
    "algebra": '"Degree, over Q?",0,4,2,6,B\nIndex?,8,2,24,9,C\n',
    "world_facts": '"A comma, ""quoted""?\nNext line",None,"a, b",N/A,d,D\n',
}
HEADER = "question,choice0,choice1,choice2,choice3,answer\n"
EXPECTED = tuple(
    Item(f"{subject}-{number}", question, options=tuple(options), answer=answer, group=subject)
    for subject, questions in QUESTIONS.items()
    for number, (question, options, answer) in enumerate(questions)
)
ROWS = [
    {"question": question, "subject": subject, "choices": options, "answer": answer}
    for subject, questions in QUESTIONS.items()
    for question, options, answer in questions
]


def headed(bare: str) -> str:
    for letter, index in zip("ABCD", "0123", strict=True):
        bare = bare.replace(f",{letter}\n", f",{index}\n")
    return HEADER + bare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mmlu" / "test"
    folder.mkdir(parents=True)
    for subject, text in BARE.items():
        (folder / f"{subject}_test.csv").write_text(text)
    return folder


def test_a_folder_of_tables_without_a_header(folder: Path) -> None:
    (folder / "README.txt").write_text("not a table")
    task = load_task(folder)
    assert task.items == load_task(str(folder)).items == EXPECTED
    assert (task.name, task.prompt, task.source) == ("mmlu-test", "letters", str(folder))


def test_a_folder_of_tables_with_a_header(folder: Path) -> None:
    for subject, text in BARE.items():
        (folder / f"{subject}_test.csv").write_text(headed(text))
    assert load_task(folder).items == EXPECTED


@pytest.mark.parametrize("split", ["test", "dev", "val"])
def test_one_table_without_a_header(tmp_path: Path, split: str) -> None:
    path = tmp_path / f"algebra_{split}.csv"
    path.write_text(BARE["algebra"])
    assert load_task(path).items == EXPECTED[:2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own_test.csv", "question,options,answer\nWhich?,x|y,B\n"),
        ("own_test.csv", "question,answer,A,B,C,D\nWhich?,B,x,y,z,w\n"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*numbered from 0:UserWarning")
def test_a_table_of_ones_own_is_read_by_its_header(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (item,) = load_task(tmp_path / name).items
    assert (item.id, item.question, item.answer) == ("0", "Which?", 1)


def test_other_numbers_of_options(tmp_path: Path) -> None:
    folder = tmp_path / "pro"
    folder.mkdir()
    (folder / "law.csv").write_text("One of five?,a,b,c,d,e,E\n\n")
    (item,) = load_task(folder).items
    assert (item.id, item.options, item.answer) == ("law-0", tuple("abcde"), 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Which?,a,b,c,d,E\n", "line 1: expected a question, 4 options and the letter"),
        ("Which?,a,b,c,d,A\nWhich?,a,b,c,B\n", "line 2: expected a question, 4 options"),
        ("Which?\n", "line 1: expected a question"),
        (HEADER + "Which?,a,b,c,d,4\n", "line 2: expected a question, 4 options and the 0-based"),
        (HEADER + "Which?,a,b,c,d,B\n", "line 2: expected .* the 0-based index"),
        ("Which?,a,,c,d,A\n", "options: one of .* has no text"),
        (HEADER, "it holds no questions"),
        (" \n", "the file is empty"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, text: str, words: str) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "x_test.csv").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        load_task(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_tables_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder of \.csv .* of its folders: test"):
        load_task(folder.parent)
    with pytest.raises(InputError, match=r"as MMLU has them$"):
        load_task(tmp_path)
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder, not a file"):
        load_task(tmp_path / "x.csv")


def of_rows(items: tuple[Item, ...]) -> list[tuple[str, tuple[str, ...], int | None, str | None]]:
    return [(item.question, item.options, item.answer, item.group) for item in items]


@pytest.mark.filterwarnings("ignore:.*numbered from 0:UserWarning")
def test_rows_of_the_hub(tmp_path: Path) -> None:
    letters = datasets.ClassLabel(names=list("ABCD"))
    features = datasets.Features(
        question=datasets.Value("string"),
        subject=datasets.Value("string"),
        choices=datasets.List(datasets.Value("string")),
        answer=letters,
    )
    data = datasets.Dataset.from_list(ROWS, features=features)
    jsonl, parquet = tmp_path / "m.jsonl", tmp_path / "m.parquet"
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    data.to_parquet(parquet)
    for source in (ROWS, data, iter(ROWS), lambda: ROWS, jsonl, parquet):
        task = load_task(source)
        assert of_rows(task.items) == of_rows(EXPECTED)
        assert [item.id for item in task] == ["0", "1", "2"]
        assert task.prompt == "letters"


def test_rows_say_what_is_wrong_with_them() -> None:
    for rows, words in (
        ([ROWS[0] | {"answer": 4}], "rows, row 0: answer_index is 4, but there are 4 options"),
        ([ROWS[0], 5], "rows, row 1: expected an object with named fields, got 5"),
        ([{"question": "?"}], "rows, row 0: options is missing"),
    ):
        with pytest.raises(InputError, match=words):
            load_task(rows)


def test_answers_as_text_are_still_refused_where_they_mean_two_options(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(ROWS[1] | {"answer": "2"}) + "\n")
    with pytest.raises(InputError, match="can be read as"):
        read_file(path)
