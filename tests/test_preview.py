"""calib tasks show: the first questions of a task, before there is a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from calib import cli
from calib.records import Item
from calib.report.formats import beginning
from calib.tasks import load_task

ROWS: list[dict[str, Any]] = [
    {
        "id": "1", "question": "Which?", "options": ["red", "no"], "answer": "no", "group": "a",
        "hint": "Dusk.", "image": "a.png",
    },
    {
        "id": "2", "question": "And this?", "options": ["red", "no"], "answer": "A",
        "turns": [["New?", "No."]], "instruction": "Reply with one letter.",
    },
    {"id": "3", "question": "Where?", "aliases": ["Bern", "Berne"]},
]  # fmt: skip


def shown(*arguments: str, code: int = 0) -> str:
    ran = CliRunner().invoke(cli.app, ["tasks", *arguments], env={"COLUMNS": "80"})
    assert ran.exit_code == code, ran.output
    assert max(map(len, ran.output.splitlines())) <= 80 or code
    return ran.output


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return "mine.jsonl"


def test_questions_as_the_model_will_see_them(file: str):
    assert shown("show", file).splitlines() == [
        "mine: 3 questions in the form letters, its default",
        "  options: 1 with none, 2 with 2",
        "  pictures: 2 with none, 1 with 1",
        "  groups: 'a' 1, none 2",
        "",
        "question '1', group 'a'",
        "  picture of 64 x 48: a.png",
        "  the user:",
        "    Hint: Dusk.",
        "    Which?",
        "    (A) red",
        "    (B) no",
        "    Answer with the option's letter.",
        "  scored, and * is right:",
        "      A  red",
        "    * B  no",
        "",
        "question '2'",
        "  the user, before:",
        "    New?",
        "  the model, before:",
        "    No.",
        "  the user:",
        "    And this?",
        "    (A) red",
        "    (B) no",
        "    Reply with one letter.",
        "  scored, and * is right:",
        "    * A  red",
        "      B  no",
        "",
        "question '3'",
        "  the user:",
        "    Where?",
        "    Answer with one word or a short phrase.",
        "  answered freely; right is: Bern, Berne",
    ]


def test_so_many_and_in_another_form(file: str):
    assert shown("show", file, "-n", "1", "--prompt", "options").splitlines()[4:] == [
        "",
        "question '1', group 'a'",
        "  picture of 64 x 48: a.png",
        "  the user:",
        "    Hint: Dusk.",
        "    Which?",
        "    Answer with one word or a short phrase.",
        "  scored, and * is right:",
        "      red",
        "    * no",
    ]
    assert shown(file, "-n", "2") == shown("show", file, "-n", "2")
    paper = shown("show", "easy-vqa", "-n", "1", "--prompt", "paper")
    assert "easy-vqa: 9,673 questions in the form paper; its default is options" in paper
    assert "  a text to be completed:\n    what is the red shape?\n    (A) circle\n" in paper


def test_what_is_refused_is_refused_as_elsewhere(file: str, tmp_path: Path):
    assert "expected the name of a task or a file" in shown("show", code=2)
    assert "--prompt: expected one of" in shown(file, "--prompt", "loud", code=2)
    assert "item '3': it has no options" in shown(file, "--prompt", "paper", code=2)
    Path(file).write_text("[\n")
    assert "mine.jsonl" in shown("show", file, code=2)
    assert "there is no such file" in shown("show", str(tmp_path / "no.jsonl"), code=2)


@pytest.mark.parametrize("command", ["score", "sample", "idk build"])
def test_a_form_that_does_not_fit_is_refused_before_a_model_is_loaded(
    file: str, command: str, tmp_path: Path
):
    given = [*command.split(), "--model", "no/such", "--tasks", file, "--prompt", "paper"]
    ran = CliRunner().invoke(cli.app, [*given, "--output_path", str(tmp_path / "out")])
    assert ran.exit_code == 2
    assert ran.output.startswith("calib: item '3': it has no options, and prompt paper asks")


def test_the_list_stands_as_it_did():
    assert "easy-vqa-letters" in shown()
    assert "calib tasks show FILE" in shown()


def test_questions_that_nobody_can_answer_and_many_options():
    from calib.cli.preview import preview

    meta = {"answerable": False}
    many = Item("m", "?", options=tuple(map(str, range(40))), answer=None, meta=meta)
    spelled = Item("s", "?", options=("a", "b"), meta={"spellings": (("a", "ay"), ("b",))})
    lines = [text for _, text in preview(load_task([many, spelled]), "listed", 2)]
    assert "nobody can answer it: only a refusal is right" in lines
    assert "its answer is not known" in lines
    assert "... 10 more options" in lines
    assert "  a | ay  a" not in lines and "  a | ay" in lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a\nb", "a\nb"),
        ("a\nb\nc", "a\nb\n... 1 more line"),
        ("a\nb\nc\nd", "a\nb\n... 2 more lines"),
        ("a\nb\n\n", "a\nb\n... 2 more lines"),
        ("x" * 25, "x" * 20 + "\n... 5 more characters"),
        ("x" * 25 + "\ny\nz", "x" * 20 + "\n... 3 more lines"),
        ("\x1b[31mred\ud800 é", "\\x1b[31mred\\ud800 é"),
    ],
)
def test_the_beginning_of_a_text(text: str, shown: str):
    assert beginning(text, lines=2, characters=20) == shown
