"""The command: helps that fit a terminal, exit codes, one paragraph per error, plain progress."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from calib import cli
from calib.cli import base, progress
from calib.records import CalibError, InputError

COMMANDS = [
    "demo",
    "score",
    "sample",
    "p_true",
    "fit",
    "compare",
    "report",
    "import",
    "tasks",
    "doctor",
    "crosscheck",
    "idk",
]
runner = CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_eighty_columns_and_shows_an_example(command):
    shown = runner.invoke(cli.app, [command, "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert f"Example: calib {command}" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert "..." not in shown.output.partition("\n")[2]  # behind the usage: RUN... takes several


def test_the_list_of_commands_is_whole_and_uncut():
    shown = runner.invoke(cli.app, ["--help"], env={"COLUMNS": "80"})
    listed = re.findall(r"^  ([a-z_]+)  +\S", shown.output, re.M)
    assert listed == COMMANDS
    assert "..." not in shown.output.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_are_spelled_as_in_lm_eval(command):
    shown = runner.invoke(cli.app, [command, "--help"], env={"COLUMNS": "80"})
    assert not re.search(r"--[a-z]+-[a-z]+", shown.output)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, calib.cli\n"
        "try: calib.cli.app(['score', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'transformers', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def failing(error: BaseException):
    @base.readable
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("the file is empty"), 2),
        (CalibError("the model ran out of memory"), 1),
        (OSError(28, "No space left on device", "records.jsonl"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_paragraph_and_a_code(error, code, capsys):
    with pytest.raises(typer.Exit) as caught:
        failing(error)()
    assert caught.value.exit_code == code
    said = capsys.readouterr().err.strip()
    assert said.startswith("calib: ")
    assert "\n" not in said


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())()


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "no/such/run"],
        ["report", "no/such/run"],
        ["compare", "no/such/run", "nor/this"],
        ["compare"],
        ["crosscheck", "no/such/run"],
        ["score", "--model", "m", "--tasks", ","],
        ["score", "--model", "hf", "--tasks", "easy-vqa"],
        ["score", "--model", "m", "--tasks", "no-such-task"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--batch_size", "0"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--model_args", "dtype"],
        ["score", "--model", "m", "--tasks", "easy-vqa", "--limit", "0"],
        ["score", "--tasks", "easy-vqa"],
        ["nonsense"],
    ],
)
def test_refused_before_a_model_is_loaded(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = runner.invoke(cli.app, arguments, env={"COLUMNS": "80"})
    assert isinstance(ran.exception, SystemExit) and ran.exit_code == 2, ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_a_process_ends_with_the_code(tmp_path):
    command = [sys.executable, "-m", "calib.cli", "report", "no/such/run"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 2 and ran.stderr.startswith("calib: "), ran.stderr


def test_progress_in_a_log_gives_rate_and_time_left(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 15.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    tell = progress.Lines()
    for done in (0, 50, 75, 100):
        tell(done, 100, "scoring")
    assert capsys.readouterr().err.splitlines() == [
        "scoring: 0 of 100, 0.0/s",
        "scoring: 50 of 100, 5.0/s, 10 s left",
        "scoring: 100 of 100, 5.0/s",
    ]


NOTING = """
import warnings, typer
from calib.cli.base import readable
@readable
def command():
    for _ in range(3):
        warnings.warn("q.jsonl: not used are the columns\\n'split', 'topic'", UserWarning)
    warnings.warn("another [bold] thing", UserWarning)
try: command()
finally: warnings.warn("python's own")
"""


def test_warnings_are_notes_of_one_line_and_told_once():
    ran = subprocess.run([sys.executable, "-c", NOTING], capture_output=True, text=True, check=True)
    first, second, *rest = ran.stderr.splitlines()
    assert first == "calib: note: q.jsonl: not used are the columns 'split', 'topic'"
    assert second == "calib: note: another [bold] thing"
    assert rest[0].endswith("UserWarning: python's own")  # outside of the command all is as it was
    assert not ran.stdout


def test_the_first_prompt_is_shown_once_it_is_there(tmp_path, capsys, monkeypatch):
    calls = []
    tell = progress.announcing(lambda *told: calls.append(told), tmp_path)
    tell(0, 2, "reasons")
    assert not capsys.readouterr().err
    text = "[bold]Which?\x1b[31m" + "\nline" * 40
    rows = [
        {"id": "q\n1", "text": text, "images": [[64, 48]]},
        {"id": "2", "text": "", "images": []},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "prompts.jsonl").write_text(lines)
    tell(0, 2, "t")
    shown = capsys.readouterr().err
    assert r"the first prompt: question 'q\n1', 1 picture: 64 x 48" in shown
    assert r"│ [bold]Which?\x1b[31m " in shown
    assert shown.count("line ") == 29 and "... 11 more lines" in shown
    assert max(map(len, shown.splitlines())) <= 80
    tell(2, 2, "t")
    assert not capsys.readouterr().err
    assert calls == [(0, 2, "reasons"), (0, 2, "t"), (2, 2, "t")]
    monkeypatch.setenv("RANK", "1")
    progress.announcing(lambda *told: None, tmp_path)(0, 2, "t")
    assert not capsys.readouterr().err


@pytest.mark.parametrize("command", ["score", "sample", "idk build", "tasks"])
def test_helps_say_every_default(command):
    env = {"COLUMNS": "80"}
    shown = runner.invoke(cli.app, [*command.split(), "--help"], env=env).output
    options = shown.partition("Options:")[2].partition("Example:")[0]
    for flag in re.split(r"\n  (?=-)", options)[1:]:
        if not flag.startswith("--help"):
            assert re.search(r"[Dd]efault:|\[required\]", flag), flag
