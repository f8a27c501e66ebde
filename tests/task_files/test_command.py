"""The command refuses a file before it looks for the model: exit code 2 and one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calib import cli
from calib.drive.score import score
from calib.records import InputError

GOOD = '{"id": "a", "question": "q", "options": ["yes", "no"], "answer": "yes"}\n'


FREE = '{"id": "b", "question": "q", "aliases": ["x"]}\n'
EQUAL = GOOD.replace("}", ', "idk": 1}').replace('"no"]', '"no", "no"]')


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        (GOOD + FREE, [], "item 'b' has no options to score; calib sample asks it freely"),
        (FREE, [], "item 'b' has no options to score"),
        (EQUAL, ["--prompt", "listed"], "prompt listed scores texts; prompt letters tells"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*two options are the same text")
def test_what_cannot_be_scored_is_refused_before_a_model_is_looked_for(
    tmp_path: Path, text: str, flags: list[str], words: str
):
    path = tmp_path / "q.jsonl"
    path.write_text(text)
    flags = [*flags, "--model", "no/model/of/this/name", "--tasks", str(path)]
    done = CliRunner().invoke(
        cli.app, ["score", *flags, "--output_path", str(tmp_path / "run")], env={"COLUMNS": "500"}
    )
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    with pytest.raises(InputError, match=words):
        score(
            "no/model/of/this/name", str(path), prompt="listed" if flags[0] == "--prompt" else None
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["score"], ["sample"], ["idk", "build"]])
@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("deep.jsonl", GOOD + '{"x": ' + "[" * 99_999 + "\n", "deep.jsonl, line 2: "),
        ("number.jsonl", GOOD + "9" * 5_000 + "\n", "number.jsonl, line 2: "),
        ("null.jsonl", GOOD.replace('["yes', '[null, "yes'), "null.jsonl, line 1: options: "),
        ("half.jsonl", GOOD.replace('"q"', '"q\\ud800"'), "half.jsonl, line 1: 'question' holds"),
        ("spell.jsonl", GOOD.replace("}", ', "spellings": 5}'), "spell.jsonl, line 1: spellings"),
        ("asked.jsonl", GOOD.replace("}", ', "instruction": []}').replace("[]", "[1]"), "line 1: "),
        ("sheet.csv", "id;frage;A;B;answer\n1;q;x;y;A\n", "sheet.csv, line 2: question is missing"),
        ("pipe.csv", None, "pipe.csv: it cannot be read: it is a named pipe"),
    ],
)
def test_a_file_is_refused_before_a_model_is_looked_for(
    tmp_path: Path, command: list[str], name: str, text: str | None, place: str
):
    path = tmp_path / name
    if text is None:
        os.mkfifo(path)
    else:
        path.write_text(text)
    flags = ["--model", "no/model/of/this/name", "--tasks", str(path)]
    done = CliRunner().invoke(
        cli.app, [*command, *flags, "--output_path", str(tmp_path / "run")], env={"COLUMNS": "500"}
    )
    assert done.exit_code == 2, done.output
    (said,) = done.stderr.strip().splitlines()
    assert place in said
    assert not (tmp_path / "run").exists()
