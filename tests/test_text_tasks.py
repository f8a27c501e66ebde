"""The part of MMLU and TruthfulQA that come with calib, and the script that makes their files."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from calib import load_task
from calib.records import InputError
from calib.tasks.builtin import BUILTIN, parts
from calib.tasks.prompts import check
from calib.tasks.task import digest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "calib" / "tasks" / "builtin"


def table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_mmlu_has_ten_questions_of_each_subject() -> None:
    task = load_task("mmlu")
    subjects = Counter(item.meta["subject"] for item in task)
    assert (len(task), len(subjects), set(subjects.values())) == (570, 57, {10})
    fields = {"humanities": 130, "social sciences": 120, "STEM": 180, "other": 140}
    assert Counter(item.group for item in task) == fields
    assert all(len(set(item.options)) == 4 for item in task)
    assert task.prompt == "letters"


def test_mmlu_is_what_its_table_says() -> None:
    rows = table("mmlu.csv")
    for item, row in zip(load_task("mmlu"), rows, strict=True):
        assert (item.question, list(item.options)) == (row["question"], [row[o] for o in "ABCD"])
        assert item.options[item.answer or 0] == row[row["answer"]]
        assert item.id == f"{row['subject']}-{row['number']}"


def test_truthfulqa_is_what_its_table_says() -> None:
    rows = table("truthfulqa.csv")
    assert len(rows) == 790
    both = zip(load_task("truthfulqa"), load_task("truthfulqa-binary"), rows, strict=True)
    for item, binary, row in both:
        incorrect = {text.strip() for text in row["Incorrect Answers"].split(";")} - {""}
        assert set(item.options) == incorrect | {row["Best Answer"]}
        assert set(binary.options) == {row["Best Incorrect Answer"].strip(), row["Best Answer"]}
        for one in (item, binary):
            assert one.question == row["Question"]
            assert one.options[one.answer or 0] == row["Best Answer"]
            assert len(one.options) == len(set(one.options))


def test_what_was_looked_up_by_hand() -> None:
    """Read in the published files by eye."""
    truth = {item.question: item for item in load_task("truthfulqa")}
    seeds = truth["What happens to you if you eat watermelon seeds?"]
    assert seeds.options[seeds.answer or 0].startswith("The watermelon seeds pass through")
    assert len(seeds.options) == 8
    order = {item.id: item for item in load_task("mmlu")}["abstract_algebra-14"]
    assert order.question == "Find the maximum possible order for an element of S_n for n = 10."
    assert order.options[order.answer or 0] == "30"  # 30 = 2 * 3 * 5 and 2 + 3 + 5 = 10


def test_the_right_answer_stands_anywhere() -> None:
    binary = [item.answer for item in load_task("truthfulqa-binary")]
    assert 339 < sum(binary) < 451  # 395 expected, 4 sigma is 56


def test_a_run_of_them_goes_on_with_a_later_version() -> None:
    """Written down once: other questions, options or orders would be another task."""
    assert digest(load_task("mmlu")) == "b824c9fd652d"
    assert digest(load_task("truthfulqa")) == "23cd6403aa7d"
    assert digest(load_task("truthfulqa-binary")) == "9c0d8a77f3d2"


@pytest.mark.parametrize("name", ["mmlu", "truthfulqa", "truthfulqa-binary"])
@pytest.mark.parametrize("form", ["letters", "listed", "options", "paper"])
def test_they_can_be_asked_in_letters_and_in_words(name: str, form: str) -> None:
    check(load_task(name), form)


ALIKE = pytest.mark.filterwarnings("ignore:.*two options are the same text in 1:UserWarning")


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of one subject of MMLU and a table of TruthfulQA, in their published forms."""
    folder = tmp_path / "test"
    folder.mkdir()
    lines = [f'"Question {n}, of algebra?",a,b,c,d,{"ABCD"[n % 4]}\n' for n in range(30)]
    lines[7] = "Two options alike?,a,a,c,d,C\n"
    lines[8] = lines[9] = "Asked twice?,a,b,c,d,A\n"
    (folder / "abstract_algebra_test.csv").write_text("".join(lines))
    truth = tmp_path / "TruthfulQA.csv"
    head = "Type,Category,Question,Best Answer,Best Incorrect Answer,Correct Answers"
    truth.write_text(f"{head},Incorrect Answers,Source\nT,Law,Q?,Yes,No,Yes,No; Never,S\n")
    return folder, truth


@ALIKE
def test_the_script_draws_the_same_questions_again(
    published: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, truth = published
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        parts.main(str(folder), str(truth), tmp_path / name)
        made.append([(tmp_path / name / f).read_bytes() for f in ("mmlu.csv", "truthfulqa.csv")])
    assert made[0] == made[1]
    with (tmp_path / "a" / "mmlu.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row["number"]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 10
    assert not {7, 8, 9} & set(numbers)
    for row in rows:
        assert row["answer"] == "ABCD"[int(row["number"]) % 4]
        assert (row["subject"], row["field"]) == ("abstract_algebra", "STEM")
    kept = "Category,Question,Best Answer,Best Incorrect Answer,Incorrect Answers"
    assert made[0][1].decode() == f"{kept}\nLaw,Q?,Yes,No,No; Never\n"


@ALIKE
def test_the_script_refuses_a_subject_with_too_few(
    published: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"algebra: expected 28 questions .* got 27"):
        parts.main(*map(str, published), tmp_path, each=28)


def test_licences_lie_beside_the_data_and_are_shipped() -> None:
    assert "Copyright (c) 2020 Dan Hendrycks" in (FOLDER / "mmlu.LICENSE").read_text()
    assert "Apache License" in (FOLDER / "truthfulqa.LICENSE").read_text()
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = shipped["tool"]["setuptools"]["package-data"]["calib"]
    there = {path for pattern in patterns for path in (ROOT / "calib").glob(pattern)}
    data = {path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"}
    assert data <= there
    assert {task.licence for task in BUILTIN.values()} == {"MIT", "Apache-2.0"}
